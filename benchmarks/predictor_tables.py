"""Evaluate every predictor on tables of real fine-tuning runs.

Errors are of predictions before learning, in both orders; regrets are of choosing for a task before
any of its runs was seen. Everything runs on one thread.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
    python -m benchmarks.predictor_tables OUT_FOLDER/*.csv [-o FILE]

A table has one run per row, the column `accuracy`, and the column `dataset` for its task. The
evaluation of each predictor is appended to FILE with the suffix `.jsonl` when it is finished, and
not repeated. What each part of the default predictor adds is measured by `predictor_ablation`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from threadpoolctl import threadpool_limits

from benchmarks.machine import RESULTS, code_version, machine
from benchmarks.run_log import Row, RunLog
from benchmarks.table_version import digest
from nasoa.online.evaluation.catalogue import available
from nasoa.online.evaluation.progressive import ORDERS
from nasoa.steps.evaluate_predictor import EvaluationConfig, TableColumns, evaluate_table

RESULT = RESULTS / "predictor_tables.json"
KEY = ("table", "sha256", "predictor")
SEED = 0
PACKAGES = ("numpy", "scikit-learn")


def measure(path: Path, predictor: str) -> dict[str, Any]:
    """Return one predictor's evaluation, as `nasoa predictor evaluate --json` prints it."""
    evaluation = evaluate_table(
        str(path),
        TableColumns(target="accuracy", group="dataset"),
        EvaluationConfig(seed=SEED, names=(predictor,)),
    )
    document: dict[str, Any] = msgspec.to_builtins(evaluation)
    return document


def together(evaluations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the evaluations of one table as if all predictors had been evaluated at once."""
    first = evaluations[0]
    own = [found["selection"]["results"][0] for found in evaluations]
    not_predictors = first["selection"]["results"][1:]
    return {
        **first,
        "error": {order: [found["error"][order][0] for found in evaluations] for order in ORDERS},
        "selection": {**first["selection"], "results": [*own, *not_predictors]},
    }


def write(path: Path, result: dict[str, Any]) -> None:
    """Write the results so far."""
    path.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    """Make the missing evaluations, and write the JSON, table by table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV or Parquet files")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    log = RunLog(arguments.output.with_suffix(".jsonl"), KEY)
    tables: dict[str, Any] = {}
    versions: set[str] = set()
    with threadpool_limits(1):
        for path in arguments.tables:
            rows = [evaluated(path, predictor, log) for predictor in available()]
            tables[path.stem] = {
                "sha256": rows[0]["sha256"],
                **together([row["evaluation"] for row in rows]),
            }
            versions |= {row["code_version"] for row in rows}
            result = {
                "machine": {"load_average": os.getloadavg()[0], **machine(PACKAGES)},
                "code_versions": sorted(versions),
                "seed": SEED,
                "tables": tables,
            }
            write(arguments.output, result)


def evaluated(path: Path, predictor: str, log: RunLog) -> Row:
    """Return one predictor's row of the log, which is made if it is missing."""
    key = {"table": path.stem, "sha256": digest(path), "predictor": predictor}
    found = log.find(**key)
    if found is not None:
        return found
    evaluation = measure(path, predictor)
    row = {**key, "evaluation": evaluation, "code_version": code_version()}
    log.append(row)
    maes = {order: round(evaluation["error"][order][0]["mae"], 4) for order in ORDERS}
    print(path.stem, predictor, maes, file=sys.stderr, flush=True)  # noqa: T201
    return row


if __name__ == "__main__":
    main()
