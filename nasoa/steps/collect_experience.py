"""Collect experience on meta-training data sets (the offline part of Algorithm 3)."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

import nasoa
from nasoa.data import ImageDataset
from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.online.choice.ranking import Ranker
from nasoa.online.collecting.group_plan import (
    PlannedGroup,
    part_of_group,
    plan_group,
    plan_smaller_tasks,
    smaller_task,
)
from nasoa.online.collecting.meta_group import GroupWork, collect_group
from nasoa.online.collecting.meta_run import Measured, Origin, collect
from nasoa.online.collecting.meta_train import (
    MetaTrainConfig,
    PlannedRun,
    PlannedTask,
    part_of_task,
    plan_run,
    plan_task,
    random_part,
)
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.probe_columns import nearest_probe
from nasoa.online.task.probe import fit_probe, pooled_features
from nasoa.online.task.task_name import task_name
from nasoa.records import CollectedRecord, from_json, to_json
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.compute_meta_features import describe, measure_task, read_data
from nasoa.steps.learning import packaged_predictor
from nasoa.steps.predict_regime import feasible_candidates
from nasoa.steps.task_session import TaskSession
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.training.clock import WallClock
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.training.precision import precision_for
from nasoa.zoo.entries import Zoo
from nasoa.zoo.networks import load_network

logger = logging.getLogger(__name__)

DATASETS_IN_MEMORY = 32  # a few thousand images of 64 px take some tens of MB


@dataclass(frozen=True, kw_only=True)
class Collection:
    """A collection of experience.

    Args:
        name: name of the collection in the store.
        datasets: DATA of each meta-training data set.
        models: names of zoo models; all that can be built by default.
    """

    name: str
    datasets: Sequence[str]
    models: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class CollectionBudget:
    """When collecting stops; 0 means no limit, and at least one limit is required.

    Args:
        runs: total number of runs, including those made by earlier calls.
        seconds: duration of this call.
    """

    runs: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.runs < 0 or self.seconds < 0 or not (self.runs or self.seconds):
            raise InvalidInput(
                f"expected a budget of runs or of time above 0, got {self.runs} runs and "
                f"{self.seconds:g} s"
            )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What determines a run, together with its number.

    `datasets` holds the last path component of each DATA, because the folders above it may differ
    between workers.
    """

    datasets: tuple[str, ...]
    models: tuple[str, ...]
    config: MetaTrainConfig


def collect_experience(
    store_uri: str,
    collection: Collection,
    *,
    config: MetaTrainConfig,
    budget: CollectionBudget,
    shard: tuple[int, int] = (0, 1),
    threads: int = 0,
    report: Callable[[int, Sequence[CollectedRecord]], None] | None = None,
) -> int:
    """Make the missing runs of a collection, one after another, and return how many were made.

    Concurrent calls with different shards never make the same run.

    Args:
        store_uri: the store of the collection.
        collection: its name, data sets and models.
        config: what runs are sampled from.
        budget: when to stop.
        shard: `(i, k)` makes every k-th run, starting with run i.
        threads: number of threads of this process; 0 uses all cores.
        report: called after every run with its number and records.

    Raises:
        InvalidInput: `shard` is invalid, or the collection was started with other data sets,
            models or settings.
    """
    index, shards = shard
    if not 0 <= index < shards:
        raise InvalidInput(f"expected a shard i of k with 0 <= i < k, got {index} of {shards}")
    use_threads(threads)
    name, datasets, models = collection.name, collection.datasets, collection.models
    store = open_store(store_uri)
    zoo = zoo_steps.load_zoo(store)
    entries = {m: zoo.entry(m) for m in models} if models else zoo.buildable().entries
    # Sorted, because tasks are sampled from the candidates in the order of the models.
    chosen = Zoo({name: entries[name] for name in sorted(entries)}, zoo.readers)
    names = tuple(data.rstrip("/").rpartition("/")[2] for data in datasets)
    plan = Plan(datasets=names, models=tuple(chosen.entries), config=config)
    if store.list(keys.collection_plan(name)):
        _keep_to(store, name, plan)
    done = set(store.list(keys.collection(name)))
    ends = time.monotonic() + budget.seconds if budget.seconds else float("inf")
    made, number = 0, index
    while (not budget.runs or number < budget.runs) and time.monotonic() < ends:
        key = keys.collected_run(name, number)
        if key not in done:
            records = _make(number, f"{name}-{number:06d}", datasets, store, chosen, config)
            # Only now, so that unreadable data do not start a collection.
            _keep_to(store, name, plan)
            store.put_if_absent(key, to_json(records))
            made += 1
            if report:
                report(number, records)
        number += shards
    return made


def _keep_to(store: ArtifactStore, name: str, plan: Plan) -> None:
    """Store the plan of a new collection, or check that an existing one has the same plan."""
    key = keys.collection_plan(name)
    if store.put_if_absent(key, to_json(plan)):
        return
    first = from_json(store.get(key), Plan, key)
    known, given = ({**vars(p), **vars(p.config)} for p in (first, plan))
    for what in known:
        if what != "config" and known[what] != given[what]:
            raise InvalidInput(
                f"collection {name!r} was started with {what} {known[what]}, got {given[what]}; "
                "use the same, or another --name"
            )


def _make(
    number: int,
    run_id: str,
    datasets: Sequence[str],
    store: ArtifactStore,
    zoo: Zoo,
    config: MetaTrainConfig,
) -> list[CollectedRecord]:
    origin = Origin(run_id=run_id, hardware=hardware_key(), code_version=nasoa.__version__)
    if config.groups:
        sizes = [_dataset(data).image_resolution for data in datasets]
        return _group(plan_group(number, datasets, zoo.entries, sizes, config), zoo, config, origin)
    found = (
        _task_run(
            plan_task(number, datasets, config.limits_s, config.seed), store, zoo, config.heads
        )
        if config.limits_s
        else _random_run(plan_run(number, datasets, zoo.entries, config), zoo)
    )
    if found is None:
        return []
    run, part, measured = found
    entry = zoo.entry(run.regime.model)
    torch.manual_seed(run.seed)
    network = load_network(entry, zoo.weights(entry.name), len(part.class_names))
    return collect(
        run,
        part,
        measured,
        entry,
        network,
        limit_s=config.run_limit_s,
        origin=origin,
    )


def _group(
    group: PlannedGroup, zoo: Zoo, config: MetaTrainConfig, origin: Origin
) -> list[CollectedRecord]:
    """Make all runs of a group."""
    part = part_of_group(_dataset(group.dataset), group, config.group_images)
    work = _work(group, part, zoo, config)
    smaller = tuple(
        _work(planned, smaller_task(part, planned.seed), zoo, config, work.measured.mirror_safe)
        for planned in plan_smaller_tasks(group, config)
    )
    return collect_group(replace(work, smaller=smaller), origin)


def _work(
    group: PlannedGroup,
    part: ImageDataset,
    zoo: Zoo,
    config: MetaTrainConfig,
    mirror_safe: bool | None = None,
) -> GroupWork:
    """Return what the runs of a group, or of a smaller task in a group, share.

    Args:
        group: the planned group.
        part: its images.
        zoo: a zoo with the model of the group.
        config: settings of the collection.
        mirror_safe: whether mirroring images is safe; measured by default.
    """
    meta_features, safe, sample = measure_task(part, group.seed, WallClock())
    entry = zoo.entry(group.regimes[0].model)
    torch.manual_seed(group.seed)
    network = load_network(entry, zoo.weights(entry.name), len(part.class_names))
    mirrors = safe if mirror_safe is None else mirror_safe
    return GroupWork(
        group=group,
        part=part,
        measured=Measured(meta_features=meta_features, mirror_safe=mirrors),
        sample=sample,
        entry=entry,
        network=lambda: copy.deepcopy(network),
        precision=precision_for(network),
        limit_s=config.run_limit_s,
    )


def _random_run(run: PlannedRun, zoo: Zoo) -> tuple[PlannedRun, ImageDataset, Measured]:
    """Return a run with its random part of a data set, and what was measured of that part."""
    part = random_part(_dataset(run.dataset), run.seed)
    meta_features, safe, sample = measure_task(part, run.seed, WallClock())
    regime, entry = run.regime, zoo.entry(run.regime.model)
    network = load_network(entry, zoo.weights(entry.name))
    features, _image_s = pooled_features(
        network, entry, part, sample.indices, regime.resolution, precision_for(network)
    )
    probe = fit_probe(entry, regime.resolution, features, sample)
    return run, part, Measured(meta_features=meta_features, mirror_safe=safe, probe=probe)


def _task_run(
    planned: PlannedTask, store: ArtifactStore, zoo: Zoo, heads: bool
) -> tuple[PlannedRun, ImageDataset, Measured] | None:
    """Choose the run of a task; None if no regime fits the limit.

    Args:
        planned: the task.
        store: for step times.
        zoo: models to choose from.
        heads: whether the head alone may be trained.

    Returns:
        The run, the images of the task, and what was measured of them.
    """
    part = part_of_task(_dataset(planned.dataset), planned)
    session = TaskSession(
        store, clock="steps", models=tuple(zoo.entries), threads=torch.get_num_threads()
    )
    task = describe(session, part, planned.limit_s, seed=planned.seed)
    try:
        candidates = feasible_candidates(store, zoo, task, task.used_s)
    except TimeLimitError:
        return None
    if not heads:
        candidates = candidates.take(np.flatnonzero(~candidates.is_head))
    if not len(candidates):
        return None
    rng = np.random.default_rng(planned.seed)
    count = min(planned.num_drawn, len(candidates))
    some = candidates.take(rng.choice(len(candidates), size=count, replace=False))
    predictor = packaged_predictor() if planned.by_experience else ExperiencePredictor()
    ranker = Ranker(predictor, task.meta_features, task_name(task), zoo.entries, task.probes)
    best = ranker.rank(some, 1).candidates[0].regime
    run = PlannedRun(
        number=planned.number,
        dataset=planned.dataset,
        seed=planned.seed,
        regime=replace(best, fills_limit=False),
        checkpoints=(best.iterations,),
    )
    measured = Measured(
        meta_features=task.meta_features,
        mirror_safe=task.mirror_safe,
        probe=nearest_probe(task.probes, best.model, best.resolution),
    )
    return run, part, measured


@lru_cache(maxsize=DATASETS_IN_MEMORY)
def _dataset(data: str) -> ImageDataset:
    """Read a data set at the resolution of its images; each batch is resized as needed."""
    return read_data(data, seed=0)
