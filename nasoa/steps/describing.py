"""Step 1 of a task: read the data and measure its meta-features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from nasoa.config import DescribeConfig, ProbeConfig
from nasoa.data import ImageDataset, fingerprint, load_dataset
from nasoa.errors import InvalidInput
from nasoa.online.task.meta_features import meta_features, sample_indices
from nasoa.online.task.mirror_safety import mirror_safe
from nasoa.online.task.pooled_features import timed_extract
from nasoa.online.task.probe import KnownFeatures, Sample
from nasoa.online.task.source_features import SourceFeatures
from nasoa.records import MetaFeatures, Task
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.naming import new_task_id
from nasoa.steps.probing import probe_models
from nasoa.steps.sources import source_store
from nasoa.store import ArtifactStore
from nasoa.training.clock import Clock
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.training.inputs import EVAL_BATCH
from nasoa.training.precision import best_precision
from nasoa.zoo.entries import REFERENCE_MODEL, SOURCE_FEATURES, packaged_zoo
from nasoa.zoo.networks import load_network
from nasoa.zoo.step_times import StepTimes


def read_data(data: str, seed: int) -> ImageDataset:
    """DATA at the size of its images, at most 224 px; networks take it at any size.

    What lies in a bucket is read with the store's credentials.
    """
    return load_dataset(data, seed=seed, source_store=source_store(data))


def check_unchanged(task: Task) -> None:
    """Make sure that a task goes on with the data that it began with.

    Raises:
        InvalidInput: DATA has changed.
    """
    if task.fingerprint and _fingerprint(task.data) != task.fingerprint:
        raise InvalidInput(
            f"expected {task.data} as it was when task {task.task_id} began, but files were added, "
            "removed or changed since; leave out --resume to begin anew"
        )


def _fingerprint(data: str) -> str:
    return fingerprint(data, source_store(data))


@dataclass(frozen=True)
class Described:
    """A task, and the features that its probes left, by model and resolution."""

    task: Task
    features: Mapping[tuple[str, int], KnownFeatures]


def describe(
    store: ArtifactStore,
    dataset: ImageDataset,
    limit_s: float,
    *,
    seed: int,
    clock: str,
    timer: Clock,
    threads: int = 0,
    models: Sequence[str] = (),
) -> Described:
    """See `nasoa.steps.online.compute_meta_features`; `dataset` is from `read_data`.

    `threads` is of torch, 0 takes all cores; of the zoo only `models` are probed, all by default.
    """
    use_threads(threads)
    zoo = zoo_steps.chosen_zoo(store, models)
    measured, safe, sample = measure_task(dataset, seed, timer)
    task = Task(
        task_id=new_task_id(dataset.name),
        data=dataset.data,
        dataset=dataset.name,
        time_limit_s=limit_s,
        seed=seed,
        class_names=dataset.class_names,
        num_train=len(dataset.train),
        num_val=len(dataset.val),
        num_test=len(dataset.test),
        resolution=dataset.native_resolution,
        meta_features=measured,
        mirror_safe=safe,
        used_s=timer.elapsed_s(),
        clock=clock,
        hardware=hardware_key(),
        reference_image_s=sample.reference_image_s if clock == "wall" else 0.0,
        fingerprint=_fingerprint(dataset.data),
    )
    times = zoo_steps.task_times(store, zoo, task)
    found = probe_models(zoo, times, task, dataset, sample, timer, ProbeConfig())
    task = replace(task, probes=tuple(found.probes), used_s=timer.elapsed_s())
    return Described(task, found.features)


def measure_task(
    dataset: ImageDataset, seed: int, timer: Clock
) -> tuple[MetaFeatures, bool, Sample]:
    """Meta-features, whether mirror images are safe, and a sample to probe models on."""
    config = DescribeConfig()
    labels = dataset.train.labels.numpy()
    rng = np.random.default_rng(seed)
    chosen = torch.from_numpy(sample_indices(labels, config.per_class, config.max_images, rng))
    # The package's own, even where the store has a model of that name: the source's features,
    # which are compared with, are from it.
    zoo = packaged_zoo()
    entry = zoo.entry(REFERENCE_MODEL)
    network = load_network(entry, zoo.weights(REFERENCE_MODEL))
    precision = best_precision()
    small = dataset.at(entry.resolution)
    batches = [small.train.images(indices) for indices in chosen.split(EVAL_BATCH)]
    features, image_s = timed_extract(network, entry, batches, entry.resolution, precision)
    timer.charge(len(chosen) * StepTimes.of([]).eval_image_s(entry, entry.resolution))
    source = SourceFeatures.from_bytes(SOURCE_FEATURES.read_bytes())
    num_classes = len(dataset.class_names)
    sampled = dataset.train.labels[chosen]
    measured = meta_features(
        labels,
        num_classes,
        features.numpy(),
        sampled.numpy(),
        source_means=source.means,
        source_weights=source.weights,
    )
    safe = _is_mirror_safe(small, config, rng)
    order = torch.from_numpy(rng.permutation(len(chosen)))
    sample = Sample(
        indices=chosen[order],
        labels=sampled[order],
        reference=features[order],
        reference_image_s=image_s,
    )
    return measured, safe, sample


def _is_mirror_safe(
    dataset: ImageDataset, config: DescribeConfig, rng: np.random.Generator
) -> bool:
    labels = dataset.train.labels
    chosen = sample_indices(labels.numpy(), config.mirrored_per_class, config.max_mirrored, rng)
    # In order of classes, whole classes would fall into one half of the test.
    shuffled = torch.from_numpy(rng.permutation(chosen))
    return mirror_safe(dataset.train.images(shuffled), labels[shuffled], len(dataset.class_names))
