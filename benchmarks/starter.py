"""Measure the value of the starter predictor on test tasks that it never saw, at several limits.

    python -m benchmarks.starter FOLDER choose    # write what each way chooses
    python -m benchmarks.starter FOLDER run       # make the missing runs
    python -m benchmarks.starter FOLDER report    # print the table

Several processes, started alike, can share the first two, ideally each on its own core
(`taskset -c 0`): threads of several processes on the same cores wait for each other. Runs may be
made on another machine than choices if the folder of `--runs` is copied between them. Runs that are
in the result already are not repeated.

There are four ways to choose the regime, with the same fine-tune for all:

- starter: the predictor that comes with the package;
- no experience: a predictor that has learned nothing, so the default formula;
- best on average: for each limit the one configuration that is best on average over the data sets
  of the package's table, by the starter predictor, which has seen runs of all of these;
- random: a random regime that fits the limit.

Limits are on the step clock: steps count as long as they take on the idle reference machine, so a
result does not depend on the machine or its other load. If two ways choose the same regime for the
same task, limit and seed, the run is made once; so after a change of the predictor, only regimes
that it chooses differently are run again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.machine import RESULTS, machine
from benchmarks.starter_summary import accuracies, leads
from nasoa.data import ImageDataset
from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.online.choice.ranking import Ranker
from nasoa.online.collecting.starter import STATE, collected_runs
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import for_task
from nasoa.online.task.task_name import collected_names, task_name
from nasoa.records import (
    Candidate,
    CollectedRecord,
    MetaFeatures,
    Recommendation,
    Regime,
    Task,
    from_json,
    to_json,
)
from nasoa.steps.compute_meta_features import describe, read_data
from nasoa.steps.finetune import finetune
from nasoa.steps.learning import packaged_predictor
from nasoa.steps.predict_regime import feasible_candidates, predict_regime
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store
from nasoa.zoo.entries import Zoo, packaged_zoo

TASKS = ("food101", "cars196", "wbc4", "flowers5", "scene15")
LIMITS_S = (15.0, 45.0)
SEEDS = (0, 1, 2)
WAYS = ("starter", "no experience", "best on average", "random")
VAL_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one way chose, and its prediction."""

    regime: Regime
    predicted_accuracy: float

    @classmethod
    def of(cls, candidate: Candidate) -> Choice:
        """Return the choice of a candidate."""
        return cls(regime=candidate.regime, predicted_accuracy=candidate.predicted_accuracy)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The choices of all ways for one task, limit and seed; `asked` is the task they were given."""

    task: str
    limit_s: float
    seed: int
    asked: Task
    chosen: dict[str, Choice]


@dataclass(frozen=True, kw_only=True)
class Run:
    """The result of one regime."""

    iterations: int
    accuracy: float
    val_accuracy: float
    elapsed_s: float


def main() -> None:
    """Choose, make missing runs, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with food101.zip and the others")
    parser.add_argument("what", choices=("choose", "run", "report"))
    parser.add_argument("--runs", type=Path, default=Path("build/starter_runs"))
    parser.add_argument("--longest-first", action="store_true", help="make long runs first")
    parser.add_argument(
        "--limits", type=float, nargs="+", default=LIMITS_S, help="only these, in seconds"
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="run only these")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "starter.json")
    arguments = parser.parse_args()
    if arguments.what == "report":
        report(arguments.runs, arguments.output)
    elif arguments.what == "choose":
        for limit_s, seed, task in product(arguments.limits, SEEDS, TASKS):
            choose_all(_source(arguments.data, task), limit_s, seed, arguments.runs)
    else:
        restore(arguments.output, arguments.runs)
        asked = [c for c in chosen(arguments.runs) if c.limit_s in arguments.limits]
        for choices in sorted(asked, key=lambda c: c.limit_s, reverse=arguments.longest_first):
            source = _source(arguments.data, choices.task)
            run_all(source, choices, arguments.runs, arguments.ways)


def restore(output: Path, folder: Path) -> None:
    """Restore the runs of a result to their folder; they stay valid until weights change."""
    for row in json.loads(output.read_text())["runs"] if output.exists() else ():
        path = folder / "runs" / f"{row['run_id']}.json"
        if not path.exists():
            _write(path, to_json(Run(**{name: row[name] for name in Run.__annotations__})))


def _source(folder: Path, task: str) -> Path:
    """Return DATA of a task: its archive, or the folder that was in it."""
    archive = folder / f"{task}.zip"
    return archive if archive.exists() else folder / task


def choose_all(data: Path, limit_s: float, seed: int, folder: Path) -> None:
    """Choose in all ways, unless another process is doing it."""
    path = _choices_folder(folder) / f"{data.stem}-{limit_s:g}-{seed}.json"
    with _claimed(path) as is_own, tempfile.TemporaryDirectory() as store_folder:
        if not is_own:
            return
        dataset = _dataset(str(data), seed)
        session = TaskSession(open_store(store_folder), clock="steps")
        task = describe(session, dataset, limit_s, seed=seed)
        found = {way: Choice.of(choose(way, task, store_folder)) for way in WAYS}
        choices = Choices(task=task.dataset, limit_s=limit_s, seed=seed, asked=task, chosen=found)
        _write(path, to_json(choices))
        sys.stderr.write(f"{path.stem}: {found}\n")


def run_all(data: Path, choices: Choices, folder: Path, ways: Sequence[str] = WAYS) -> None:
    """Make the runs of these choices, except those already made or claimed by other processes."""
    for choice in (choices.chosen[way] for way in ways):
        path = _run_path(folder, choices, choice)
        with _claimed(path) as is_own, tempfile.TemporaryDirectory() as store_folder:
            if is_own:
                dataset = _dataset(str(data), choices.seed)
                run = _make(choices.asked, choice, dataset, store_folder, path.stem)
                _write(path, to_json(run))
                sys.stderr.write(f"{path.stem}: {choice.regime} {run}\n")


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Yield whether this process may make a file; the claim ends with the block or the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield not path.exists()


def chosen(folder: Path) -> list[Choices]:
    """Return the choices so far."""
    paths = sorted(_choices_folder(folder).glob("*.json"))
    return [from_json(path.read_bytes(), Choices, str(path)) for path in paths]


def _choices_folder(folder: Path) -> Path:
    """Return the folder of choices, which depends on the predictor."""
    return folder / "choices" / hashlib.sha256(STATE.read_bytes()).hexdigest()[:12]


def _run_path(folder: Path, choices: Choices, choice: Choice) -> Path:
    """Return the path of a run, which depends on the regime and the weights of its model."""
    digest = hashlib.sha256(to_json(choice.regime) + _weights(choice.regime.model)).hexdigest()[:12]
    name = f"{choices.task}-{choices.limit_s:g}-{choices.seed}"
    return folder / "runs" / f"{name}-{digest}.json"


@cache
def _weights(model: str) -> bytes:
    return packaged_zoo().weights(model)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def choose(way: str, task: Task, store_uri: str) -> Candidate:
    """Return the candidate that one way chooses."""
    if way == "starter":
        session = TaskSession(open_store(store_uri), clock="steps")
        return predict_regime(session, task, top=1).candidates[0]
    store, zoo = open_store(store_uri), packaged_zoo()
    candidates = feasible_candidates(store, zoo, task, task.used_s)
    if way == "no experience":
        ranker = Ranker(
            ExperiencePredictor(), task.meta_features, task_name(task), zoo.entries, task.probes
        )
        return ranker.rank(candidates, 1).candidates[0]
    if way == "random":
        index = int(np.random.default_rng([task.seed, len(candidates)]).integers(len(candidates)))
    else:
        index = _place(candidates, best_on_average(task.time_limit_s))
    return Candidate(
        regime=candidates.regime(index),
        predicted_accuracy=0.0,
        interval=(0.0, 1.0),
        predicted_s=float(candidates.predicted_s[index]),
    )


@cache
def best_on_average(limit_s: float, models: tuple[str, ...] = ()) -> tuple[Regime, float]:
    """Return the configuration of highest mean predicted accuracy over data sets, and that mean.

    In a short limit, where none fits all data sets, those count that fit the most.

    Args:
        limit_s: time limit in seconds.
        models: of the package's models, the only ones to choose from; all by default.

    Raises:
        InvalidInput: nothing fits the limit on any data set.
    """
    predictor, packaged = packaged_predictor(), packaged_zoo()
    zoo = Zoo({name: packaged.entry(name) for name in models or packaged.entries}, packaged.readers)
    totals: dict[Regime, list[float]] = defaultdict(list)
    records = collected_runs()
    for name, record in whole_datasets(records).items():
        meta = _meta_features(record)
        task = _known_task(record, meta, limit_s)
        try:
            offered = feasible_candidates(open_store(tempfile.gettempdir()), zoo, task, 0.0)
        except TimeLimitError:
            continue
        longest = offered.take(np.flatnonzero(_is_longest(offered)))
        table = predictor.with_defaults(for_task(longest, meta, name, zoo.entries))
        expected = predictor.expected(table)
        for index, accuracy in enumerate(from_log_odds(expected).tolist()):
            totals[_configuration(longest.regime(index))].append(accuracy)
    if not totals:
        raise InvalidInput(
            f"expected a limit that something fits on known data sets, got {limit_s:g} s; raise "
            "--limits"
        )
    best = max(totals, key=lambda key: (len(totals[key]), statistics.fmean(totals[key])))
    return best, statistics.fmean(totals[best])


def whole_datasets(records: Sequence[CollectedRecord]) -> dict[str, CollectedRecord]:
    """Return by name of the task a record of the largest part of each data set."""
    largest: dict[str, tuple[str, CollectedRecord]] = {}
    for name, record in zip(collected_names(records), records, strict=True):
        before = largest.get(record.dataset)
        size = (record.num_classes, record.num_images)
        if before is None or size > (before[1].num_classes, before[1].num_images):
            largest[record.dataset] = (name, record)
    return dict(largest.values())


def report(folder: Path, output: Path) -> None:
    """Print and write means over seeds and differences to the starter."""
    made = []
    for choices in chosen(folder):
        for way, choice in choices.chosen.items():
            path = _run_path(folder, choices, choice)
            if path.exists():
                key = {"task": choices.task, "limit_s": choices.limit_s, "seed": choices.seed}
                run = from_json(path.read_bytes(), Run, str(path))
                row = {"run_id": path.stem, **key, "way": way, **asdict(choice), **asdict(run)}
                made.append(row)
    runs = pd.DataFrame(made)
    rows = accuracies(runs, [*WAYS])
    result = {
        "machine": machine(("torch", "torchvision", "scikit-learn")),
        "clock": "steps",
        "seeds": sorted(set(runs["seed"])),
        "collected_records": len(collected_runs()),
        "rows": rows,
        "starter_less_others": leads(runs, WAYS[0], WAYS[1:]),
        "over_the_limit": runs.loc[runs["elapsed_s"] > runs["limit_s"], "run_id"].tolist(),
        "best_on_average": {
            f"{limit_s:g}": asdict(best_on_average(limit_s)[0]) for limit_s in LIMITS_S
        },
        "runs": made,
    }
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(pd.DataFrame(rows).to_string(index=False))  # noqa: T201
    print(json.dumps(result["starter_less_others"], indent=1))  # noqa: T201


@cache
def _dataset(data: str, seed: int) -> ImageDataset:
    return read_data(data, seed)


def _make(
    task: Task,
    choice: Choice,
    dataset: ImageDataset,
    store_uri: str,
    run_id: str,
) -> Run:
    candidate = Candidate(
        regime=choice.regime,
        predicted_accuracy=choice.predicted_accuracy,
        interval=(0.0, 1.0),
        predicted_s=task.time_limit_s,
    )
    recommendation = Recommendation(
        candidates=(candidate,),
        predictor_version=0,
        num_experiences=0,
        note="",
        used_s=task.used_s,
        reserve_s=0.0,
    )
    session = TaskSession(open_store(store_uri), clock="steps")
    session.dataset = dataset
    # Each run gets a separate task, so that no checkpoint of another run is used.
    experience = finetune(session, replace(task, task_id=run_id), recommendation)
    return Run(
        iterations=experience.regime.iterations,
        accuracy=experience.accuracy,
        val_accuracy=experience.val_accuracy,
        elapsed_s=experience.elapsed_s,
    )


def _configuration(regime: Regime) -> Regime:
    """Return a regime without its length."""
    return replace(regime, iterations=1, fills_limit=False)


def _is_longest(candidates: RunTable) -> np.ndarray:
    """Return `(n,)` whether a candidate is the longest of its configuration."""
    keys = [tuple(row) for row in candidates.configurations().tolist()]
    most: dict[tuple[float, ...], int] = {}
    for key, iterations in zip(keys, candidates.iterations.tolist(), strict=True):
        most[key] = max(most.get(key, 0), iterations)
    lengths = np.array([most[key] for key in keys])
    return np.asarray(candidates.iterations == lengths)


def _place(candidates: RunTable, best: tuple[Regime, float]) -> int:
    """Return the index of the longest candidate of a configuration.

    Raises:
        InvalidInput: none fits the limit.
    """
    for index in np.flatnonzero(_is_longest(candidates)).tolist():
        if _configuration(candidates.regime(index)) == best[0]:
            return int(index)
    raise InvalidInput("expected the best on average to fit, but it does not; raise --limits")


def _meta_features(record: CollectedRecord) -> MetaFeatures:
    return MetaFeatures(
        num_classes=record.num_classes,
        num_images=record.num_images,
        mean_images_per_class=record.mean_images_per_class,
        std_images_per_class=record.std_images_per_class,
        domain_similarity=record.domain_similarity,
        landmark_accuracy=record.landmark_accuracy,
        image_resolution=record.image_resolution,
    )


def _known_task(record: CollectedRecord, meta: MetaFeatures, limit_s: float) -> Task:
    return Task(
        task_id=record.dataset,
        data=record.dataset,
        dataset=record.dataset,
        time_limit_s=limit_s,
        seed=0,
        class_names=tuple(map(str, range(record.num_classes))),
        num_train=record.num_images,
        num_val=round(VAL_SHARE * record.num_images),
        num_test=record.num_test,
        resolution=record.image_resolution,
        meta_features=meta,
        mirror_safe=record.mirror_safe,
        used_s=0.0,
        clock="steps",
        hardware=record.hardware,
    )


if __name__ == "__main__":
    main()
