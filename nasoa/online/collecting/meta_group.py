"""Running a group of meta-training runs that share frozen features."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.config import FineTuneConfig
from nasoa.data import ImageDataset
from nasoa.online.collecting.group_plan import PlannedGroup
from nasoa.online.collecting.meta_run import Measured, Origin, records_of
from nasoa.online.collecting.meta_train import HORIZONLESS, PlannedRun, doublings
from nasoa.online.task.probe import Sample, fit_probe
from nasoa.online.tuning.finetune import FineTuned, finetune
from nasoa.online.tuning.first_head import FittedHeads
from nasoa.online.tuning.job import Job, Known, Listeners
from nasoa.records import HEAD_ONLY, CollectedRecord, Probe, Regime, ZooEntry
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.precision import Precision
from nasoa.training.run import FREE

RUN_NUMBERS_PER_TASK = 100  # run numbers reserved for a group, and for each of its smaller tasks
FIRST_EVALUATION = 10  # iterations before the first intermediate evaluation; then at doublings
SPLITS = ("val", "train", "test")


@dataclass(frozen=True, kw_only=True)
class GroupWork:
    """Data shared by the runs of a group.

    Args:
        group: plan of the group.
        part: images of the group.
        measured: measurements of the part.
        sample: training images with the reference model's features, for the probe.
        entry: the model.
        network: returns a new network with pretrained weights and a head for the part's classes.
        precision: device and number format to compute with.
        limit_s: seconds after which a training ends.
        smaller: tasks among the images of `part`, which is their data set.
    """

    group: PlannedGroup
    part: ImageDataset
    measured: Measured
    sample: Sample
    entry: ZooEntry
    network: Callable[[], StagedNetwork]
    precision: Precision
    limit_s: float
    smaller: tuple[GroupWork, ...] = ()


Caches = dict[int, tuple[CachedFeatures, float]]
Positions = list[tuple[int, Regime]]


def collect_group(work: GroupWork, origin: Origin) -> list[CollectedRecord]:
    """Run a group and return the records; heads on too few images are skipped."""
    records: list[CollectedRecord] = []
    for resolution, regimes in _by_resolution(work).items():
        caches = _caches(work, resolution, regimes)
        for number, task in enumerate(work.smaller, start=1):
            own = {depth: _of_task(task, resolution, cache) for depth, cache in caches.items()}
            later = [
                (RUN_NUMBERS_PER_TASK * number + i, r) for i, r in _by_resolution(task)[resolution]
            ]
            records += _at_resolution(task, resolution, later, own, origin)
        records += _at_resolution(work, resolution, regimes, caches, origin)
    return records


def _by_resolution(work: GroupWork) -> dict[int, Positions]:
    """Return the regimes by resolution, each with its position in the group."""
    positions = enumerate(work.group.regimes)
    found = groupby(positions, key=lambda pair: pair[1].resolution)
    return {resolution: list(pairs) for resolution, pairs in found}


def _caches(work: GroupWork, resolution: int, regimes: Positions) -> Caches:
    """Return features for a head alone, and for the last stage if it is trained."""
    if all(regime.frozen_stages == HEAD_ONLY for _, regime in regimes):
        return {HEAD_ONLY: _filled(work, resolution, HEAD_ONLY)}
    deepest, seconds = _filled(work, resolution, HEAD_ONLY - 1)
    pooled = _pooled(work, resolution, deepest)
    return {HEAD_ONLY - 1: (deepest, seconds), HEAD_ONLY: (pooled, seconds)}


def _of_task(
    task: GroupWork, resolution: int, whole: tuple[CachedFeatures, float]
) -> tuple[CachedFeatures, float]:
    """Extract the features of a smaller task from the group's, with their fraction of the time."""
    cache, seconds = whole
    prefix = nn.Sequential()
    own = CachedFeatures(_images(task, resolution, prefix), pooled=cache.pooled)
    for split, side in _halves(own):
        rows = getattr(task.part, split).rows
        for indices in torch.arange(len(rows)).split(256):
            own.put(split, indices, cache.features(split, rows[indices], side), side)
    images = [sum(map(own.count, SPLITS)), sum(map(cache.count, SPLITS))]
    return own, seconds * images[0] / images[1]


def _at_resolution(
    work: GroupWork, resolution: int, regimes: Positions, caches: Caches, origin: Origin
) -> list[CollectedRecord]:
    """Run the regimes of one resolution, each with its position in the group."""
    probe = _probe(work, resolution, caches[HEAD_ONLY][0])
    records: list[CollectedRecord] = []
    heads: FittedHeads | None = None
    for position, regime in regimes:
        depth = regime.frozen_stages
        if depth == HEAD_ONLY and not is_useful(regime, work.part):
            continue
        if regime.cached_features and depth not in caches:
            # Features of other depths are not needed any more, and are large.
            caches = {depth: _filled(work, resolution, depth)}
        cached = caches[depth] if regime.cached_features else (None, 0.0)
        tuned, found = _run(work, position, regime, cached, probe, origin, heads)
        records += found
        heads = heads or tuned.heads
    return records


def is_useful(head: Regime, part: ImageDataset) -> bool:
    """Return whether a head has one image per class on average, and fewer than all images."""
    images = head.iterations * head.batch_size
    return head.fills_limit or len(part.class_names) <= images < len(part.train)


def _run(
    work: GroupWork,
    position: int,
    regime: Regime,
    cached: tuple[CachedFeatures | None, float],
    probe: Probe | None,
    origin: Origin,
    heads: FittedHeads | None,
) -> tuple[FineTuned, list[CollectedRecord]]:
    counts = doublings(FIRST_EVALUATION, regime.iterations)
    run = PlannedRun(
        number=work.group.number,
        dataset=work.group.dataset,
        seed=work.group.seed,
        regime=regime,
        checkpoints=counts if regime.lr_schedule == HORIZONLESS else counts[-1:],
    )
    network = work.network()
    cache, cache_s = cached
    clock = WallClock()
    job = Job(
        network=network,
        data=work.part,
        regime=regime,
        entry=work.entry,
        mirror_safe=work.measured.mirror_safe,
        precision=work.precision,
        seed=run.seed,
    )
    tuned = finetune(
        job,
        Deadline(clock, work.limit_s),
        FREE,
        known=Known(cache=cache, heads=heads),
        listeners=Listeners(evaluate_at=run.checkpoints[:-1]),
    )
    found = records_of(
        run,
        tuned,
        clock.elapsed_s(),
        part=work.part,
        measured=replace(work.measured, probe=probe),
        entry=work.entry,
        origin=replace(origin, run_id=f"{origin.run_id}.{position}"),
    )
    # On its own, the run would have had to compute the features.
    return tuned, [replace(r, elapsed_s=round(r.elapsed_s + cache_s, 3)) for r in found]


def _filled(work: GroupWork, resolution: int, depth: int) -> tuple[CachedFeatures, float]:
    """Return the cache of all splits and sides at a depth, and the seconds it took to compute."""
    started = time.monotonic()
    prefix, _trainable = split_network(work.network(), depth)
    cache = CachedFeatures(_images(work, resolution, prefix), pooled=depth == HEAD_ONLY)
    for split, side in _halves(cache):
        for _images_done in cache.fill(split, side):
            pass
    return cache, time.monotonic() - started


def _pooled(work: GroupWork, resolution: int, deepest: CachedFeatures) -> CachedFeatures:
    """Return the cache for a head alone, computed from that of the last stage's inputs."""
    network = work.network()
    prefix, _head = split_network(network, HEAD_ONLY)
    cache = CachedFeatures(_images(work, resolution, prefix), pooled=True)
    last = FrozenPrefix(nn.Sequential(network.parts[HEAD_ONLY]), work.precision)
    for split, side in _halves(cache):
        for indices in torch.arange(cache.count(split)).split(256):
            maps = last(deepest.features(split, indices, side)).float()
            cache.put(split, indices, maps.mean(dim=(2, 3), keepdim=True), side)
    return cache


def _halves(cache: CachedFeatures) -> Iterator[tuple[str, int]]:
    return ((split, side) for split in SPLITS for side in range(cache.sides))


def _images(work: GroupWork, resolution: int, prefix: nn.Sequential) -> ImageInputs:
    config = InputConfig(
        resolution=resolution,
        mean=work.entry.mean,
        std=work.entry.std,
        batch_size=work.group.regimes[0].batch_size,
        flip=work.measured.mirror_safe,
        min_scale=FineTuneConfig().min_scale,
        seed=work.group.seed,
    )
    return ImageInputs(work.part, prefix, config, work.precision)


def _probe(work: GroupWork, resolution: int, pooled: CachedFeatures) -> Probe | None:
    features = pooled.features("train", work.sample.indices).flatten(1)
    return fit_probe(work.entry, resolution, features, work.sample)
