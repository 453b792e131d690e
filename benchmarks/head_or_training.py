"""How much later a training must be ahead of the head alone in validation, by collected runs.

    python -m benchmarks.head_or_training

The package's table has runs of the head alone and of trainings on the same images, with the same
network at the same resolution. For each such training, a rule says by how many standard errors its
validation accuracy must exceed that of the head alone to be kept. Written are the mean test
accuracy of what each rule keeps, of the heads and of the trainings alone, and of the better of the
two, and the difference to the heads with an interval over data sets; by network, too.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import RESULTS, machine, write
from benchmarks.paired_summary import bootstrap_interval
from nasoa.online.collecting.starter import TABLE
from nasoa.records import HEAD_ONLY

NAME = "head_or_training.json"
# What identifies the images of a run in the table, the network and the resolution.
PART = [
    *("dataset", "num_images", "num_classes", "landmark_accuracy", "domain_similarity"),
    *("model", "resolution"),
]
STANDARD_ERRORS = (0.0, 0.25, 0.5, 1.0, 2.0)
VAL_FRACTION = 0.1  # of the images that are not for testing
LEAST_VARIANCE = 0.02  # where the head makes no mistake in validation


def main() -> None:
    """Write the result."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    pairs = paired(pd.read_parquet(TABLE))
    networks = {
        "all": pairs,
        "EfficientNet-Lite": pairs[pairs["model"].str.startswith("efficientnet-lite")],
        "others": pairs[~pairs["model"].str.startswith("efficientnet-lite")],
    }
    write(
        {
            "machine": machine(["numpy", "pandas"]),
            "networks": {name: judged(some) for name, some in networks.items()},
        },
        RESULTS / NAME,
    )


def paired(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each training with the longest head alone of the same part.

    Args:
        runs: records of the table; of several looks at a run, the last counts.
    """
    last = runs.sort_values("iterations").groupby("run_id", sort=False).tail(1)
    is_head = last["frozen_stages"] == HEAD_ONLY
    heads = last[is_head].sort_values("iterations").groupby(PART, dropna=False).tail(1)
    return last[~is_head].merge(heads, on=PART, suffixes=("", "_head"))


def judged(pairs: pd.DataFrame) -> dict[str, Any]:
    """Return the accuracy of what each rule keeps of the pairs."""
    head, trained = pairs["accuracy_head"], pairs["accuracy"]
    val = pairs["val_accuracy_head"]
    num_val = (pairs["num_images"] * VAL_FRACTION / (1 - VAL_FRACTION)).clip(lower=1)
    error = np.sqrt((val * (1 - val)).clip(lower=LEAST_VARIANCE) / num_val)
    kept = {
        "the head alone": head,
        "the training": trained,
        "the better": np.maximum(head, trained),
    }
    for number in STANDARD_ERRORS:
        is_kept = pairs["val_accuracy"] > val + number * error
        kept[f"ahead by {number:g} standard errors"] = trained.where(is_kept, head)
    return {
        "trainings": len(pairs),
        "data_sets": pairs["dataset"].nunique(),
        "trainings_ahead_of_the_head": float((trained > head).mean()),
        "accuracy": {name: float(values.mean()) for name, values in kept.items()},
        "less_the_head": {
            name: bootstrap_interval((values - head).groupby(pairs["dataset"]).mean().tolist())
            for name, values in kept.items()
        },
    }


if __name__ == "__main__":
    main()
