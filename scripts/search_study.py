"""Run more trainings by a search's recipe to compare its result with, and write one table.

    python scripts/search_study.py random --search blocks --count 75
    python scripts/search_study.py references --search blocks
    python scripts/search_study.py reseeded --search blocks
    python scripts/search_study.py full --search blocks --count 16
    python scripts/search_study.py table --search blocks macro -o benchmarks/results/search.jsonl.gz

`random`: architectures sampled like the first generation, measured and trained like any other.
`references`: the blocks of known networks (Figure 10). `reseeded`: the five best and the five
middle architectures of the search, trained again with two other seeds. `full`: architectures spread
over the search's accuracies, trained for all epochs instead of the early stop. `remeasured`: step
times of `--count` evolved and all other architectures measured again, to see the effect of other
load on the machine; nothing is trained. Each adds JSON lines to STORE/study-SEARCH.jsonl and skips
existing ones, so it can be killed and run again. `table` writes the searches and their studies as
one gzipped table.
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
from nasoa.offline.front import best, successful
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.pareto import non_dominated_rank
from nasoa.offline.search import SearchConfig
from nasoa.records import Evaluation, to_json
from nasoa.steps import search_worker_calls, searches
from nasoa.steps.encode_and_build import TOO_SLOW
from nasoa.steps.search_workers import TIMEOUT_SLACK_S, new_worker

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
    spread = sorted(successful(evaluations)[0], key=lambda e: e.accuracy or 0.0)
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
    """Measure and train, one job per worker, and add a line for each as it ends."""
    lock = threading.Lock()
    free: SimpleQueue[IsolatedWorker] = SimpleQueue()
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            free.put(stack.enter_context(new_worker(1)))

        def work(job: Job) -> None:
            worker = free.get()
            try:
                row = evaluated(worker, config, job)
            finally:
                free.put(worker)
            with lock, path.open("a") as file:
                file.write(json.dumps(row) + "\n")
                sys.stderr.write(f"{len(read_rows(path))}: {row}\n")

        list(pool.map(work, jobs))


def evaluated(worker: IsolatedWorker, config: SearchConfig, job: Job) -> dict[str, Any]:
    """Return one line of the study."""
    recipe = replace(config.evaluate, stop_share=job.stop_share)
    changed = replace(config, evaluate=recipe)
    limit_s = recipe.timeout_s + TIMEOUT_SLACK_S
    costs = worker.call(
        search_worker_calls.measure_isolated, job.encoding, to_json(changed), timeout_s=limit_s
    ).value
    row = {
        "kind": job.kind,
        "name": job.name,
        "encoding": job.encoding,
        "seed": job.seed,
        "stop_share": job.stop_share,
        "accuracy": None,
        "failure": "not measured",
    }
    if costs is None:
        return row
    row |= {"step_time_ms": costs.step_time_ms, "macs": costs.macs, "params": costs.params}
    row |= {"activations": costs.activations, "failure": ""}
    if job.kind == "remeasured":
        return row
    if job.kind == "random" and 0 < config.max_step_time_ms < costs.step_time_ms:
        return {**row, "failure": TOO_SLOW}
    outcome = worker.call(
        search_worker_calls.train_seeded,
        job.encoding,
        to_json(changed),
        job.seed,
        timeout_s=limit_s,
    )
    if outcome.value is None:
        return {**row, "failure": outcome.failure}
    found = outcome.value
    return {**row, "accuracy": found.accuracy, "score": found.score, "failure": found.failure}


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
    """Return the lines so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def key(job: Job) -> tuple[str, str, int, float]:
    """Return what identifies a job."""
    return job.kind, job.encoding, job.seed, job.stop_share


def job_key(row: dict[str, Any]) -> tuple[str, str, int, float]:
    """Return the `key` of the job that gave a line."""
    return row["kind"], row["encoding"], row["seed"], row["stop_share"]


if __name__ == "__main__":
    main()
