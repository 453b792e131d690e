"""Make the table and the predictor that come with the package out of collected fine-tunes.

    python -m scripts.make_starter build/known.parquet build/peers.parquet

The files are from `nasoa meta-train ... --output FILE`. The records are put in order of their runs,
so that data sets alternate, and the predictor learns them in that order. How far it is trusted then
follows from what predictors said of data sets that were kept from them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.online.collected_table import read_table, write_table
from nasoa.online.experience_predictor import ExperiencePredictor
from nasoa.online.held_out import judge_held_out
from nasoa.online.starter import FOLDER, STATE, TABLE, write_state
from nasoa.records import CollectedRecord

TEST_TASKS = {"food101", "cars196", "wbc4", "flowers5", "scene15"}


def main() -> None:
    """Join, learn, and write both files into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.parquet")
    arguments = parser.parse_args()
    records = joined([record for path in arguments.tables for record in read_table(path)])
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    judged = judge_held_out(records)
    predictor.take_record(judged)
    FOLDER.mkdir(exist_ok=True)
    write_table(records, TABLE)
    write_state(predictor.state())
    for path in (TABLE, STATE):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")  # noqa: T201
    print(f"{len(records)} records of {len({r.run_id for r in records})} runs")  # noqa: T201
    error = abs(judged.mixture - judged.accuracies).mean()
    print(f"mean absolute error on data sets held out: {error:.4f}")  # noqa: T201
    for column in ("dataset", "model"):
        counts = Counter(getattr(record, column) for record in records)
        print("\n".join(f"| {name} | {count} |" for name, count in sorted(counts.items())))  # noqa: T201


def joined(records: list[CollectedRecord]) -> list[CollectedRecord]:
    """Records by number of the run, then by collection.

    Raises:
        InvalidInput: a test task is among them, or one run is in two files.
    """
    found = sorted({record.dataset for record in records} & TEST_TASKS)
    if found:
        raise InvalidInput(f"expected no runs of the test tasks, but there are some of {found[0]}")
    looks = Counter((record.run_id, record.iterations) for record in records)
    twice = [run_id for (run_id, _), count in looks.items() if count > 1]
    if twice:
        raise InvalidInput(f"expected each run once, but {twice[0]} is there more than once")
    return sorted(records, key=lambda r: (*reversed(r.run_id.rsplit("-", 1)), r.iterations))


if __name__ == "__main__":
    main()
