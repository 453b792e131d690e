"""Compare ways to search on equal core-seconds: evolution, surrogate, sieves, random, pymoo.

    python -m benchmarks.search_comparison steps --data tinyimagenet200.zip
    python -m benchmarks.search_comparison table --data tinyimagenet200.zip --shard 0 2
    python -m benchmarks.search_comparison table --data tinyimagenet200.zip --shard 1 2
    python -m benchmarks.search_comparison simulate
    python -m benchmarks.search_comparison real --data tinyimagenet200.zip --shard 0 2
    python -m benchmarks.search_comparison real --data tinyimagenet200.zip --shard 1 2
    python -m benchmarks.search_comparison report

`steps` measures the training steps of a table, alone: every block of at most two operators without
skips, at one first channel. `table` trains each of its networks with three seeds, and scores it
without training. `simulate` lets every method search in this table, if it is complete, and in
synthetic ones of layers and of macro structures, where training time grows with step time. In the
real table, each seed of a search draws for each network which of its three trainings the search
sees, and the two others judge its front. `real` searches the whole small block space with real
trainings; methods share evaluations, but each is charged for its own, and for the scores that it
asked for; then it judges the fronts with two more seeds. Steps of networks are measured once for
all methods, before they are trained and while all processes of `real` on the machine pause.

Start one process for each core with `--shard I K`; each uses one thread and appends to its own
files. Every line is made once, so each verb can be killed and run again; a training that ran out of
time or memory ends the process, and is tried again by the next run. A search is a function of its
seed and its evaluations, but for the surrogate, which is charged for its own time. `report` writes
`benchmarks/results/search_comparison.json` and `docs/search-comparison.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, machine
from benchmarks.paired_summary import student_interval
from benchmarks.proxy_trainings import ProxyTrainings
from benchmarks.refusal import in_one_line
from benchmarks.run_log import Row, RunLog
from benchmarks.search_methods import (
    CHILDREN,
    METHODS,
    POOL,
    Result,
    chosen_front,
    methods_for,
    search,
)
from benchmarks.search_worlds import (
    LAYERS_NAME,
    LIMIT_MS,
    MACRO_NAME,
    RealTable,
    SyntheticTable,
    Trainings,
    fill_table,
    measure_table,
    real_world,
    result_of,
)
from benchmarks.shards import WHOLE, add_shard, shard_log, share
from nasoa.errors import InvalidInput
from nasoa.offline.pareto import hypervolume

TABLE_LOG = RESULTS / "search_table.jsonl"
SIMULATED_LOG = RESULTS / "search_simulated.jsonl"
REAL_LOG = RESULTS / "search_real.jsonl"
TRAININGS_LOG = RESULTS / "search_trainings.jsonl"
KEYS = ("encoding", "kind", "seed")

REAL_SEEDS = (0, 1, 2)
JUDGED_SEEDS = (101, 102)
SIMULATED_SEEDS = 12
REAL_CORE_S = 1500.0
POINTS = (0.25, 0.5, 1.0)  # fractions of the budget at which fronts are judged


def tables(log: RunLog) -> list[RealTable | SyntheticTable]:
    """Return the synthetic tables, and the real one if it is complete."""
    found: list[RealTable | SyntheticTable] = [
        kind(seed, interaction, noise)
        for kind in (SyntheticTable.of_layers, SyntheticTable.of_macro)
        for seed, interaction, noise in product((0, 1), (0.3, 0.6), (0.02, 0.1))
    ]
    try:
        found.append(RealTable(log.rows))
    except InvalidInput as error:
        sys.stderr.write(f"without the real table: {error}\n")
    return found


def simulate(
    found: Sequence[RealTable | SyntheticTable], log: RunLog, seeds: Sequence[int]
) -> None:
    """Let every method search in every table, with every seed; skip lines that exist."""
    for table in found:
        names = methods_for(table.world(0))
        for name, seed in product(names, seeds):
            if log.has(table=table.name, method=name, seed=seed):
                continue
            world = table.world(seed)
            started = time.process_time()
            done = list(search(name, world, seed, table.budget_s))
            row: Row = {"table": table.name, "method": name, "seed": seed}
            row["quality"] = at_points(done, table.budget_s, partial(_quality, table, seed))
            row |= {"evaluations": len(done), "budget_s": round(table.budget_s, 1)}
            row["own_core_s"] = round(time.process_time() - started, 2)
            log.append(row)
            sys.stderr.write(f"{row}\n")


def _quality(
    table: RealTable | SyntheticTable, seed: int, part: Sequence[tuple[Any, Result]]
) -> float:
    return table.quality(seed, chosen_front(part, table.limit))


def at_points(
    done: Sequence[tuple[Any, Result]],
    budget_s: float,
    quality: Callable[[Sequence[tuple[Any, Result]]], float],
) -> list[float]:
    """Return the quality of what was found within each of `POINTS` of a budget."""
    ends = np.cumsum([result.core_s for _, result in done])
    counts = [int(np.searchsorted(ends, share * budget_s, side="right")) for share in POINTS]
    return [round(quality(done[:count]), 5) for count in counts]


def run_real(
    trainings: Trainings, log: RunLog, searches: Sequence[tuple[int, str]], budget_s: float
) -> None:
    """Search with real trainings, and judge each front by trainings of other seeds.

    Args:
        trainings: makes the evaluations.
        log: receives a line for each search; those that it has are skipped.
        searches: seed and method of each.
        budget_s: core-seconds of each.
    """
    for seed, name in searches:
        if log.has(method=name, seed=seed, budget_s=budget_s):
            continue
        done = list(search(name, real_world(trainings, seed), seed, budget_s))
        judge = partial(_judged_again, trainings)
        row: Row = {"method": name, "seed": seed, "budget_s": budget_s}
        row["quality"] = at_points(done, budget_s, judge)
        row |= {"evaluations": len(done)}
        row["front"] = [str(spec) for spec in chosen_front(done, LIMIT_MS)]
        log.append(row)
        sys.stderr.write(f"{row}\n")


def _judged_again(trainings: Trainings, part: Sequence[tuple[Any, Result]]) -> float:
    """Return the hypervolume of a front by the mean of trainings with other seeds."""
    points = []
    for spec in chosen_front(part, LIMIT_MS):
        step = trainings.row(str(spec), "step", 0)
        errors = [
            result_of(step, trainings.row(str(spec), "train", seed)).objectives[1]
            for seed in JUDGED_SEEDS
        ]
        points.append((step["step_ms"], float(np.mean(errors))))
    finite = [point for point in points if np.isfinite(point).all()]
    return hypervolume(finite, (LIMIT_MS, 1.0)) / LIMIT_MS if finite else 0.0


def summaries(rows: Sequence[Row]) -> list[Row]:
    """Return the mean quality of each method at each point, and its lead over random and pymoo."""
    methods = [name for name in METHODS if any(row["method"] == name for row in rows)]
    by_key = {(row["method"], row["seed"]): row["quality"] for row in rows}
    found = []
    for name in methods:
        own = {seed: quality for (method, seed), quality in by_key.items() if method == name}
        row: Row = {"method": name, "seeds": len(own)}
        row["quality"] = [
            [
                round(value, 4)
                for value in student_interval([quality[i] for quality in own.values()])
            ]
            for i in range(len(POINTS))
        ]
        for other in ("random", "pymoo"):
            pairs = [
                quality[-1] - by_key[other, seed][-1]
                for seed, quality in own.items()
                if (other, seed) in by_key
            ]
            if other != name and pairs:
                row[f"lead over {other}"] = [round(value, 4) for value in student_interval(pairs)]
        found.append(row)
    return found


def report(simulated: RunLog, real: RunLog, output: Path) -> None:
    """Write the JSON and the page."""
    groups: dict[str, list[Row]] = {}
    for row in simulated.rows:
        groups.setdefault(row["table"], []).append(row)
    found: list[Row] = []
    for kind in (LAYERS_NAME, MACRO_NAME):
        synthetic = [row for name, rows in groups.items() if name.startswith(kind) for row in rows]
        if synthetic:
            where = f"all tables of {kind}"
            found.append({"where": where, "methods": summaries(_over(synthetic))})
    found += [{"where": name, "methods": summaries(rows)} for name, rows in groups.items()]
    for budget in sorted({row["budget_s"] for row in real.rows}):
        own = [row for row in real.rows if row["budget_s"] == budget]
        where = f"the small block space, {budget:g} core-seconds of real trainings"
        found.append({"where": where, "methods": summaries(own)})
    document: dict[str, Any] = {
        "machine": machine(["torch", "numpy", "pymoo", "scikit-learn", "moocore"]),
        "children": CHILDREN,
        "pool": POOL,
        "points": POINTS,
        "worlds": found,
        "simulated": simulated.rows,
        "real": real.rows,
    }
    (RESULTS / "search_comparison.json").write_text(json.dumps(document, indent=1) + "\n")
    (output / "search-comparison.md").write_text(page(found), encoding="utf-8")


def _over(rows: Sequence[Row]) -> list[Row]:
    """Return the mean over tables for each method and seed."""
    groups: dict[tuple[str, int], list[list[float]]] = {}
    for row in rows:
        groups.setdefault((row["method"], row["seed"]), []).append(row["quality"])
    return [
        {
            "method": method,
            "seed": seed,
            "quality": [statistics.fmean(x) for x in zip(*q, strict=True)],
        }
        for (method, seed), q in groups.items()
    ]


def page(worlds: Sequence[Row]) -> str:
    """Return the page in Markdown."""
    lines = [HEAD]
    for world in worlds:
        points = " | ".join(f"{share:.0%} of the budget" for share in POINTS)
        lines += ["", f"## In {world['where']}", ""]
        lines += [f"| method | seeds | {points} | lead over random | lead over pymoo |"]
        lines += ["| --- | --- |" + " --- |" * (len(POINTS) + 2)]
        for row in world["methods"]:
            cells = [f"{mean:.3f}" for mean, _low, _high in row["quality"]]
            cells[-1] += " ({:.3f} to {:.3f})".format(*row["quality"][-1][1:])
            for other in ("random", "pymoo"):
                lead = row.get(f"lead over {other}")
                cells.append("" if lead is None else "{:+.3f} ({:+.3f} to {:+.3f})".format(*lead))
            lines.append(f"| {row['method']} | {row['seeds']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


HEAD = """# Ways to search, on equal core-seconds

Written by `python -m benchmarks.search_comparison report` from
[all searches](../benchmarks/results/search_comparison.json). A figure is the hypervolume of the
front that a method chooses, as a fraction of the best possible (with real trainings: of the
rectangle below the limit of the step time), averaged over seeds, with a 95 % interval at the end of
the budget. Leads are paired by seed. Fronts of trained networks are judged by trainings that the
search did not see. In the table of trained blocks, each seed draws for each network which of its
three trainings the search sees, and the mean of the two others judges it; intervals are over these
draws and the searches, for the networks and trainings of the table. Synthetic macro structures are
searched with the space and the mutations of a macro search; their accuracies and step times are
made up. Methods are charged for the trainings and scores that they ask for, and the surrogate for
its own time."""


def main() -> None:
    """Run one verb."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    steps = verbs.add_parser("steps")
    steps.add_argument("--data", required=True)
    fills = verbs.add_parser("table")
    fills.add_argument("--data", required=True)
    add_shard(fills)
    simulates = verbs.add_parser("simulate")
    simulates.add_argument("--seeds", type=int, default=SIMULATED_SEEDS)
    reals = verbs.add_parser("real")
    reals.add_argument("--data", required=True)
    add_shard(reals)
    reals.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    reals.add_argument("--seeds", type=int, nargs="+", default=list(REAL_SEEDS))
    reals.add_argument("--core-s", type=float, default=REAL_CORE_S)
    reports = verbs.add_parser("report")
    reports.add_argument("-o", "--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    with in_one_line(parser):
        _run(arguments)


def _run(arguments: argparse.Namespace) -> None:
    shard = getattr(arguments, "shard", WHOLE)
    table = shard_log(TABLE_LOG, KEYS, shard)
    simulated = RunLog(SIMULATED_LOG, ("table", "method", "seed"))
    real = shard_log(REAL_LOG, ("method", "seed", "budget_s"), shard)
    if arguments.verb == "steps":
        measure_table(Trainings(ProxyTrainings(arguments.data), table))
    elif arguments.verb == "table":
        fill_table(Trainings(ProxyTrainings(arguments.data), table), table, shard)
    elif arguments.verb == "simulate":
        simulate(tables(table), simulated, range(arguments.seeds))
    elif arguments.verb == "real":
        log = shard_log(TRAININGS_LOG, KEYS, shard)
        trainings = Trainings(ProxyTrainings(arguments.data), log)
        searches = share(list(product(arguments.seeds, arguments.methods)), shard)
        run_real(trainings, real, searches, arguments.core_s)
    else:
        report(simulated, real, arguments.output)


if __name__ == "__main__":
    main()
