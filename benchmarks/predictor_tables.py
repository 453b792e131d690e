"""Evaluate every predictor on tables of real fine-tuning runs.

Errors are of predictions before learning, in both orders; regrets are of choosing for a task before
any of its runs was seen. Everything runs on one thread.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
    python -m benchmarks.predictor_tables OUT_FOLDER/*.csv [-o FILE]

A table has one run per row, the column `accuracy`, and the column `dataset` for its task. What each
part of the default predictor adds is measured by `predictor_ablation`.
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
from nasoa.steps.evaluate_predictor import EvaluationConfig, TableColumns, evaluate_table

RESULT = RESULTS / "predictor_tables.json"
SEED = 0


def measure(path: Path) -> dict[str, Any]:
    """Return the evaluation of one table, as `nasoa predictor evaluate --json` prints it."""
    evaluation = evaluate_table(
        str(path),
        TableColumns(target="accuracy", group="dataset"),
        EvaluationConfig(seed=SEED),
        progress=lambda done, total, name: print(  # noqa: T201
            f"{path.stem}: {done} of {total}, {name}", file=sys.stderr, flush=True
        ),
    )
    document: dict[str, Any] = msgspec.to_builtins(evaluation)
    return document


def write(path: Path, result: dict[str, Any]) -> None:
    """Write the results so far."""
    path.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    """Measure and write the JSON, table by table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV or Parquet files")
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


if __name__ == "__main__":
    main()
