"""Where ways to search are compared: in a table of trainings, in synthetic ones, and for real."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.nsga2_quality import LAYERS, OPERATORS, MacroTable
from benchmarks.run_log import Row, RunLog, code_version
from benchmarks.search_methods import SCORES, Result, World
from benchmarks.search_signals import free
from nasoa.arch import ArchSpec, parse
from nasoa.arch.spec import OPERATOR_NAMES, RATIOS, BlockSpec, Operator
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.offline.canonical import possible_skips
from nasoa.offline.evaluate import load_proxy, train
from nasoa.offline.measure import measure
from nasoa.offline.pareto import hypervolume
from nasoa.offline.space import SMALL_MACRO, BlockSpace

Array = NDArray[np.float64]

JUDGING = replace(EvaluateConfig.small(), signal="loss")
TABLE_SPACE = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=2, max_skips=0)
REAL_SPACE = BlockSpace.small()
TABLE_SEEDS = (0, 1, 2)
LIMIT_MS = 120.0  # step time above which a real search does not train
SHARE = 0.25  # of the core-seconds of the whole table: the budget in it
SYNTHETIC_EVALUATIONS = 444


def block_upper(space: BlockSpace) -> list[int]:
    """Return the largest value of each gene of a block space."""
    skips = len(possible_skips(space.max_operators))
    return [
        space.max_operators - 1,
        *[len(OPERATOR_NAMES) - 1] * space.max_operators,
        *[len(RATIOS) - 1] * (space.max_operators - 1),
        *[skips] * space.max_skips,
        len(space.first_channels) - 1,
    ]


def block_of(space: BlockSpace, genes: Sequence[int]) -> ArchSpec | None:
    """Return the network of genes, or None if it is not in the space."""
    most = space.max_operators
    count = genes[0] + 1
    kinds, ratios = genes[1 : 1 + most], genes[1 + most : 2 * most]
    operators = tuple(
        Operator(kinds[i], ratios[i] if i < count - 1 else None) for i in range(count)
    )
    possible = possible_skips(count)
    chosen = genes[2 * most : 2 * most + space.max_skips]
    # 0 is no skip; places that this number of operators lacks are wrapped around.
    skips = tuple(possible[(gene - 1) % len(possible)] for gene in chosen if gene)
    channels = space.first_channels[genes[-1]]
    return space.valid(ArchSpec(BlockSpec(operators, skips), channels, space.stages))


def table_plan() -> list[Row]:
    """Return the key fields of all lines of the table, cheap ones of each network first."""
    jobs = [("step", 0), ("free", 0), *(("train", seed) for seed in TABLE_SEEDS)]
    return [
        {"encoding": str(spec), "kind": kind, "seed": seed}
        for spec in TABLE_SPACE.all()
        for kind, seed in jobs
    ]


class Trainings:
    """Real evaluations, each made once and kept in a log.

    Args:
        data: DATA of the proxy.
        log: lines by encoding, kind ("step", "free" or "train") and seed.
    """

    def __init__(self, data: str, log: RunLog) -> None:
        torch.set_num_threads(1)
        self._data, self._log = data, log

    def row(self, encoding: str, kind: str, seed: int) -> Row:
        """Return a line, made now if it is missing."""
        key = {"encoding": encoding, "kind": kind, "seed": seed}
        found = self._log.find(**key)
        if found is not None:
            return found
        proxy = _proxy(self._data)
        started = time.process_time()
        spec = parse(encoding)
        values: Row
        if kind == "step":
            values = {"step_ms": measure(spec, len(proxy.class_names), JUDGING).step_time_ms}
        elif kind == "free":
            values = free(spec, proxy)
        else:
            trained = train(spec, proxy, JUDGING, seed=seed)
            values = {"score": trained.score, "accuracy": trained.accuracy}
        spent = round(time.process_time() - started, 3)
        row = {**key, **values, "core_s": spent, "code_version": code_version()}
        self._log.append(row)
        sys.stderr.write(f"{row}\n")
        return row


@cache
def _proxy(data: str) -> ImageDataset:
    return load_proxy(data, JUDGING)


def fill_table(data: str, log: RunLog, shard: tuple[int, int]) -> None:
    """Make the lines of the table of a shard that are missing."""
    trainings = Trainings(data, log)
    keys = table_plan()
    networks = list(dict.fromkeys(key["encoding"] for key in keys))
    own = set(networks[shard[0] :: shard[1]])
    for key in keys:
        if key["encoding"] in own:
            trainings.row(key["encoding"], key["kind"], key["seed"])


class RealTable:
    """The measured block space as worlds, one for each seed whose training a search sees.

    Args:
        rows: lines of the table.

    Raises:
        ValueError: lines are missing.
    """

    name = "blocks of at most two operators, trained"

    def __init__(self, rows: Sequence[Row]) -> None:
        by_key = {(row["encoding"], row["kind"], row["seed"]): row for row in rows}
        keys = [(key["encoding"], key["kind"], key["seed"]) for key in table_plan()]
        missing = sum(key not in by_key for key in keys)
        if missing:
            raise ValueError(f"expected {len(keys)} lines of the table, {missing} are missing")
        self._rows = by_key
        self._specs = list(TABLE_SPACE.all())
        self.limit = float(np.quantile([self._step(spec) for spec in self._specs], 0.9))
        self.budget_s = SHARE * sum(self._result(spec, 0).core_s for spec in self._specs)

    def world(self, seed: int) -> World:
        """Return the table as a search sees it, by the training of one of its seeds."""
        seen = seed % len(TABLE_SEEDS)
        return World(
            TABLE_SPACE,
            lambda spec: self._result(spec, seen),
            partial(block_of, TABLE_SPACE),
            block_upper(TABLE_SPACE),
            {name: partial(self._free, name) for name in (*SCORES, "macs")},
            self.limit,
        )

    def quality(self, seed: int, chosen: Sequence[ArchSpec]) -> float:
        """Return the hypervolume of a front by the seeds that its search did not see.

        It is a fraction of that of all networks.
        """
        seen = seed % len(TABLE_SEEDS)
        if not chosen:
            return 0.0
        return self._volume(chosen, seen) / self._volume(self._specs, seen)

    def _volume(self, specs: Sequence[ArchSpec], seen: int) -> float:
        others = [other for other in TABLE_SEEDS if other != seen]
        points = [
            (
                self._step(s),
                float(np.mean([self._result(s, other).objectives[1] for other in others])),
            )
            for s in specs
        ]
        finite = [point for point in points if np.isfinite(point).all()]
        return hypervolume(finite, (self.limit, 1.0)) if finite else 0.0

    def _step(self, spec: ArchSpec) -> float:
        return float(self._rows[str(spec), "step", 0]["step_ms"])

    def _free(self, name: str, spec: ArchSpec) -> tuple[float, float]:
        row = self._rows[str(spec), "free", 0]
        return float(row[name]), float(row["core_s"])

    def _result(self, spec: ArchSpec, seed: int) -> Result:
        row, step = self._rows[str(spec), "train", seed], self._rows[str(spec), "step", 0]
        return result_of(step, row)


def result_of(step: Row, training: Row | None) -> Result:
    """Return a result of lines; without a training, or if it failed, the error is infinite."""
    core_s = step["core_s"] + (training["core_s"] if training else 0.0)
    score = training["score"] if training else None
    return Result((step["step_ms"], float("inf") if score is None else 1.0 - score), core_s)


class SyntheticTable:
    """A synthetic table as a world; an evaluation takes longer the slower the network is."""

    limit = float("inf")

    def __init__(self, seed: int, interaction: float, noise: float) -> None:
        self.name = f"synthetic, interaction {interaction}, noise {noise}, seed {seed}"
        self._table = MacroTable(seed, interaction=interaction, noise=noise)
        costs = self._seconds(self._table.objectives[:, 1])
        self.budget_s = SYNTHETIC_EVALUATIONS * float(costs.mean())
        self._best = hypervolume(self._table.objectives, (1.0, 1.0))

    def world(self, _seed: int) -> World:
        """Return the world, the same for all seeds."""
        return World(self._table, self._result, tuple, [OPERATORS - 1] * LAYERS, {})

    def quality(self, _seed: int, chosen: Sequence[tuple[int, ...]]) -> float:
        """Return the hypervolume of a front as a fraction of the best possible."""
        points = [self._table.objectives[self._table.index[candidate]] for candidate in chosen]
        return hypervolume(points, (1.0, 1.0)) / self._best if points else 0.0

    def _result(self, candidate: tuple[int, ...]) -> Result:
        error, cost = self._table.objectives[self._table.index[candidate]].tolist()
        return Result((cost, error), float(self._seconds(np.array(cost))))

    @staticmethod
    def _seconds(cost: Array) -> Array:
        return np.asarray(1.0 + 9.0 * cost)


def real_world(trainings: Trainings, seed: int) -> World:
    """Return the whole small block space with real trainings, of one seed."""

    def evaluate(spec: ArchSpec) -> Result:
        step = trainings.row(str(spec), "step", 0)
        slow = step["step_ms"] > LIMIT_MS
        return result_of(step, None if slow else trainings.row(str(spec), "train", seed))

    def score(name: str, spec: ArchSpec) -> tuple[float, float]:
        row = trainings.row(str(spec), "free", 0)
        return float(row[name]), float(row["core_s"])

    return World(
        REAL_SPACE,
        evaluate,
        partial(block_of, REAL_SPACE),
        block_upper(REAL_SPACE),
        {name: partial(score, name) for name in (*SCORES, "macs")},
        LIMIT_MS,
    )
