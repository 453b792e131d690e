"""Time survival by rank and crowding: `nasoa.offline.pareto.survive` beside pymoo.

    python -m benchmarks.sorting [--repeats 9] [--sizes 100 1000 ...] [-o FILE]

What is compared, on the same float64 objectives, for the better half (k = n/2):

- ours: `survive(values, k)`, from an array to the indices of the survivors, best first;
- pymoo's: `RankAndCrowding().do(problem, population, n_survive=k)`, from a population that exists
  to the population of survivors, with its defaults (`NonDominatedSorting`, crowding "cd", a
  problem without constraints). It also stores rank and crowding in each individual.

Making `Problem` and `Population` of the array is timed apart, as `build_pymoo`: a search by pymoo
has its population already, and whoever has an array pays for it. The ratios are given without it
and with it. Both sides rank with moocore's `pareto_rank`, so `most_without_building` is the ratio
that ours would have if everything but this ranking took no time.

All of them alternate in one run on the same points, so that other load on the machine affects all.
The benchmark also checks that both keep points of the same ranks. Each size is appended to `--runs`
when it is measured, and not repeated.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding.classes import RankAndCrowding

from benchmarks.machine import RESULTS, code_version, machine, summary, write
from benchmarks.run_log import Row, RunLog
from nasoa.offline.pareto import non_dominated_rank, survive

RESULT = RESULTS / "sorting.json"
KEY = ("points", "objectives", "repeats")
SEED = 0
SIZES = (100, 1_000, 10_000, 30_000, 100_000)
OBJECTIVES = (2, 3)
WORK = ("rank", "survive", "build_pymoo", "survive_pymoo")

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def points(n: int, m: int) -> Array:
    """Return `(n, m)` correlated objectives with many fronts; a tenth are rounded to give ties."""
    rng = np.random.default_rng([SEED, n, m])
    values = rng.normal(size=(n, m)) + 0.5 * rng.normal(size=(n, 1))
    values[: n // 10] = values[: n // 10].round(1)
    return values


def compare(n: int, m: int, repeats: int) -> Row:
    """Measure milliseconds of selecting half of `n` points of `m` objectives, ours and pymoo's."""
    values, k = points(n, m), n // 2
    rounds = [measure_round(values, k) for _ in range(repeats + 1)]
    ranks, ours, theirs = rounds[-1][1:]
    measured = np.array([times for times, *_ in rounds[1:]])  # the first round is a warm-up
    times: dict[str, Array] = dict(zip(WORK, measured.T, strict=True))
    with_building = times["build_pymoo"] + times["survive_pymoo"]
    return {
        "points": n,
        "objectives": m,
        "dtype": str(values.dtype),
        "survivors": k,
        "fronts": int(ranks.max()) + 1,
        **{f"{name}_ms": summary(found.tolist()) for name, found in times.items()},
        "survive_times_as_fast": summary((times["survive_pymoo"] / times["survive"]).tolist()),
        "with_building_times_as_fast": summary((with_building / times["survive"]).tolist()),
        "most_without_building": summary((times["survive_pymoo"] / times["rank"]).tolist()),
        "same_ranks_survive": bool((np.sort(ranks[ours]) == np.sort(ranks[theirs])).all()),
    }


def measure_round(values: Array, k: int) -> tuple[Array, Indices, Indices, Indices]:
    """Return the milliseconds of each of `WORK`, the ranks, our survivors and pymoo's."""
    read = time.perf_counter
    clock = [read()]
    ranks = non_dominated_rank(values)
    clock.append(read())
    ours = survive(values, k)
    clock.append(read())
    problem, population = in_pymoo(values)
    clock.append(read())
    theirs = RankAndCrowding().do(
        problem, population, n_survive=k, random_state=np.random.default_rng(SEED)
    )
    clock.append(read())
    return 1000 * np.diff(clock), ranks, ours, theirs.get("index")


def in_pymoo(values: Array) -> tuple[Problem, Population]:
    """Return pymoo's problem and population of `(n, m)` objectives."""
    population = Population.new("F", values, "index", np.arange(len(values)))
    return Problem(n_var=1, n_obj=values.shape[1]), population


def main() -> None:
    """Measure the missing sizes, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--runs", type=Path, default=Path("build/sorting.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.repeats < 1 or min(arguments.sizes) < 2:
        parser.error("expected at least 1 repeat and sizes of at least 2 points")
    log = RunLog(arguments.runs, KEY)
    rows = [
        measured(log, n, m, arguments.repeats) for m in OBJECTIVES for n in sorted(arguments.sizes)
    ]
    result: dict[str, object] = {
        "command": f"python -m benchmarks.sorting --repeats {arguments.repeats}",
        "machine": machine(["numpy", "moocore", "pymoo"]),
        "code_versions": sorted({row["code_version"] for row in rows}),
        "seed": SEED,
        "repeats": arguments.repeats,
        "sizes": rows,
    }
    write(result, arguments.output)


def measured(log: RunLog, n: int, m: int, repeats: int) -> Row:
    """Return the row of one size, which is measured if the log does not have it."""
    row = log.find(points=n, objectives=m, repeats=repeats)
    if row is None:
        row = {"repeats": repeats, **compare(n, m, repeats), "code_version": code_version()}
        log.append(row)
    return row


if __name__ == "__main__":
    main()
