"""Every predictor on tables of real fine-tuning runs, and what each expert of the default adds.

Errors are of predicting before learning, in both orders; regrets are of choosing for a task before
anything of it was seen. Everything runs on one thread.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
    python -m benchmarks.predictor_tables OUT_FOLDER/*.csv [--ablation] [-o FILE]

A table has a run a row, the column `accuracy`, and the column `dataset` for its task.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from threadpoolctl import threadpool_limits

from benchmarks.machine import RESULTS, machine
from nasoa.data.table import read_table
from nasoa.online.predictors.default import TRUST, DefaultPredictor
from nasoa.online.progressive import ORDERS, error_of
from nasoa.online.task_table import task_table
from nasoa.steps.evaluating import evaluate_table

RESULT = RESULTS / "predictor_tables.json"
SEED = 0


def measure(path: Path) -> dict[str, Any]:
    """The evaluation of one table, as `nasoa predictor evaluate --json` prints it."""
    evaluation = evaluate_table(
        str(path),
        "accuracy",
        "dataset",
        seed=SEED,
        progress=lambda done, total, name: print(  # noqa: T201
            f"{path.stem}: {done} of {total}, {name}", file=sys.stderr, flush=True
        ),
    )
    document: dict[str, Any] = msgspec.to_builtins(evaluation)
    return document


def without_each(path: Path) -> dict[str, dict[str, float]]:
    """Mean absolute error in each order with one expert left out."""
    table = task_table(read_table(str(path)), "accuracy", "dataset")
    found: dict[str, dict[str, float]] = {}
    for left_out in TRUST:
        found[left_out] = {}
        for order in ORDERS:
            predictor = DefaultPredictor(table.layout, seed=SEED, without=[left_out])
            found[left_out][order] = error_of(predictor, left_out, table, order, SEED).mae
            print(path.stem, "without", left_out, found[left_out], file=sys.stderr)  # noqa: T201
    return found


def write(path: Path, result: dict[str, Any]) -> None:
    """What is known so far."""
    path.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    """Measure and write the JSON, table by table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV or Parquet files")
    parser.add_argument("--ablation", action="store_true", help="leave out each expert in turn")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "machine": {"load_average": os.getloadavg()[0], **machine(["numpy", "scikit-learn"])},
        "seed": SEED,
        "tables": {},
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):
        for path in arguments.tables:
            result["tables"][path.stem] = measure(path)
            write(arguments.output, result)
        for path in arguments.tables if arguments.ablation else ():
            result["tables"][path.stem]["without"] = without_each(path)
            write(arguments.output, result)


if __name__ == "__main__":
    main()
