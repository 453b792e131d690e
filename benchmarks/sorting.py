"""Time non-dominated sorting and survival: `nasoa.offline.pareto` compared with pymoo.

The two alternate in one run on the same points, so that other load on the machine affects both.
The benchmark also checks that they agree.

    python -m benchmarks.sorting [--repeats 9] [-o FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.operators.survival.rank_and_crowding.classes import RankAndCrowding
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.offline.pareto import non_dominated_rank, survive

SEED = 0
SIZES = ((1_000, 2), (10_000, 2), (10_000, 3))


def points(n: int, m: int) -> NDArray[np.float64]:
    """Return correlated objectives that give many fronts; a tenth are rounded to give ties."""
    rng = np.random.default_rng([SEED, n, m])
    values = rng.normal(size=(n, m)) + 0.5 * rng.normal(size=(n, 1))
    values[: n // 10] = values[: n // 10].round(1)
    return values


def pymoo_survival(values: NDArray[np.float64], k: int) -> NDArray[np.intp]:
    """Return the indices of the survivors of pymoo's RankAndCrowding."""
    population = Population.new("F", values, "index", np.arange(len(values)))
    problem = Problem(n_var=1, n_obj=values.shape[1])
    kept = RankAndCrowding()._do(
        problem, population, n_survive=k, random_state=np.random.default_rng(0)
    )
    return np.asarray(kept.get("index"), dtype=np.intp)


def pymoo_ranks(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the ranks of pymoo's non-dominated sorting."""
    ranks = np.empty(len(values), dtype=np.intp)
    for rank, front in enumerate(NonDominatedSorting().do(values)):
        ranks[front] = rank
    return ranks


def compare(n: int, m: int, repeats: int) -> dict[str, object]:
    """Measure milliseconds of sorting `n` points and of selecting half, ours and pymoo's."""
    values = points(n, m)
    work: dict[str, Callable[[], NDArray[np.intp]]] = {
        "rank": lambda: non_dominated_rank(values),
        "rank_pymoo": lambda: pymoo_ranks(values),
        "survive": lambda: survive(values, n // 2),
        "survive_pymoo": lambda: pymoo_survival(values, n // 2),
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(repeats + 1):
        for name, function in work.items():
            started = time.perf_counter()
            function()
            if repeat > 0:  # the first round is a warm-up
                times[name].append(1000 * (time.perf_counter() - started))
    ranks = work["rank"]()
    ours, theirs = work["survive"](), work["survive_pymoo"]()
    return {
        "points": n,
        "objectives": m,
        "fronts": int(ranks.max()) + 1,
        **{f"{name}_ms": summary(values) for name, values in times.items()},
        "survive_times_as_fast": summary(
            [b / a for a, b in zip(times["survive"], times["survive_pymoo"], strict=True)]
        ),
        "same_ranks": bool((ranks == work["rank_pymoo"]()).all()),
        "same_ranks_survive": bool((np.sort(ranks[ours]) == np.sort(ranks[theirs])).all()),
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "sorting.json")
    arguments = parser.parse_args()
    result: dict[str, object] = {
        "command": f"python -m benchmarks.sorting --repeats {arguments.repeats}",
        "machine": machine(["numpy", "moocore", "pymoo"]),
        "seed": SEED,
        "repeats": arguments.repeats,
        "sizes": [compare(n, m, arguments.repeats) for n, m in SIZES],
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
