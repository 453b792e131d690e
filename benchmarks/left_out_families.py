"""Predict the accuracies of networks of a family that was never seen.

    python -m benchmarks.left_out_families [--processes N] [--output FILE]

For each family of networks in the package's experience: the formula is fitted, and the predictor
learned, without any run of it, in the way in which the package's own are made
(`scripts/fit_prior.py`, `scripts/make_starter.py`). Then all its runs are predicted. Reports the
mean absolute error of accuracies of the formula and of the predictor, and the fraction of runs
inside the 90 % interval and its mean width. It takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.machine import RESULTS, machine, write
from benchmarks.table_version import digest
from nasoa.online.collecting.held_out import predict_held_out, sort_by_run
from nasoa.online.collecting.starter import TABLE, collected_runs
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.tabulate import tabulate_collected
from nasoa.records import CollectedRecord
from scripts.fit_prior import fitted

OUTPUT = RESULTS / "left_out_families.json"


def main() -> None:
    """Leave out one family after another, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    records = sort_by_run(collected_runs())
    families: dict[str, dict[str, float]] = {}
    for family in sorted({record.model_family for record in records}):
        families[family] = left_out(records, family, arguments.processes)
        print(family, families[family], flush=True)  # noqa: T201
    result = {
        "machine": machine(("numpy", "scipy")),
        "table": {"rows": len(records), "sha256": digest(TABLE)},
        "families": families,
        "mean": pd.DataFrame(families).mean(axis="columns").to_dict(),
    }
    write(result, arguments.output)


def left_out(records: Sequence[CollectedRecord], family: str, processes: int) -> dict[str, float]:
    """Return errors and coverage on the runs of a family that was left out."""
    inside = [record for record in records if record.model_family == family]
    outside = [record for record in records if record.model_family != family]
    prior = fitted(outside)
    predictor = ExperiencePredictor(prior=prior)
    predictor.learn_collected(outside)
    predictor.replace_record(predict_held_out(outside, processes=processes))
    table = predictor.with_defaults(tabulate_collected(inside))
    accuracies = np.array([record.accuracy for record in inside])
    lows, highs = predictor.intervals(table)
    predicted = from_log_odds(predictor.expected(table))
    return {
        "runs": len(inside),
        "formula_error": float(np.abs(from_log_odds(table.defaults) - accuracies).mean()),
        "predictor_error": float(np.abs(predicted - accuracies).mean()),
        "coverage": float(((lows <= accuracies) & (accuracies <= highs)).mean()),
        "mean_width": float((highs - lows).mean()),
    }


if __name__ == "__main__":
    main()
