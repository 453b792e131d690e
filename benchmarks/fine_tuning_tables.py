"""Join public tables of real fine-tuning runs into one CSV each, with one run per row.

- medquicktune: runs of QuickTune's search space on medical images; final accuracy of each
  configuration, with the properties of its data set.
- model_soups: fine-tunes of CLIP ViT-B/32 on ImageNet (Wortsman et al. 2022), each tested on seven
  sets, which are the tasks.

    python benchmarks/fine_tuning_tables.py FOLDER_OF_TABLES OUT_FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

TEST_SETS = (
    "ImageNet2p",
    "ImageNet",
    "ImageNetV2",
    "ImageNetSketch",
    "ImageNetR",
    "ObjectNet",
    "ImageNetA",
)
SETTINGS = ("aug", "wd", "lr", "mix", "smoothing", "epochs")
LAST_EPOCH = 25
RUN_COLUMN = "run_id"


def medquicktune(tables: Path, out: Path) -> Path:
    """Join configurations, data set properties and final accuracy by the run's number."""
    return _medquicktune(tables, out / "medquicktune.csv")


def medquicktune_epochs(tables: Path, out: Path) -> Path:
    """Join the same runs at 5, 10, 15, 20 and 25 epochs: five times as many rows.

    Rows of one run are alike; the column `run_id` tells which belong together.
    """
    return _medquicktune(tables, out / "medquicktune_epochs.csv", epochs=(5, 10, 15, 20, 25))


def _medquicktune(tables: Path, path: Path, epochs: Sequence[int] = ()) -> Path:
    folder = tables / "medquicktune"
    by_file = {}
    for name in ("config", "meta", "curve"):
        with (folder / f"{name}.csv").open(newline="") as stream:
            by_file[name] = {row.pop(""): row for row in csv.DictReader(stream)}
    rows = [
        {
            **config,
            **by_file["meta"][number],
            **({"epochs": epoch, RUN_COLUMN: f"run {number}"} if epochs else {}),
            "accuracy": float(by_file["curve"][number][str(epoch - 1)]) / 100.0,
        }
        for number, config in by_file["config"].items()
        for epoch in epochs or (LAST_EPOCH,)
    ]
    _write(path, rows)
    return path


def model_soups(tables: Path, out: Path) -> Path:
    """Join each fine-tune with each test set; the starting point, not a fine-tune, is left out."""
    folder = tables / "model_soups"
    settings = json.loads((folder / "hparam_info.json").read_text())
    lines = (folder / "individual_model_results.jsonl").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    rows = [
        {
            "dataset": test_set,
            **{name: settings[result["model_name"]].get(name) for name in SETTINGS},
            "accuracy": result[test_set],
        }
        for test_set in TEST_SETS
        for result in results
        if "lr" in settings[result["model_name"]]
    ]
    path = out / "model_soups.csv"
    _write(path, rows)
    return path


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    for join in (medquicktune, model_soups):
        join(arguments.tables, arguments.out)


if __name__ == "__main__":
    main()
