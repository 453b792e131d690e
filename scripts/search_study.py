"""Run more trainings by a search's recipe to compare its result with, and write one table.

    python scripts/search_study.py random --search blocks --count 75
    python scripts/search_study.py references --search blocks
    python scripts/search_study.py reseeded --search blocks
    python scripts/search_study.py full --search blocks --count 16
    python scripts/search_study.py table --search blocks macro -o benchmarks/results/search.jsonl.gz

`random`: architectures sampled like the first generation, measured and trained like any other.
`references`: the blocks of known networks (Figure 10). `reseeded`: the five best and the five
middle architectures of the search, trained again with two other seeds. `full`: architectures spread
over the search's scores, trained for all epochs instead of the early stop. `remeasured`: step times
of `--count` evolved and all other architectures measured again, to see the effect of other load on
the machine; nothing is trained.

Costs are measured before the trainings, one architecture at a time and alone, and kept in
STORE/study-SEARCH-costs.jsonl; then `--workers` trainings run at a time. Each adds a JSON line to
STORE/study-SEARCH.jsonl, and existing lines are skipped, so a study can be killed and run again.
What ran out of time or memory, or crashed, has no line and is tried again. `table` writes the
searches and their studies as one gzipped table.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from nasoa.arch import ArchSpec, parse
from nasoa.offline.canonical import canonical
from nasoa.offline.front import best, score, successful
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.pareto import non_dominated_rank
from nasoa.offline.search import SearchConfig
from nasoa.records import ArchCosts, Evaluation, from_json, to_json
from nasoa.steps import search_worker_calls, searches
from nasoa.steps.encode_and_build import TOO_SLOW
from nasoa.steps.search_workers import TIMEOUT_SLACK_S, new_worker, prepare_lesson

KINDS = ("random", "references", "reseeded", "full", "remeasured")
SEEDS = (1, 2)
EACH = 5
# Basic, bottleneck and inverted bottleneck blocks at first channels like those of the search.
REFERENCES = {
    "basic": ("020-", (16, 32, 48)),
    "bottleneck": ("10001-", (64, 80)),
    "inverted bottleneck": ("14441-", (16, 32)),
}


@dataclass(frozen=True)
class Job:
    """One training: `name` is that of a known block; `stop_share` 1 trains for all epochs."""

    kind: str
    encoding: str
    seed: int
    stop_share: float
    name: str = ""


def main() -> None:
    """Run a study, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=(*KINDS, "table"))
    parser.add_argument("--search", nargs="+", required=True)
    parser.add_argument("--store", default="./.nasoa")
    parser.add_argument("--count", type=int, default=75)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=Path("search.jsonl.gz"))
    arguments = parser.parse_args()
    if arguments.what == "table":
        write_table(arguments.store, arguments.search, arguments.output)
        return
    for name in arguments.search:
        search = searches.read_search(arguments.store, name)
        path = study_path(arguments.store, name)
        study = read_rows(path)
        done = {job_key(row) for row in study}
        jobs = [
            job
            for job in plan(arguments.what, search, arguments.count, study)
            if key(job) not in done
        ]
        if arguments.what == "remeasured":
            remeasure(search.config, jobs, path)
        else:
            run(search.config, jobs, path, arguments.workers)


def plan(
    kind: str, search: searches.Search, count: int, study: Sequence[dict[str, Any]]
) -> list[Job]:
    """Return the jobs of one kind of study; `study` has its lines so far."""
    config = search.config
    seed, share = config.evaluate.seed, config.evaluate.stop_share
    evaluations = list(search.evaluations.values())
    if kind == "random":
        rng = np.random.default_rng([config.seed, 1])
        specs: dict[ArchSpec, None] = {}
        while len(specs) < count:
            specs.setdefault(config.space.sample(rng))
        return [Job(kind, str(spec), seed, share) for spec in specs]
    if kind == "references":
        space = config.block
        if space is None:
            raise SystemExit("expected a block search for references, got a macro search")
        found = []
        for name, (block, channels) in REFERENCES.items():
            for first in channels:
                spec = ArchSpec(parse(f"{block} 64 1-2-2-2").block, first, space.stages)
                found.append(Job(kind, str(canonical(spec)), seed, share, name))
        return found
    if kind == "reseeded":
        chosen = [*best(evaluations, EACH), *middle(evaluations, EACH)]
        return [Job(kind, e.encoding, other, share) for e in chosen for other in SEEDS]
    if kind == "remeasured":
        others = [r["encoding"] for r in study if r["kind"] in ("random", "references")]
        known = [e.encoding for e in evaluations]
        chosen_texts = [*spaced(known, count), *others]
        return [Job(kind, text, seed, share) for text in dict.fromkeys(chosen_texts)]
    spread = sorted(successful(evaluations)[0], key=lambda e: score(e) or 0.0)
    places = np.linspace(0, len(spread) - 1, count).astype(int)
    return [Job(kind, spread[i].encoding, seed, 1.0) for i in dict.fromkeys(places.tolist())]


def spaced(texts: Sequence[str], count: int) -> list[str]:
    """Return at most `count` of the texts, evenly spaced."""
    places = np.linspace(0, len(texts) - 1, min(count, len(texts))).astype(int)
    return [texts[i] for i in places]


def middle(evaluations: Sequence[Evaluation], count: int) -> list[Evaluation]:
    """Return the evaluations in the middle when all are sorted by their front."""
    good, points = successful(evaluations)
    order = np.argsort(non_dominated_rank(points), kind="stable")
    start = len(order) // 2 - count // 2
    return [good[i] for i in order[start : start + count]]


def run(config: SearchConfig, jobs: Sequence[Job], path: Path, workers: int) -> None:
    """Measure all architectures, then train them, one per worker, and add a line for each."""
    lock = threading.Lock()
    free: SimpleQueue[IsolatedWorker] = SimpleQueue()
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        own = [stack.enter_context(new_worker(1)) for _ in range(workers)]
        costs = measured(own[0], config, jobs, path.with_name(f"{path.stem}-costs.jsonl"))
        for worker in own:
            free.put(worker)

        def work(job: Job) -> None:
            worker = free.get()
            try:
                row = trained(worker, config, job, costs[job.encoding])
            finally:
                free.put(worker)
            with lock:
                add(path, row)

        list(pool.map(work, [job for job in jobs if job.encoding in costs]))


def remeasure(config: SearchConfig, jobs: Sequence[Job], path: Path) -> None:
    """Measure architectures again, one at a time, and add a line for each."""
    with new_worker(1) as worker:
        for job in jobs:
            costs = measure(worker, config, job.encoding)
            if costs is not None:
                add(path, line(job, costs))


def measured(
    worker: IsolatedWorker, config: SearchConfig, jobs: Sequence[Job], path: Path
) -> dict[str, ArchCosts]:
    """Return the costs of architectures by encoding; new ones are measured and kept in a file."""
    known = [from_json(to_json(row), ArchCosts) for row in read_rows(path)]
    found = {costs.encoding: costs for costs in known}
    for encoding in dict.fromkeys(job.encoding for job in jobs):
        if encoding not in found:
            costs = measure(worker, config, encoding)
            if costs is not None:
                found[encoding] = costs
                add(path, json.loads(to_json(costs)))
    return found


def measure(worker: IsolatedWorker, config: SearchConfig, encoding: str) -> ArchCosts | None:
    """Return the costs of an architecture; None if measuring them failed."""
    outcome = worker.call(
        search_worker_calls.measure_isolated,
        encoding,
        to_json(config),
        timeout_s=config.evaluate.timeout_s + TIMEOUT_SLACK_S,
    )
    if outcome.failure:
        sys.stderr.write(f"{encoding} was not measured: {outcome.failure}\n")
    return outcome.value


def trained(
    worker: IsolatedWorker, config: SearchConfig, job: Job, costs: ArchCosts
) -> dict[str, Any] | None:
    """Return the line of a job; None if its training failed for a reason that may not last."""
    if job.kind == "random" and 0 < config.max_step_time_ms < costs.step_time_ms:
        return line(job, costs) | {"failure": TOO_SLOW}
    longer = job.stop_share / config.evaluate.stop_share
    recipe = replace(
        config.evaluate,
        stop_share=job.stop_share,
        timeout_s=max(1.0, longer) * config.evaluate.timeout_s,
    )
    changed = replace(config, evaluate=recipe)
    prepare_lesson(changed, worker)
    outcome = worker.call(
        search_worker_calls.train_seeded,
        job.encoding,
        to_json(changed),
        job.seed,
        timeout_s=recipe.timeout_s + TIMEOUT_SLACK_S,
    )
    failure = outcome.value.failure if outcome.value else outcome.failure
    if outcome.value is None or failure not in ("", "diverged"):
        sys.stderr.write(f"{job.encoding} with seed {job.seed} was not trained: {failure}\n")
        return None
    found = outcome.value
    values = {"accuracy": found.accuracy, "score": found.score, "failure": failure}
    return line(job, costs) | values


def line(job: Job, costs: ArchCosts) -> dict[str, Any]:
    """Return the line of a job of which only the costs are known."""
    return {
        "kind": job.kind,
        "name": job.name,
        "encoding": job.encoding,
        "seed": job.seed,
        "stop_share": job.stop_share,
        "accuracy": None,
        "failure": "",
        "step_time_ms": costs.step_time_ms,
        "inference_ms": costs.inference_ms,
        "train_memory_bytes": costs.train_memory_bytes,
        "macs": costs.macs,
        "params": costs.params,
        "activations": costs.activations,
        "hardware": costs.hardware,
    }


def add(path: Path, row: dict[str, Any] | None) -> None:
    """Add a line to a file, if there is one."""
    if row is not None:
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        sys.stderr.write(f"{row}\n")


def write_table(store: str, names: Sequence[str], output: Path) -> None:
    """Write every evaluation of the searches and their studies, one JSON line each, gzipped."""
    lines: list[str] = []
    for name in names:
        search = searches.read_search(store, name)
        generation = {
            text: number
            for number, asked in enumerate(search.generations, start=1)
            for text in asked
        }
        settings = json.loads(to_json(search.config))
        lines.append(json.dumps({"search": name, "settings": settings}))
        for e in sorted(search.evaluations.values(), key=lambda e: e.created_at):
            row = {
                "search": name,
                "kind": "evolved",
                "generation": generation.get(e.encoding, 0),
                "encoding": e.encoding,
                "seed": e.seed,
                "stop_share": search.config.evaluate.stop_share,
                "accuracy": e.accuracy,
                "score": e.score,
                "failure": e.failure,
                "step_time_ms": round(e.costs.step_time_ms, 3),
                "inference_ms": round(e.costs.inference_ms, 3),
                "train_memory_bytes": e.costs.train_memory_bytes,
                "macs": e.costs.macs,
                "params": e.costs.params,
                "activations": e.costs.activations,
                "elapsed_s": e.elapsed_s,
                "hardware": e.costs.hardware,
            }
            lines.append(json.dumps(row))
        lines += [json.dumps({"search": name, **row}) for row in read_rows(study_path(store, name))]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
    sys.stderr.write(f"{len(lines)} lines in {output}\n")


def study_path(store: str, name: str) -> Path:
    """Return the path of the lines of a search's studies."""
    return Path(store) / f"study-{name}.jsonl"


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the lines so far; an incomplete last one, of a killed process, is removed."""
    text = path.read_text() if path.exists() else ""
    complete = text[: text.rfind("\n") + 1]
    if complete != text:
        path.write_text(complete)
    return [json.loads(row) for row in complete.splitlines()]


def key(job: Job) -> tuple[str, str, int, float]:
    """Return what identifies a job."""
    return job.kind, job.encoding, job.seed, job.stop_share


def job_key(row: dict[str, Any]) -> tuple[str, str, int, float]:
    """Return the `key` of the job that gave a line."""
    return row["kind"], row["encoding"], row["seed"], row["stop_share"]


if __name__ == "__main__":
    main()
