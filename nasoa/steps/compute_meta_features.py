"""Step 1 of a task: read the data, compute the meta-features and probe models."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from nasoa.arch import StagedNetwork
from nasoa.config import CheckTime, DataConfig, DescribeConfig, ProbeConfig, untimed
from nasoa.cores import num_cores
from nasoa.data import ImageDataset, fingerprint, load_dataset
from nasoa.data.dataset import DiskSplit
from nasoa.data.shrinking import small_images
from nasoa.duration import parse_duration
from nasoa.errors import MOST_NAMES, InvalidInput
from nasoa.online.task.meta_features import meta_features, sample_indices, sample_size
from nasoa.online.task.mirror_safety import mirror_safe
from nasoa.online.task.pooled_features import timed_extract
from nasoa.online.task.probe import Sample
from nasoa.online.task.source_features import SourceFeatures
from nasoa.records import MetaFeatures, Task
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.naming import new_task_id
from nasoa.steps.probing import probe_models
from nasoa.steps.sources import source_store
from nasoa.steps.task_session import TaskSession
from nasoa.training.clock import Clock
from nasoa.training.hardware import hardware_key, using_threads
from nasoa.training.inputs import EVAL_BATCH
from nasoa.training.linear_head import pass_s
from nasoa.training.precision import best_precision
from nasoa.training.timing import TimedSteps
from nasoa.work_progress import reported
from nasoa.zoo.entries import DEPTHWISE_MODEL, REFERENCE_MODEL, SOURCE_FEATURES, packaged_zoo
from nasoa.zoo.networks import load_network
from nasoa.zoo.step_times import StepTimes

# Training steps of each kind that are timed; fewer if they take longer than this.
NUM_STEPS = 3
LONGEST_STEPS_S = 0.3


def read_data(data: str, seed: int, check_time: CheckTime = untimed) -> ImageDataset:
    """Read DATA at the resolution of its images, at most 224 px.

    Batches are resized later, to what each network needs. Data in a bucket are read with the
    store's credentials.

    Args:
        data: DATA, as on the command line.
        seed: random seed for splits.
        check_time: called while data are read; raises if reading would take too long.
    """
    config = DataConfig(check_time=check_time, workers=max(DataConfig.workers, num_cores()))
    return load_dataset(data, seed=seed, config=config, source_store=source_store(data))


def read_unchanged(task: Task, check_time: CheckTime = untimed) -> ImageDataset:
    """Read the data of a resumed task, and check that they have not changed since it started.

    Args:
        task: the task, with its DATA and their fingerprint.
        check_time: called while data are read; raises if reading would take too long.

    Raises:
        DataError: DATA can no longer be read.
        InvalidInput: the data have changed; the message describes how.
    """
    is_same = not task.fingerprint or _fingerprint(task.data) == task.fingerprint
    dataset = read_data(task.data, task.seed, check_time)
    change = difference(task, dataset)
    if change or not is_same:
        detail = f"there are {change}: " if change else ""
        raise InvalidInput(
            f"expected {task.data} as it was when task {task.task_id} started, but {detail}files "
            "were added, removed or changed since; leave out --resume to start over"
        )
    return dataset


def difference(task: Task, dataset: ImageDataset) -> str:
    """Describe how classes or image counts have changed; "" if they have not."""
    before, now = task.class_names, dataset.class_names
    if before != now:
        gone = [name for name in before if name not in now]
        new = [name for name in now if name not in before]
        parts = [f"new classes {_first(new)}"] if new else []
        parts += [f"no classes {_first(gone)} any more"] if gone else []
        return " and ".join(parts) or "the same classes in another order"
    counts = (task.num_train, task.num_val, task.num_test)
    found = (len(dataset.train), len(dataset.val), len(dataset.test))
    if counts != found:
        return f"{sum(found)} images instead of {sum(counts)}"
    return ""


def _first(names: Sequence[str]) -> str:
    """Join the first names for a message."""
    more = len(names) - MOST_NAMES
    return ", ".join(map(repr, names[:MOST_NAMES])) + (f" and {more} more" if more > 0 else "")


def _fingerprint(data: str) -> str:
    return fingerprint(data, source_store(data))


def compute_meta_features(
    session: TaskSession, data: str, time_limit: str | float, *, seed: int = 0
) -> Task:
    """Read a data set and describe it as a task.

    The session keeps the data set and the features that were computed to probe models.

    Args:
        session: session of the task.
        data: DATA, as on the command line.
        time_limit: seconds, or a duration like `60s`.
        seed: random seed for splits and samples.

    Raises:
        DataError: the data cannot be read.
        TimeLimitError: the limit is invalid, or is over before the task is described.
    """
    limit_s = parse_duration(time_limit)
    session.clock()
    _ = session.zoo  # reports an unknown model before any data are read
    session.dataset = read_data(data, seed, session.reading_limit(data, limit_s))
    return describe(session, session.dataset, limit_s, seed=seed)


def describe(session: TaskSession, dataset: ImageDataset, limit_s: float, *, seed: int) -> Task:
    """Return the task of a data set that is already read, with a time limit in seconds."""
    with using_threads(session.threads):
        return _described(session, dataset, limit_s, seed=seed)


def _described(session: TaskSession, dataset: ImageDataset, limit_s: float, *, seed: int) -> Task:
    clock, zoo = session.clock(), session.zoo
    measured, safe, sample = measure_task(dataset, seed, clock, lambda: session.check_time(limit_s))
    is_wall = session.clock_name == "wall"
    step_s, small_step_s, depthwise_step_s = _timed_steps() if is_wall else (0.0, 0.0, 0.0)
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
        resolution=dataset.image_resolution,
        meta_features=measured,
        mirror_safe=safe,
        used_s=clock.elapsed_s(),
        clock=session.clock_name,
        hardware=hardware_key(),
        reference_image_s=sample.reference_image_s if is_wall else 0.0,
        reference_step_s=step_s,
        small_step_s=small_step_s,
        depthwise_step_s=depthwise_step_s,
        fit_pass_s=_fit_pass_s(len(dataset.class_names)) if is_wall else 0.0,
        loading_image_s=sample.loading_image_s if is_wall else 0.0,
        fingerprint=_fingerprint(dataset.data),
        method=session.method.name,
        energy=session.energy(),
    )
    if not session.method.probes:
        return task
    times = zoo_steps.task_times(session.store, zoo, task)
    found = probe_models(zoo, times, task, dataset, sample, clock, ProbeConfig())
    # With the step clock, a task must cost the same whether or not its steps share a process.
    session.features = found.features if is_wall else None
    session.check_time(limit_s)
    probes, used_s = tuple(found.probes), clock.elapsed_s()
    return replace(task, probes=probes, used_s=used_s, energy=session.energy())


def measure_task(
    dataset: ImageDataset, seed: int, timer: Clock, check_time: Callable[[], None] = lambda: None
) -> tuple[MetaFeatures, bool, Sample]:
    """Return the meta-features, whether mirroring is safe, and a sample for probing models.

    `check_time` is called between the parts of the work; it raises when the time is over.
    """
    config = DescribeConfig()
    labels = dataset.train.labels.numpy()
    rng = np.random.default_rng(seed)
    groups = None if dataset.train.groups is None else dataset.train.groups.numpy()
    num_classes = len(dataset.class_names)
    most = int(sample_size(num_classes))
    chosen = torch.from_numpy(sample_indices(labels, config.per_class, most, rng, groups))
    # The packaged model, even if the store has another of the same name: the source features that
    # these are compared with were computed by it.
    zoo = packaged_zoo()
    entry = zoo.entry(REFERENCE_MODEL)
    network = load_network(entry, zoo.weights(REFERENCE_MODEL))
    began_s = time.monotonic()
    images = small_images(dataset.train, chosen, entry.resolution, check_time)
    read_s = time.monotonic() - began_s if isinstance(dataset.train, DiskSplit) else 0.0

    def batches() -> Iterator[torch.Tensor]:
        for batch in reported(images.split(EVAL_BATCH), "batches of a sample"):
            check_time()
            yield batch

    features, image_s = timed_extract(network, entry, batches(), entry.resolution, best_precision())
    check_time()
    timer.charge(len(chosen) * StepTimes.of([]).eval_image_s(entry, entry.resolution))
    source = SourceFeatures.from_bytes(SOURCE_FEATURES.read_bytes())
    sampled = dataset.train.labels[chosen]
    measured = meta_features(
        labels,
        num_classes,
        features.numpy(),
        sampled.numpy(),
        source_means=source.means,
        source_weights=source.weights,
        image_resolution=dataset.image_resolution,
    )
    check_time()
    safe = _is_mirror_safe(dataset, chosen, images, rng, check_time)
    order = torch.from_numpy(rng.permutation(len(chosen)))
    sample = Sample(
        indices=chosen[order],
        labels=sampled[order],
        reference=features[order],
        reference_image_s=image_s,
        loading_image_s=read_s / len(chosen),
    )
    return measured, safe, sample


def _timed_steps() -> tuple[float, float, float]:
    """Return the seconds of three training steps here, in which all is trained.

    They are those of the reference model, on images of its resolution and on small ones, and of a
    network of depthwise convolutions on small ones.

    Processors differ in how much longer a step takes than computing features, on small images, and
    for depthwise convolutions.
    """
    zoo, small = packaged_zoo(), zoo_steps.SMALL_RESOLUTION
    dense, depthwise = (
        load_network(zoo.entry(name), zoo.weights(name))
        for name in (REFERENCE_MODEL, DEPTHWISE_MODEL)
    )
    return (
        _step_s(dense, zoo.entry(REFERENCE_MODEL).resolution),
        _step_s(dense, small),
        _step_s(depthwise, small),
    )


def _fit_pass_s(num_classes: int) -> float:
    """Return the seconds of a pass of a fit of a head to features here, the median of three."""
    device = best_precision().device
    return statistics.median(
        pass_s(*zoo_steps.FIT_PASS, num_classes, time.monotonic, device) for _ in range(3)
    )


def _step_s(network: StagedNetwork, resolution: int) -> float:
    timed = TimedSteps(
        network,
        frozen_stages=-1,
        resolution=resolution,
        batch_size=zoo_steps.PROFILED_BATCH,
        longest_s=LONGEST_STEPS_S,
    )
    return timed.step_s(NUM_STEPS)


def _is_mirror_safe(
    dataset: ImageDataset,
    sample: torch.Tensor,
    images: torch.Tensor,
    rng: np.random.Generator,
    check_time: Callable[[], None],
) -> bool:
    """Return whether mirrored images keep their class, by the sample or by a larger one.

    Args:
        dataset: the data set.
        sample: `(n,)` indices of training images, by class.
        images: `(n, 3, r, r)` these images.
        rng: random generator of the larger sample, which is used if images need not be decoded.
        check_time: called between batches; raises if the time is over.
    """
    labels, config = dataset.train.labels, DescribeConfig()
    if not isinstance(dataset.train, DiskSplit):
        larger = sample_indices(labels.numpy(), config.mirrored_per_class, config.max_mirrored, rng)
        sample = torch.from_numpy(larger)
        images = small_images(dataset.train, sample, images.shape[-1], check_time)
    # Unshuffled, whole classes would fall into one half of the test.
    order = torch.from_numpy(rng.permutation(len(sample)))
    return mirror_safe(images[order], labels[sample[order]], len(dataset.class_names))
