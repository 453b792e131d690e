"""Make the table and the predictors that come with the package from collected fine-tunes.

The counts in the table's card are updated too.

    python -m scripts.make_starter build/known.parquet build/peers.parquet

The files are from `nasoa meta-train ... --output FILE`. The records are sorted by the number of
their runs, so that data sets alternate, and the predictors learn them in that order. The trust in
the default predictor then follows from its predictions on held-out data sets.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from threadpoolctl import threadpool_limits

from nasoa.cores import num_cores
from nasoa.errors import InvalidInput
from nasoa.online.collecting.collected_table import read_table, write_table
from nasoa.online.collecting.held_out import learn_and_hold_out, sort_by_run
from nasoa.online.collecting.starter import CARD, FOLDER, PAPER_STATE, STATE, TABLE, write_state
from nasoa.online.predictor.paper_predictor import PaperPredictor
from nasoa.online.task.task_name import source_of
from nasoa.records import CollectedRecord

HEADING = "## Records\n"
TEST_TASKS = {"food101", "cars196", "wbc4", "flowers5", "scene15"}  # and parts of them


def main() -> None:
    """Join the files, learn, and write table and predictors into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", type=Path, metavar="FILE.parquet")
    arguments = parser.parse_args()
    records = sorted_by_run([record for path in arguments.tables for record in read_table(path)])
    predictor, held_out = learn_and_hold_out(records, processes=num_cores())
    FOLDER.mkdir(exist_ok=True)
    write_table(records, TABLE)
    write_state(predictor.state(), STATE)
    with threadpool_limits(1):
        write_state(PaperPredictor.after(records).state(), PAPER_STATE)
    CARD.write_text(with_counts(CARD.read_text(encoding="utf-8"), records), encoding="utf-8")
    for path in (TABLE, STATE, PAPER_STATE):
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")  # noqa: T201
    error = abs(held_out.mixture - held_out.accuracies).mean()
    print(f"mean absolute error on data sets held out: {error:.4f}")  # noqa: T201


def with_counts(card: str, records: list[CollectedRecord]) -> str:
    """Return the card with a section `Records` about these records."""
    runs = len({record.run_id for record in records})
    models = sorted({record.model for record in records})
    counts = Counter((record.dataset, record.model) for record in records)
    lines = [f"{len(records)} records of {runs} runs.", "", f"| | {' | '.join(models)} |"]
    lines.append("|---|" + "---|" * len(models))
    for dataset in sorted({record.dataset for record in records}):
        cells = " | ".join(str(counts[dataset, model]) for model in models)
        lines.append(f"| {dataset} | {cells} |")
    before, rest = card.split(HEADING)
    after = rest[rest.index("\n## ") :]
    return f"{before}{HEADING}\n" + "\n".join(lines) + f"\n{after}"


def sorted_by_run(records: list[CollectedRecord]) -> list[CollectedRecord]:
    """Sort records by number of the run, then by collection.

    Raises:
        InvalidInput: a test task is among them, or one run is in two files.
    """
    found = sorted({source_of(record.dataset) for record in records} & TEST_TASKS)
    if found:
        raise InvalidInput(f"expected no runs of the test tasks, but there are some of {found[0]}")
    return sort_by_run(records)


if __name__ == "__main__":
    main()
