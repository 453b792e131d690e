"""Find the best learning rate and frozen stages of a network on each data set (Table 7).

    python -m benchmarks.lr_frozen_grid [DATA ...] [--network efficientnet-lite0] [--shard 0 2]
    python -m benchmarks.lr_frozen_grid [DATA ...] [--network efficientnet-lite0] --report

Every learning rate of 6.1 (0.1, 0.01, 0.001, 0.0001) is combined with every number of frozen stages
(-1 for none, 0 for the stem, k for the stem and k stages), each for the same number of updates on
the same splits with the package's own loop (`benchmarks/fixed_length.py`). Lengths are updates, not
seconds, so the machine's load changes nothing.

The optimum of a data set is the setting of the highest validation accuracy, means over seeds, and
the first in the order of the grid of equal ones. Its test accuracy is reported, and:

- the optimum of each seed alone, which shows how much of a difference is noise;
- the test accuracy of the one setting that is best in validation on the other data sets, on average
  over them: what choosing for each data set gains over it.

The output of the frozen stages is computed once for each image and its mirror image, so all
settings train on the same batches, mirrored at random and without crops, and statistics of frozen
stages do not adapt. That departs from 6.1, as do the cosine schedule, the weight decay of 5e-4,
label smoothing and Nesterov's momentum of the loop. DATA are by default the five test tasks.
Finished trainings are appended to the file given by `--runs`, and are not repeated; `--report`
makes none. Several processes may share the trainings, one thread each (`--shard I K`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.arguments import positive
from benchmarks.device import device
from benchmarks.fixed_length import add_arguments, images, train
from benchmarks.lr_frozen_grid_page import NAME
from benchmarks.machine import code_version, write
from benchmarks.paired_summary import bootstrap_interval
from benchmarks.paper_tables import TABLE_7
from benchmarks.run_log import Row, RunLog, names_of
from benchmarks.shards import share
from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import NasoaError
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.records import Regime
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import load_network

PART = ("data", "network", "seed", "iterations", "resolution", "batch_size")
KEY = (*PART, "frozen_stages", "lr")
NETWORK = "efficientnet-lite0"
GRID = RegimeSpace.paper()
SEEDS = (0, 1)
ITERATIONS = 400

# A learning rate and a number of frozen stages.
SETTING = ["lr", "frozen_stages"]
Setting = tuple[float, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the missing trainings, then write the result; return the exit code."""
    asked = parse(arguments)
    use_threads(asked.threads)
    try:
        names = names_of(asked.data)
        log = RunLog(asked.runs, KEY)
        if not asked.report:
            for part in share(parts(asked, names), asked.shard):
                run(log, part, names[part["data"]], asked)
    except (NasoaError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.shard[1] > 1 and not asked.report:
        return 0
    asked_for = [
        {**part, "frozen_stages": frozen, "lr": lr}
        for part in parts(asked, names)
        for frozen, lr in product(asked.frozen_stages, asked.lrs)
    ]
    rows = [row for row in (log.find(**key) for key in asked_for) if row is not None]
    if len(rows) < len(asked_for):
        sys.stderr.write(
            f"expected {len(asked_for)} finished trainings in {asked.runs}, got {len(rows)}; leave "
            "out --report, or name fewer DATA or --seeds\n"
        )
        return 2
    write(_result(asked, rows), asked.output)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; by default that of the process."""
    known = sorted(packaged_zoo().buildable().entries)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_arguments(parser, NAME, iterations=ITERATIONS, seeds=SEEDS)
    parser.add_argument("--network", choices=known, default=NETWORK)
    parser.add_argument("--lrs", type=positive, nargs="+", default=GRID.lrs, metavar="LR")
    parser.add_argument(
        "--frozen-stages",
        type=int,
        nargs="+",
        choices=GRID.frozen_stages,
        default=GRID.frozen_stages,
    )
    asked = parser.parse_args(arguments)
    for name in ("lrs", "frozen_stages", "seeds"):
        setattr(asked, name, list(dict.fromkeys(getattr(asked, name))))
    return asked


def parts(asked: argparse.Namespace, names: Mapping[str, str]) -> list[Row]:
    """Return the part of the key that a data set and a seed have in common."""
    return [
        {
            "data": data,
            "network": asked.network,
            "seed": seed,
            "iterations": asked.iterations,
            "resolution": asked.resolution,
            "batch_size": asked.batch_size,
        }
        for seed, data in product(asked.seeds, names)
    ]


def run(log: RunLog, part: Row, path: str, asked: argparse.Namespace) -> None:
    """Make the trainings of one data set and seed that are missing from the log.

    Args:
        log: the finished trainings.
        part: what they have in common.
        path: the data set.
        asked: the grid.
    """
    version = code_version()
    data: ImageDataset | None = None
    for frozen in asked.frozen_stages:
        keys = [{**part, "frozen_stages": frozen, "lr": lr} for lr in asked.lrs]
        missing = [key for key in keys if not log.has(**key)]
        if not missing:
            continue
        data = data or load_dataset(path, seed=part["seed"])
        features = Features(data, missing[0])
        for key in missing:
            started = time.perf_counter()
            trained = features.trained(key["lr"])
            wall_s = round(time.perf_counter() - started, 2)
            log.append({**key, **trained, "wall_s": wall_s, "code_version": version})
            sys.stderr.write(f"{json.dumps(log.rows[-1])}\n")


class Features:
    """The output of the frozen stages for a data set, and trainings of the rest of the network.

    Args:
        data: the data set, with the splits of the seed.
        key: network, frozen stages and settings.
    """

    def __init__(self, data: ImageDataset, key: Row) -> None:
        self._zoo = packaged_zoo()
        self._entry = self._zoo.entry(key["network"])
        self._classes, self._key = len(data.class_names), key
        source = images(
            self._network(), data, self._entry, self._regime(1.0), seed=key["seed"], min_scale=1.0
        )
        self._inputs = CachedFeatures(source, pooled=False)
        # All at once, so that every training has the same batches.
        for split, side in product(("train", "val"), range(self._inputs.sides)):
            for _images in self._inputs.fill(split, side):
                pass

    def trained(self, lr: float) -> Row:
        """Train at a learning rate; see `benchmarks.fixed_length.train` for what it returns."""
        torch.manual_seed(self._key["seed"])
        return train(self._network(), self._inputs, self._entry, self._regime(lr))

    def _network(self) -> StagedNetwork:
        return load_network(self._entry, self._zoo.weights(self._entry.name), self._classes)

    def _regime(self, lr: float) -> Regime:
        return Regime(
            model=self._entry.name,
            lr=lr,
            frozen_stages=self._key["frozen_stages"],
            iterations=self._key["iterations"],
            batch_size=self._key["batch_size"],
            resolution=self._key["resolution"],
            lr_schedule="cosine",
            cached_features=True,
            fills_limit=False,
        )


def _result(asked: argparse.Namespace, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "what": "best learning rate and frozen stages of a network on each data set",
        "machine": device(),
        "code_versions": sorted({row["code_version"] for row in rows}),
        "network": asked.network,
        "seeds": list(asked.seeds),
        "iterations": asked.iterations,
        "resolution": asked.resolution,
        "batch_size": asked.batch_size,
        "lrs": list(asked.lrs),
        "frozen_stages": list(asked.frozen_stages),
        "wall_hours": round(sum(row["wall_s"] for row in rows) / 3600, 2),
        **summarise(rows),
        "paper": [row._asdict() for row in TABLE_7],
        "runs": list(rows),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the optimum of each data set, and what choosing it gains.

    Args:
        rows: trainings of every setting on every data set, with the same seeds.
    """
    runs = pd.DataFrame([*rows])
    tables = {str(name): _means(own) for name, own in runs.groupby("data", sort=False)}
    found: dict[str, Any] = {}
    for name, table in tables.items():
        others = [own for other, own in tables.items() if other != name]
        found[name] = {
            "optimum": _cell(table, best([table])),
            "optimum_by_seed": _by_seed(runs[runs["data"] == name]),
            "best_elsewhere": _cell(table, best(others)) if others else None,
            "grid": [_cell(table, setting) for setting in table.index],
        }
    gains = [
        own["optimum"]["accuracy"] - own["best_elsewhere"]["accuracy"]
        for own in found.values()
        if own["best_elsewhere"]
    ]
    return {
        "data": found,
        "different_optima": len({best([table]) for table in tables.values()}),
        "best_on_average": _named(best(list(tables.values()))),
        "gain_of_choosing": {
            "mean": round(float(np.mean(gains)), 5) if gains else None,
            "interval_90": bootstrap_interval(gains),
        },
    }


def _means(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean validation and test accuracy of each setting."""
    return runs.groupby(SETTING, sort=False)[["val_accuracy", "accuracy"]].mean()


def best(tables: Sequence[pd.DataFrame]) -> Setting:
    """Return the setting of the highest validation accuracy, on average over data sets.

    Args:
        tables: means of each data set, from `_means`.
    """
    by_data = pd.concat([table["val_accuracy"] for table in tables], axis="columns")
    lr, frozen_stages = by_data.mean(axis="columns").idxmax()
    return float(lr), int(frozen_stages)


def _by_seed(runs: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"seed": int(seed), **_named(best([_means(own)]))}
        for seed, own in runs.groupby("seed", sort=False)
    ]


def _named(setting: Setting) -> dict[str, Any]:
    lr, frozen_stages = setting
    return {"lr": float(lr), "frozen_stages": int(frozen_stages)}


def _cell(table: pd.DataFrame, setting: Setting) -> dict[str, Any]:
    means = table.loc[setting]
    return {**_named(setting), **{name: round(float(mean), 5) for name, mean in means.items()}}


if __name__ == "__main__":
    sys.exit(main())
