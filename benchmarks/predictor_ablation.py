"""Measure what each part of the default predictor adds: each left out in turn, each expert alone.

Errors are of predictions before learning, in both orders; regrets are of choosing for a task before
any of its runs was seen. To finish in reasonable time, at most `--runs-per-task` random runs of
every task are used, and feedback is sampled `--draws` times. Everything runs on one thread.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
    python -m benchmarks.predictor_ablation OUT_FOLDER/*.csv [--runs-per-task 40] [-o FILE]

A table has one run per row, the column `accuracy`, and the column `dataset` for its task.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import RESULTS, machine
from benchmarks.predictor_tables import write
from benchmarks.table_version import digest
from nasoa.online.evaluation.ablation import ablate, variants
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.steps.evaluate_predictor import TableColumns, open_table, regret

RESULT = RESULTS / "predictor_ablation.json"
SEED = 0
FEEDBACK = 12


def some_runs(table: TaskTable, runs_per_task: int) -> TaskTable:
    """Return at most `runs_per_task` random runs of every task, in their original order."""
    rng = np.random.default_rng(SEED)
    kept = sorted(
        index
        for group in range(table.num_groups)
        for index in rng.permutation(np.flatnonzero(table.groups == group))[:runs_per_task].tolist()
    )
    return table.take(np.array(kept))


def measure(name: str, table: TaskTable, draws: int) -> dict[str, Any]:
    """Measure all variants on one table, and the regrets of choosing without a predictor."""
    found = {}
    for variant in variants():
        ablation = ablate(variant, table, feedback=FEEDBACK, draws=draws, seed=SEED)
        found[variant.name] = msgspec.to_builtins(ablation)
        maes = {order: round(error.mae, 4) for order, error in ablation.error.items()}
        print(name, variant.name, maes, ablation.regret, file=sys.stderr, flush=True)  # noqa: T201
    others = {
        way: regret(way, table, FEEDBACK, draws, SEED).regret
        for way in ("best_on_average", "random")
    }
    return {
        "rows": len(table.rows),
        "tasks": table.num_groups,
        "variants": found,
        "regret_of_others": others,
    }


def main() -> None:
    """Measure, and write the JSON, table by table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV or Parquet files")
    parser.add_argument("--runs-per-task", type=int, default=40, metavar="N")
    parser.add_argument("--draws", type=int, default=2, metavar="N", help="of the feedback")
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    tables: dict[str, Any] = {}
    result: dict[str, Any] = {
        "machine": machine(["numpy", "scikit-learn"]),
        "seed": SEED,
        "feedback": FEEDBACK,
        "draws": arguments.draws,
        "runs_per_task": arguments.runs_per_task,
        "tables": tables,
    }
    with threadpool_limits(1):
        for path in arguments.tables:
            whole, _hidden = open_table(str(path), TableColumns(target="accuracy", group="dataset"))
            table = some_runs(whole, arguments.runs_per_task)
            tables[path.stem] = {
                "table": {"rows": len(whole.rows), "sha256": digest(path)},
                **measure(path.stem, table, arguments.draws),
            }
            write(arguments.output, result)


if __name__ == "__main__":
    main()
