"""Reproduce Table 3 of the paper on streams of real runs: MLPs of fixed depth and adaptive ones.

Every run is predicted, then learned; all evaluations of a training are predicted before any of them
is learned. Errors are over the whole stream and over two segments of it, in percent as in the
paper, with the paper's values beside ours. MLPs have 64 units and the paper's learning rate of
0.01; the running mean by task and configuration is the baseline that any of them should beat. A
seed determines the order of the stream and the initial weights.

    python -m benchmarks.online_error [RECORDS.parquet ...] [--public FOLDER] [--seeds 5]
        [--target accuracy] [--group dataset] [-o FILE]

RECORDS are CSV or Parquet tables of finished runs, such as the experience of a store; they are used
in addition to the public tables that `fine_tuning_tables` reads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.fine_tuning_tables import (
    RUN_COLUMN,
    medquicktune,
    medquicktune_epochs,
    model_soups,
)
from benchmarks.machine import RESULTS, machine, write
from benchmarks.table_version import digest
from nasoa.data.table import read_table
from nasoa.online.evaluation.baselines.adaptive_mlp import MLPPredictor
from nasoa.online.evaluation.baselines.running_mean import RunningMeanPredictor
from nasoa.online.evaluation.progressive import ORDERS, ordering, trainings
from nasoa.online.evaluation.task_table import TaskTable, task_table
from nasoa.online.mixture.layout import Array, Layout
from nasoa.online.mixture.protocol import RowPredictor

RESULT = RESULTS / "online_error.json"


def _mlp(layout: Layout, seed: int, **settings: Any) -> RowPredictor:
    return MLPPredictor(layout, seed=seed, **settings)


def _running_mean(layout: Layout, seed: int) -> RowPredictor:
    return RunningMeanPredictor(layout, seed=seed)


# Alpha scales the learning rate of every depth, by 1/L at first: the last MLP's rate is L times the
# paper's, so that all its depths together learn as fast as a plain MLP at the paper's rate.
MODELS: dict[str, Callable[[Layout, int], RowPredictor]] = {
    **{
        f"Fixed MLP (L={depth})": partial(_mlp, num_layers=depth, is_adaptive=False)
        for depth in (3, 6, 10, 14)
    },
    "Adaptive MLP": _mlp,
    "Adaptive MLP (eta=0.1)": partial(_mlp, eta=0.1),
    "Running mean": _running_mean,
}
PUBLIC = (medquicktune, medquicktune_epochs, model_soups)
SEGMENTS = {"all": (0.0, 1.0), "20-40 %": (0.2, 0.4), "80-100 %": (0.8, 1.0)}
# As printed in Table 3, in percent: MAE and MSE of each segment.
PAPER = {
    "Fixed MLP (L=3)": ((10.07, 1.94), (8.99, 1.56), (7.99, 1.21)),
    "Fixed MLP (L=6)": ((9.12, 1.71), (9.03, 1.62), (7.16, 1.04)),
    "Fixed MLP (L=10)": ((8.45, 1.59), (8.46, 1.53), (6.68, 0.96)),
    "Fixed MLP (L=14)": ((11.24, 2.91), (8.34, 1.54), (4.62, 0.46)),
    "Adaptive MLP": ((7.51, 1.36), (7.55, 1.11), (3.73, 0.28)),
}


def errors_before_learning(
    predictor: RowPredictor, table: TaskTable, order: str, seed: int
) -> Array:
    """Return `(n,)` errors in the order of the rows."""
    indices = ordering(table, order, seed)
    errors = np.empty(len(indices))
    for steps, rows in trainings(table, indices):
        predicted = [predictor.predict(table.rows[row]) for row in rows]
        errors[steps] = predicted - table.targets[rows]
        for row in rows:
            predictor.learn(table.rows[row], float(table.targets[row]))
    return errors


def in_percent(errors: Array) -> dict[str, dict[str, float]]:
    """Return MAE and MSE of every segment."""
    found = {}
    for segment, (start, end) in SEGMENTS.items():
        part = errors[round(start * len(errors)) : round(end * len(errors))]
        found[segment] = {
            "mae": 100.0 * float(np.abs(part).mean()),
            "mse": 100.0 * float((part**2).mean()),
        }
    return found


def over_seeds(found: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return every value's mean over seeds, and its standard deviation between seeds."""
    runs = pd.DataFrame(
        [{"segment": segment, **errors} for one in found for segment, errors in one.items()]
    ).groupby("segment", sort=False)
    deviations = runs.std().fillna(0.0)  # of one seed there is none
    both = pd.concat([runs.mean(), deviations.add_suffix("_deviation")], axis=1).round(3)
    summary: dict[str, dict[str, float]] = both.sort_index(axis=1).to_dict("index")
    return summary


def measure(name: str, table: TaskTable, seeds: Sequence[int]) -> dict[str, object]:
    """Compute Table 3 on one stream, in both orders."""
    found: dict[str, object] = {"rows": len(table.rows), "tasks": table.num_groups}
    for order in ORDERS:
        lines: dict[str, object] = {}
        for label, make in MODELS.items():
            predictors = [make(table.layout, seed) for seed in seeds]
            errors = [
                in_percent(errors_before_learning(predictor, table, order, seed))
                for predictor, seed in zip(predictors, seeds, strict=True)
            ]
            lines[label] = {**over_seeds(errors), **last_alpha(predictors)}
            print(name, order, label, lines[label], file=sys.stderr)  # noqa: T201
        found[order] = lines
    return found


def last_alpha(predictors: Sequence[RowPredictor]) -> dict[str, list[float]]:
    """Return the final weights of the depths, means over seeds; {} for MLPs of fixed depth."""
    found = [p.state()["model.alpha"] for p in predictors if isinstance(p, MLPPredictor)]
    if not found or max(found[0]) == 1.0:
        return {}
    return {"last_alpha": np.mean(found, axis=0).round(4).tolist()}


class Stream(NamedTuple):
    """A table of runs, and the SHA-256 of its file."""

    table: TaskTable
    sha256: str


def streams(arguments: argparse.Namespace) -> dict[str, Stream]:
    """Return the public tables, and those that were given."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for join in PUBLIC if arguments.public else ():
            path = join(arguments.public, Path(folder))
            table = read_table(str(path))
            run = RUN_COLUMN if RUN_COLUMN in table.names else ""
            found[path.stem] = Stream(
                task_table(table, "accuracy", "dataset", run=run), digest(path)
            )
    for path in arguments.records:
        table = read_table(str(path))
        found[path.stem] = Stream(
            task_table(table, arguments.target, arguments.group), digest(path)
        )
    if not found:
        raise SystemExit("expected a table of runs or --public FOLDER, got neither")
    return found


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, nargs="*", help="CSV or Parquet, one run per row")
    parser.add_argument("--public", type=Path, help="folder of medquicktune and model_soups")
    parser.add_argument("--target", default="accuracy", metavar="COL")
    parser.add_argument("--group", default="dataset", metavar="COL")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="0 to N - 1")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    paper = {
        label: {
            segment: dict(zip(("mae", "mse"), figures, strict=True))
            for segment, figures in zip(SEGMENTS, line, strict=True)
        }
        for label, line in PAPER.items()
    }
    with threadpool_limits(1):
        measured = {
            name: {"sha256": stream.sha256, **measure(name, stream.table, seeds)}
            for name, stream in streams(arguments).items()
        }
    result: dict[str, object] = {
        "machine": machine(["numpy"]),
        "seeds": list(seeds),
        "unit": "percent; mean over seeds, and standard deviation between them",
        "paper": paper,
        "streams": measured,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
