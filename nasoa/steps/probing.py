"""Probe the most promising models, within a fraction of a task's limit."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from nasoa.config import FineTuneConfig, ProbeConfig
from nasoa.data import ImageDataset
from nasoa.errors import (
    BackboneError,
    CorruptRecord,
    ObjectNotFound,
    TimeLimitError,
    WeightsError,
)
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.regimes.probe_columns import probe_of_source
from nasoa.online.regimes.regime_space import RegimeSpace, admitted_resolutions
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.regimes.tabulate import for_task
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.online.task.probe import (
    KnownFeatures,
    Sample,
    fit_probe,
    known_features,
    pooled_features,
)
from nasoa.online.task.task_name import task_name
from nasoa.records import HEAD_ONLY, Probe, Regime, Task, ZooEntry
from nasoa.training.clock import Clock
from nasoa.training.precision import precision_for
from nasoa.work_progress import report_progress
from nasoa.zoo.entries import MODULES, REFERENCE_MODEL, Zoo, packaged_zoo
from nasoa.zoo.networks import load_network


@dataclass
class Probed:
    """Probes, and the features computed for them, by model and resolution."""

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
    """Probe models, the most promising first, until the fraction of the limit is used.

    Each model is probed at the resolution that is expected to be best for training its head alone
    in the remaining time, so that the fine-tune can use the features too, or at the largest
    resolution below it that there is time for. The reference model costs no time: its features are
    those of the landmark.

    Args:
        zoo: the models to choose from.
        times: durations of the task's regimes.
        task: the task, with its meta-features and limit.
        dataset: images of the task.
        sample: sample of the training images, with features of the reference model.
        timer: clock of the task.
        config: how much time and how many images to use.
    """
    found = Probed()
    reference = packaged_zoo().entry(REFERENCE_MODEL)
    is_reference = zoo.entries.get(REFERENCE_MODEL) == reference
    if is_reference:
        _judge(found, reference, reference.resolution, sample.reference, sample)
    began_s = timer.elapsed_s()
    ends = began_s + config.time_fraction * (task.time_limit_s - began_s)
    fewest = max(config.fewest_images, config.fewest_per_class * len(task.class_names))
    for model, resolutions in _most_promising(zoo, times, task, timer, config):
        spent_s = min(timer.elapsed_s(), ends) - began_s
        report_progress("seconds of probing", round(spent_s), round(ends - began_s))
        if model == REFERENCE_MODEL and is_reference:
            continue
        entry = zoo.entry(model)
        load_s = 0.0 if task.clock == "steps" else _loading_s(entry, config)
        left_s = ends - timer.elapsed_s() - load_s
        # A second model of the same source tells less, so it is probed only at the resolution at
        # which the fine-tune could use its features.
        is_known = probe_of_source(found.probes, entry) is not None
        for resolution in resolutions[:1] if is_known else resolutions:
            image_s = times.model.eval_image_s(entry, resolution)
            most = max(config.most_images, fewest)
            count = min(most, len(sample.indices), int(left_s / image_s))
            if count >= min(fewest, len(sample.indices)):
                probed = _Probing(dataset, task.clock, lambda: timer.elapsed_s() < ends)
                probed.add(found, zoo, entry, resolution, sample.first(count))
                timer.charge(count * image_s)
                break
    return found


def _loading_s(entry: ZooEntry, config: ProbeConfig) -> float:
    """Estimate the seconds that loading a network takes, including the import of its library."""
    library = MODULES.get(entry.builder.partition(":")[0])
    is_imported = library is None or library in sys.modules
    return config.load_s + (0.0 if is_imported else config.import_s)


@dataclass(frozen=True)
class _Probing:
    """How the models of a task are probed; `may_go_on` returns whether there is time left."""

    dataset: ImageDataset
    clock: str
    may_go_on: Callable[[], bool]

    def add(
        self, found: Probed, zoo: Zoo, entry: ZooEntry, resolution: int, sample: Sample
    ) -> None:
        """Probe a model on as much of a sample as there is time for."""
        is_steps = self.clock == "steps"
        try:
            network = load_network(entry, zoo.weights(entry.name))
        except (BackboneError, WeightsError, CorruptRecord, ObjectNotFound):
            return  # the fine-tune reports the error if the model is chosen anyway
        features, image_s = pooled_features(
            network,
            entry,
            self.dataset,
            sample.indices,
            resolution,
            precision_for(network),
            # With the step clock, results must not depend on the speed of the machine.
            (lambda: True) if is_steps else self.may_go_on,
        )
        measured_s = 0.0 if is_steps else image_s
        _judge(found, entry, resolution, features, sample.first(len(features)), measured_s)


def _judge(
    found: Probed,
    entry: ZooEntry,
    resolution: int,
    features: Tensor,
    sample: Sample,
    image_s: float = 0.0,
) -> None:
    probe = fit_probe(entry, resolution, features, sample, image_s)
    if probe is not None:
        found.probes.append(probe)
        found.features[entry.name, resolution] = known_features(sample, features)


def _most_promising(
    zoo: Zoo, times: TaskTimes, task: Task, timer: Clock, config: ProbeConfig
) -> list[tuple[str, list[int]]]:
    """Return models by the expected accuracy of their heads alone, best first, with resolutions.

    The first resolution is that of the best head that fits into the limit; smaller ones follow.
    Models whose best head is expected to be worse than the best by more than `config.worse_by` are
    left out.
    """
    spent_s = timer.elapsed_s() + FineTuneConfig().margin_s(task.time_limit_s)
    budget = Budget(seconds=task.time_limit_s - spent_s)
    try:
        heads = grid_candidates(RegimeSpace.heads(), times, budget)
    except TimeLimitError:
        return []
    heads = for_task(heads, task.meta_features, task_name(task), zoo.entries)
    expected = DefaultPrior.packaged().log_odds(heads)
    best: dict[str, tuple[float, int]] = {}
    for index in np.argsort(-expected, kind="stable"):
        found = (float(expected[index]), int(heads.resolution[index]))
        best.setdefault(heads.model[index], found)
    first = max(value for value, _ in best.values())
    return [
        (
            model,
            [
                r
                for r in reversed(admitted_resolutions(zoo.entry(model), times.image_resolution))
                if r <= resolution
            ],
        )
        for model, (value, resolution) in best.items()
        if value > first - config.worse_by
    ]


def features_for(
    features: Mapping[tuple[str, int], KnownFeatures] | None, regime: Regime
) -> KnownFeatures | None:
    """Return the pooled features of a probe, for a regime that trains the head alone; else None."""
    if features is None or regime.frozen_stages != HEAD_ONLY:
        return None
    return features.get((regime.model, regime.resolution))
