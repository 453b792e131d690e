"""Compare fine-tuning packaged weights with training from random ones (Table 6).

    python -m benchmarks.finetune_vs_scratch [DATA ...] [--iterations 600] [--shard 0 2]
    python -m benchmarks.finetune_vs_scratch [DATA ...] [--iterations 600] --report

Three arms train the same network, all of its stages, on the same splits with the same loop
(`benchmarks/fixed_length.py`):

- fine-tuned: from the weights of the package and a head of zeros, for `--iterations` updates;
- scratch: from random weights, for as many updates;
- scratch, longer: the same for `--longer` times as many, by default 600 / 350, since the paper
  trains for 600 epochs from scratch and for 350 epochs otherwise (6.1).

Lengths are updates, not seconds, so the machine's load changes nothing. Minutes are those of steps
and validations on the reference machine. The learning rate of each arm is that of the highest
validation accuracy at the first seed among 0.01, 0.03 and 0.1 (`--lrs`), the lowest of equal ones;
the longer arm takes that of the shorter one. The paper uses 0.01 for both. Test images are
classified at the end of each training and choose nothing.

Departures from 6.1, all in both arms: a cosine schedule, since so short a training has no room for
the paper's steps; the loop's weight decay of 5e-4, label smoothing and Nesterov's momentum; random
crops of at least 80 % of the area, as in the package's fine-tunes. DATA are by default the five
test tasks. Finished trainings are appended to the file given by `--runs`, and are not repeated;
`--report` makes none. Several processes may share the trainings, one thread each (`--shard I K`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import pandas as pd
import torch

from benchmarks.arguments import positive
from benchmarks.device import device
from benchmarks.finetune_vs_scratch_page import NAME
from benchmarks.fixed_length import add_arguments, images, train
from benchmarks.machine import code_version, write
from benchmarks.paired_summary import bootstrap_interval
from benchmarks.paper_tables import TABLE_6
from benchmarks.run_log import Row, RunLog, names_of
from benchmarks.shards import WHOLE, share
from nasoa.config import FineTuneConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import NasoaError
from nasoa.records import Regime
from nasoa.training.hardware import use_threads
from nasoa.zoo.entries import packaged_zoo
from nasoa.zoo.networks import build, for_classes, load_network

KEY = ("data", "network", "arm", "iterations", "lr", "seed", "resolution", "batch_size")
FINETUNED, SCRATCH, LONGER = ARMS = ("fine-tuned", "scratch", "scratch, longer")
NETWORKS = ("ET-NAS-A", "efficientnet-lite0")  # one pretrained here, one on ImageNet
LRS = (0.01, 0.03, 0.1)
SEEDS = (0, 1, 2)
ITERATIONS = 600
LONGER_BY = 600 / 350
MIN_SCALE = FineTuneConfig.min_scale


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the missing trainings, then write the result; return the exit code."""
    asked = parse(arguments)
    use_threads(asked.threads)
    try:
        names = names_of(asked.data)
        cells = share(list(product(names, asked.networks)), WHOLE if asked.report else asked.shard)
        trainings = Trainings(RunLog(asked.runs, KEY), names, only_finished=asked.report)
        rows = list(chosen_rows(asked, cells, trainings))
    except (NasoaError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if asked.shard[1] > 1 and not asked.report:
        return 0
    if not rows:
        sys.stderr.write(
            f"expected finished trainings in {asked.runs}, but there are none; leave out --report\n"
        )
        return 2
    write(_result(asked, rows, trainings.used), asked.output)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; by default that of the process."""
    known = sorted(packaged_zoo().buildable().entries)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_arguments(parser, NAME, iterations=ITERATIONS, seeds=SEEDS)
    parser.add_argument("--networks", nargs="+", choices=known, default=NETWORKS)
    parser.add_argument("--longer", type=positive, default=LONGER_BY, metavar="TIMES")
    parser.add_argument("--lrs", type=positive, nargs="+", default=LRS, metavar="LR")
    asked = parser.parse_args(arguments)
    for name in ("networks", "seeds"):
        setattr(asked, name, list(dict.fromkeys(getattr(asked, name))))
    asked.lrs = sorted(set(asked.lrs))
    return asked


# Returns the row of a training with these key values; None if it is not made.
Find = Callable[[Row], Row | None]


def chosen_rows(
    asked: argparse.Namespace, cells: Sequence[tuple[str, str]], find: Find
) -> Iterator[Row]:
    """Yield the trainings of every arm at its learning rate, those of the first seed first.

    Args:
        asked: the arguments.
        cells: a data set and a network each.
        find: makes a training, or returns the one that is finished.
    """
    longer = round(asked.longer * asked.iterations)
    lengths = {FINETUNED: asked.iterations, SCRATCH: asked.iterations, LONGER: longer}

    def keys(arm: str, lr: float, case: Row) -> Row:
        sizes = {"resolution": asked.resolution, "batch_size": asked.batch_size}
        return {"arm": arm, "iterations": lengths[arm], "lr": lr, **case, **sizes}

    for seed, (data, network) in product(asked.seeds, cells):
        case = {"data": data, "network": network, "seed": seed}
        first = {**case, "seed": asked.seeds[0]}
        rates = {
            arm: best_lr([find(keys(arm, lr, first)) for lr in asked.lrs])
            for arm in (FINETUNED, SCRATCH)
        }
        rates[LONGER] = rates[SCRATCH]
        for arm, lr in rates.items():
            row = None if lr is None else find(keys(arm, lr, case))
            if row is not None:
                yield row


def best_lr(rows: Sequence[Row | None]) -> float | None:
    """Return the learning rate of the highest validation accuracy, the first of equal ones.

    It is None unless all trainings are finished.
    """
    made = [row for row in rows if row is not None]
    if len(made) < len(rows):
        return None
    best: float = max(made, key=lambda row: row["val_accuracy"])["lr"]
    return best


class Trainings:
    """Finds finished trainings, and makes the others.

    Args:
        log: the finished trainings.
        names: the data sets.
        only_finished: whether to make none.
    """

    def __init__(self, log: RunLog, names: Mapping[str, str], *, only_finished: bool) -> None:
        self.used: list[Row] = []
        self._log = log
        self._only_finished = only_finished
        self._version = code_version()
        self._data_set = lru_cache(maxsize=len(names))(
            lambda data, seed: load_dataset(names[data], seed=seed)
        )

    def __call__(self, key: Row) -> Row | None:
        """Return the training with these key values; None if it is not finished."""
        row = self._log.find(**key)
        if row is None and not self._only_finished:
            row = self._made(key)
        if row is not None and row not in self.used:
            self.used.append(row)
        return row

    def _made(self, key: Row) -> Row:
        started = time.perf_counter()
        trained = training(self._data_set(key["data"], key["seed"]), key)
        wall_s = round(time.perf_counter() - started, 2)
        row = {**key, **trained, "wall_s": wall_s, "code_version": self._version}
        self._log.append(row)
        sys.stderr.write(f"{json.dumps(row)}\n")
        return row


def training(data: ImageDataset, key: Row) -> Row:
    """Make a training of one arm; see `benchmarks.fixed_length.train` for what it returns.

    Args:
        data: the data set, with the splits of the seed.
        key: the arm, the network and the settings.
    """
    zoo = packaged_zoo()
    entry, classes = zoo.entry(key["network"]), len(data.class_names)
    torch.manual_seed(key["seed"])
    if key["arm"] == FINETUNED:
        network = load_network(entry, zoo.weights(entry.name), classes)
    else:
        network = build(for_classes(entry, classes))
    regime = Regime(
        model=entry.name,
        lr=key["lr"],
        frozen_stages=-1,
        iterations=key["iterations"],
        batch_size=key["batch_size"],
        resolution=key["resolution"],
        lr_schedule="cosine",
        fills_limit=False,
    )
    inputs = images(network, data, entry, regime, seed=key["seed"], min_scale=MIN_SCALE)
    return train(network, inputs, entry, regime)


def _result(asked: argparse.Namespace, rows: Sequence[Row], used: Sequence[Row]) -> dict[str, Any]:
    """Return the result; `used` are all trainings, those that chose a learning rate among them."""
    return {
        "what": "test accuracy of networks from packaged and from random weights",
        "machine": device(),
        "code_versions": sorted({row["code_version"] for row in used}),
        "seeds": list(asked.seeds),
        "iterations": asked.iterations,
        "longer": round(asked.longer, 4),
        "lrs": asked.lrs,
        "resolution": asked.resolution,
        "batch_size": asked.batch_size,
        "wall_hours": round(sum(row["wall_s"] for row in used) / 3600, 2),
        "networks": summarise(rows),
        "paper": {
            data: {network: cell._asdict() for network, cell in row.items()}
            for data, row in TABLE_6.items()
        },
        "runs": list(used),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the arms of each network on each data set, and what fine-tuning gains.

    Args:
        rows: trainings of the arms at their learning rates.

    Returns:
        For each network: `data`, the arms by data set, and `gain` over each arm from scratch with
        its 90 % interval over the data sets that have all arms, and on how many it is above 0.
    """
    found: dict[str, Any] = {}
    for network, own in pd.DataFrame([*rows]).groupby("network", sort=False):
        arms = own.groupby(["data", "arm"], sort=False)
        data = {
            str(name): {
                arm: _arm(arms.get_group((name, arm))) for arm in ARMS if (name, arm) in arms.groups
            }
            for name in own["data"].unique()
        }
        accuracies = arms["accuracy"].mean().round(5).unstack("arm").reindex(columns=[*ARMS])
        whole = accuracies.dropna()
        found[str(network)] = {
            "data": data,
            "gain": {
                arm: _gain(whole[FINETUNED] - whole[arm]) for arm in (SCRATCH, LONGER) if len(whole)
            },
        }
    return found


def _arm(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the accuracy of an arm on one data set, and its spread over seeds."""
    return {
        "lr": float(runs["lr"].iloc[0]),
        "iterations": int(runs["iterations"].iloc[0]),
        "accuracy": round(float(runs["accuracy"].mean()), 5),
        "std": round(float(runs["accuracy"].std()), 5) if len(runs) > 1 else None,
        "seeds": runs["seed"].to_list(),
        "accuracies": runs["accuracy"].to_list(),
        "minutes": round(float(runs["step_clock_s"].mean()) / 60, 2),
        "ended": sorted(runs["ended"].unique()),
    }


def _gain(gains: pd.Series) -> dict[str, Any]:
    return {
        "mean": round(float(gains.mean()), 5),
        "interval_90": bootstrap_interval(gains.to_list()),
        "data_sets": len(gains),
        "ahead_on": int((gains > 0).sum()),
    }


if __name__ == "__main__":
    sys.exit(main())
