"""Measure what describes a task: the landmark, the paper's domain similarity, and the probes.

    python -m benchmarks.task_features [--processes 2] [--runs FILE] [-o FILE]

The default predictor is evaluated on the package's collected runs as on any table, with all columns
and without some of them, as `nasoa predictor evaluate --drop` does: errors of predictions before
learning, in both orders, and regrets of choosing for a task before any of its runs was seen. All
evaluations of a training stay together: they are shuffled as one, and predicted before any of them
is learned. Finished variants are not repeated; each takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, code_version, machine, write
from benchmarks.run_log import Row, RunLog
from benchmarks.table_version import digest
from nasoa.online.collecting.starter import TABLE
from nasoa.online.evaluation.progressive import ORDERS
from nasoa.steps.evaluate_predictor import EvaluationConfig, TableColumns, evaluate_table

KEY = ("sha256", "variant")
PREDICTOR = "default"
SEED = 0
LANDMARK, SIMILARITY = ("landmark_accuracy",), ("domain_similarity",)
PROBES = ("probe_resolution", "probe_accuracy", "probe_reference_accuracy")
# No predictor sees the seed in any case. Where any column is dropped, the table is one of arbitrary
# columns, and the default formula, which uses the landmark, is left out.
NOTHING = ("seed",)
VARIANTS = {
    "all columns": NOTHING,
    "without the landmark": LANDMARK,
    "without the domain similarity": SIMILARITY,
    "without the probes": PROBES,
    "without landmark and probes": (*LANDMARK, *PROBES),
}


def main() -> None:
    """Evaluate the missing variants, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--table", type=Path, default=TABLE, help="collected runs (Parquet)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("build/task_features.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "task_features.json")
    arguments = parser.parse_args()
    if arguments.processes < 1:
        parser.error(f"expected at least 1 process, got {arguments.processes}")
    if not arguments.table.is_file():
        parser.error(f"expected a table of collected runs, but {arguments.table} does not exist")
    log = RunLog(arguments.runs, KEY)
    rows = [evaluated(arguments.table, variant, log, arguments.processes) for variant in VARIANTS]
    write(summarise(rows), arguments.output)


def evaluated(path: Path, variant: str, log: RunLog, processes: int) -> Row:
    """Return the row of a variant, which is evaluated if the log does not have it.

    Args:
        path: the table of runs.
        variant: a name in `VARIANTS`.
        log: receives the row.
        processes: number of processes.
    """
    key = {"sha256": digest(path), "variant": variant}
    found = log.find(**key)
    if found is not None:
        return found
    evaluation = evaluate_table(
        str(path),
        TableColumns(target="accuracy", group="dataset", drop=VARIANTS[variant]),
        EvaluationConfig(names=(PREDICTOR,), seed=SEED),
        jobs=processes,
    )
    row = {
        **key,
        "rows": evaluation.rows,
        "runs": evaluation.runs,
        "tasks": evaluation.groups,
        "mae": {order: evaluation.error[order][0].mae for order in ORDERS},
        "regret": evaluation.selection.results[0].regret,
        "feedback": evaluation.selection.feedback,
        "draws": evaluation.selection.draws,
        "code_version": code_version(),
    }
    log.append(row)
    sys.stderr.write(f"{json.dumps(row)}\n")
    return row


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the result of all variants."""
    shared = ("sha256", "rows", "runs", "tasks", "feedback", "draws")
    return {
        "command": "python -m benchmarks.task_features",
        "machine": machine(("numpy", "scikit-learn")),
        "code_versions": sorted({row["code_version"] for row in rows}),
        "predictor": PREDICTOR,
        "seed": SEED,
        **{name: rows[0][name] for name in shared},
        "variants": {
            row["variant"]: {
                "dropped": [name for name in VARIANTS[row["variant"]] if name not in NOTHING],
                "mae": row["mae"],
                "regret": row["regret"],
            }
            for row in rows
        },
    }


if __name__ == "__main__":
    main()
