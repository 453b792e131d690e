"""Measure the cost and benefit of exploration: regret of the choice with and without it.

Choices are made in a stream on a table of finished runs, as users' tasks arrive: the tasks come in
random order; a few times for each, a candidate that was not tried yet is chosen, its outcome is
revealed, and only that run is learned. The first task is known from some random runs. Candidates
are the rows of a task; the regret is its best target minus that of the chosen one.
`nasoa.online.choice.exploration` describes what is chosen at which cost.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
    python -m benchmarks.exploration_cost OUT_FOLDER/model_soups.csv [--draws 8] [-o FILE]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.machine import RESULTS, machine, write
from nasoa.data.table import read_table
from nasoa.online.choice.exploration import most_informative
from nasoa.online.evaluation.task_table import TaskTable, task_table
from nasoa.online.mixture.mixture import DefaultPredictor

RESULT = RESULTS / "exploration_cost.json"
COSTS = (0.0, 0.005, 0.01, 0.02)
KNOWN_RUNS = 12
CHOICES = 4


def regrets(table: TaskTable, cost: float, draw: int) -> tuple[list[float], int]:
    """Return the regret of every choice of one stream, and how many of them explored."""
    rng = np.random.default_rng(draw)
    order = rng.permutation(table.num_groups)
    predictor = DefaultPredictor(table.layout)
    first = rng.permutation(np.flatnonzero(table.groups == order[0]))[:KNOWN_RUNS]
    predictor.learn(table.rows[first], table.targets[first])
    found, explored = [], 0
    for group in order[1:]:
        left = np.flatnonzero(table.groups == group)
        best = float(table.targets[left].max())
        for _ in range(CHOICES):
            predicted = np.asarray(predictor.predict(table.rows[left]))
            index = _chosen(predictor, table.rows[left], predicted, cost)
            explored += int(predicted[index] < predicted.max())
            run = left[index]
            found.append(best - float(table.targets[run]))
            predictor.learn(table.rows[run], float(table.targets[run]))
            left = np.delete(left, index)
    return found, explored


def _chosen(
    predictor: DefaultPredictor,
    rows: NDArray[np.float64],
    predicted: NDArray[np.float64],
    cost: float,
) -> int:
    if cost == 0.0:
        return int(np.argmax(predicted))
    widths = np.zeros(len(rows))
    allowed = np.flatnonzero(predicted >= predicted.max() - cost)
    lows, highs = predictor.intervals(rows[allowed])
    widths[allowed] = highs - lows
    return most_informative(predicted, widths, cost)


def measure(table: TaskTable, draws: int) -> list[dict[str, float]]:
    """Return a line for each cost, with differences to no exploration on the same streams."""
    plain: list[float] = []
    lines = []
    for cost in COSTS:
        streams = [regrets(table, cost, draw) for draw in range(draws)]
        means = [fmean(found) for found, _ in streams]
        plain = plain or means
        lost = [own - without for own, without in zip(means, plain, strict=True)]
        count = sum(len(found) for found, _ in streams)
        lines.append(
            {
                "cost": cost,
                "regret": round(fmean(means), 5),
                "regret_of_the_last_choices": round(
                    fmean(
                        found[i] for found, _ in streams for i in range(len(found) // 2, len(found))
                    ),
                    5,
                ),
                "explored_share": round(sum(number for _, number in streams) / count, 3),
                "more_regret": round(fmean(lost), 5),
                "standard_error": round(stdev(lost) / len(lost) ** 0.5, 5),
            }
        )
        print(lines[-1], file=sys.stderr, flush=True)  # noqa: T201
    return lines


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, metavar="TABLE")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    table = task_table(read_table(str(arguments.table)), "accuracy", "dataset")
    with threadpool_limits(1):
        lines = measure(table, arguments.draws)
    result = {
        "command": f"python -m benchmarks.exploration_cost {arguments.table.name} "
        f"--draws {arguments.draws}",
        "machine": machine(["numpy", "scikit-learn"]),
        "table": arguments.table.stem,
        "seeds": arguments.draws,
        "choices_of_a_task": CHOICES,
        "costs": lines,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
