"""Probes of the most promising models, within a share of a task's limit."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nasoa.config import FineTuneConfig, ProbeConfig
from nasoa.data import ImageDataset
from nasoa.errors import BackboneError, WeightsError
from nasoa.online.first_head import KnownFeatures
from nasoa.online.prior import DefaultPrior
from nasoa.online.probe import Sample, judge, known_features, pooled_features
from nasoa.online.regime_space import RegimeSpace
from nasoa.online.task_times import TaskTimes
from nasoa.records import HEAD_ONLY, MetaFeatures, Probe, Regime, Task, ZooEntry
from nasoa.training.clock import Clock
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import MODULES, REFERENCE_MODEL, Zoo, packaged_zoo
from nasoa.zoo.networks import load_network


@dataclass
class Probed:
    """Probes, and by model and resolution the features that they left."""

    probes: list[Probe] = field(default_factory=list)
    features: dict[tuple[str, int], KnownFeatures] = field(default_factory=dict)


def probe_models(
    zoo: Zoo,
    times: TaskTimes,
    task: Task,
    dataset: ImageDataset,
    sample: Sample,
    timer: Clock,
    config: ProbeConfig,
) -> Probed:
    """Probe models, the most promising first, while the share of the limit lasts.

    Each at the resolution that would be the best for its head alone in the time that is left, so
    that the features serve the fine-tune too. The reference model costs nothing: its features are
    those of the landmark.

    Args:
        zoo: the models.
        times: of the task.
        task: with its meta-features and limit.
        dataset: its images.
        sample: of the training images, with the reference model's features.
        timer: of the task.
        config: how much.
    """
    found = Probed()
    if zoo.entries.get(REFERENCE_MODEL) == packaged_zoo().entry(REFERENCE_MODEL):
        _judge_reference(found, zoo, sample)
    ends = timer.elapsed_s() + config.share * (task.time_limit_s - timer.elapsed_s())
    fewest = max(config.fewest_images, config.fewest_per_class * len(task.class_names))
    for model, resolution in _most_promising(zoo, times, task, timer):
        if model == REFERENCE_MODEL:
            continue
        image_s = times.model.eval_image_s(zoo.entry(model), resolution)
        load_s = 0.0 if task.clock == "steps" else _loading_s(zoo.entry(model), config)
        affordable = int((ends - timer.elapsed_s() - load_s) / image_s)
        count = min(config.most_images, len(sample.indices), affordable)
        if count < min(fewest, len(sample.indices)):
            continue
        _probe(found, zoo, model, resolution, dataset, sample.first(count))
        timer.charge(count * image_s)
    return found


def _loading_s(entry: ZooEntry, config: ProbeConfig) -> float:
    """About how long it takes until a network computes, its library's import included."""
    library = MODULES.get(entry.builder.partition(":")[0])
    is_imported = library is None or library in sys.modules
    return config.load_s + (0.0 if is_imported else config.import_s)


def _judge_reference(found: Probed, zoo: Zoo, sample: Sample) -> None:
    resolution = zoo.entry(REFERENCE_MODEL).resolution
    probe = judge(REFERENCE_MODEL, resolution, sample.reference, sample)
    if probe is not None:
        found.probes.append(probe)
        key = (REFERENCE_MODEL, resolution)
        found.features[key] = known_features(sample, sample.reference)


def _probe(
    found: Probed, zoo: Zoo, model: str, resolution: int, dataset: ImageDataset, sample: Sample
) -> None:
    entry = zoo.entry(model)
    try:
        network = load_network(entry, zoo.weights(model))
    except (BackboneError, WeightsError):
        return  # the fine-tune says what is wrong, if the model is chosen all the same
    features = pooled_features(
        network, entry, dataset, sample.indices, resolution, precision_for(network)
    )
    probe = judge(model, resolution, features, sample)
    if probe is not None:
        found.probes.append(probe)
        found.features[model, resolution] = known_features(sample, features)


def _most_promising(zoo: Zoo, times: TaskTimes, task: Task, timer: Clock) -> list[tuple[str, int]]:
    """Models with the resolution of the best head alone that fits, by what is expected of it."""
    left_s = task.time_limit_s - timer.elapsed_s() - FineTuneConfig().margin_s(task.time_limit_s)
    heads = _heads_of(zoo, times, task.meta_features, left_s)
    best: dict[str, tuple[float, int]] = {}
    for model, resolution, expected in heads:
        if model not in best or expected > best[model][0]:
            best[model] = (expected, resolution)
    order = sorted(best, key=lambda model: -best[model][0])
    return [(model, best[model][1]) for model in order]


def _heads_of(
    zoo: Zoo, times: TaskTimes, meta: MetaFeatures, left_s: float
) -> list[tuple[str, int, float]]:
    """Model, resolution and expected log-odds of every head alone that fits."""
    space = RegimeSpace.heads()
    table = space.grid(zoo.entries, times.image_resolution)
    if not len(table):
        return []
    fitting = np.flatnonzero(times.costs(table).fixed_s <= left_s)
    candidates = table.take(fitting).with_lengths(np.ones(len(fitting), dtype=np.int64))
    expected = DefaultPrior.packaged().log_odds(candidates.table(meta, zoo.entries))
    kept = candidates.configurations
    return [
        (kept.models[kept.model[place]], int(kept.resolution[place]), float(expected[place]))
        for place in range(len(fitting))
    ]


def features_for(
    features: Mapping[tuple[str, int], KnownFeatures] | None, regime: Regime
) -> KnownFeatures | None:
    """What a probe left for a regime: pooled features, which serve a head alone."""
    if features is None or regime.frozen_stages != HEAD_ONLY:
        return None
    return features.get((regime.model, regime.resolution))
