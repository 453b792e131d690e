"""Where ways to search are compared: in a table of trainings, in synthetic ones, and for real.

Blocks are searched in the table of trainings and for real; macro structures in synthetic tables.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import code_version
from benchmarks.macro_table import MacroStructures
from benchmarks.nsga2_quality import LAYERS, OPERATORS, MacroTable
from benchmarks.proxy_trainings import SMALL, ProxyTrainings
from benchmarks.quiet import measuring, working
from benchmarks.run_log import Row, RunLog
from benchmarks.search_methods import CHILDREN, SCORES, Result, World
from benchmarks.shards import Shard, share
from nasoa.arch import ArchSpec, parse
from nasoa.arch.spec import OPERATOR_NAMES, RATIOS, BlockSpec, Operator
from nasoa.errors import InvalidInput
from nasoa.offline.canonical import possible_skips
from nasoa.offline.pareto import hypervolume
from nasoa.offline.space import SMALL_MACRO, BlockSpace

Array = NDArray[np.float64]

JUDGING = replace(SMALL, signal="loss")
TABLE_SPACE = BlockSpace(stages=SMALL_MACRO, first_channels=(32,), max_operators=2, max_skips=0)
REAL_SPACE = BlockSpace.small()
TABLE_SEEDS = (0, 1, 2)
KINDS = ("step", *SCORES, "macs", "train")  # of lines, cheap ones first
LIMIT_MS = 120.0  # step time above which a real search does not train
SHARE = 0.25  # of the core-seconds of the whole table: the budget in it
# A quarter of the table is about 32 networks. With the usual random phase of 16, evolution and
# pymoo would be left with two generations of eight, so here it has the length of one generation,
# as in a search by default. A larger share would not do instead: random sampling without
# repetition has soon seen so much of a small table that no method can be ahead of it.
TABLE_RANDOM = CHILDREN
SYNTHETIC_EVALUATIONS = 444
MEASURED_S = 1.0  # of a synthetic network that is measured and not trained
TRAINED_SHARE = 0.9  # of the networks of a table, by step time, are below its limit
# How the names of synthetic tables begin; the report averages over those of a kind.
LAYERS_NAME, MACRO_NAME = "synthetic layers", "synthetic macro structures"


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


def table_plan(kinds: Sequence[str] = KINDS) -> list[Row]:
    """Return the key fields of all lines of the table of some kinds, network by network."""
    return [
        {"encoding": str(spec), "kind": kind, "seed": seed}
        for spec, kind in product(TABLE_SPACE.all(), kinds)
        for seed in (TABLE_SEEDS if kind == "train" else (0,))
    ]


class Trainings:
    """Real evaluations, each made once and kept in a log that several processes share.

    Step times are measured while no other process trains or scores (`benchmarks.quiet`), so all
    methods see the same time of a network, measured under the same conditions.

    Args:
        trainings: makes the evaluations.
        log: lines by encoding, kind (see `KINDS`) and seed.
    """

    def __init__(self, trainings: ProxyTrainings, log: RunLog) -> None:
        self._trainings, self._log = trainings, log

    def row(self, encoding: str, kind: str, seed: int) -> Row:
        """Return a line, made now if no process has made it.

        Raises:
            TrainingFailed: a training ran out of time or memory; it has no line.
        """
        found = self._find(encoding, kind, seed)
        if found is not None:
            return found
        if kind == "step":
            self.measure([encoding])
            found = self._find(encoding, kind, seed)
            assert found is not None
            return found
        spec = parse(encoding)
        with working():
            if kind == "train":
                values = self._trainings.train(spec, JUDGING, seed)
            else:
                values = self._trainings.score(kind, spec, JUDGING, seed)
        return self._add(encoding, kind, seed, values)

    def measure(self, encodings: Sequence[str]) -> None:
        """Measure the steps of the networks that have no line, while nothing else computes."""
        missing = [text for text in encodings if self._find(text, "step", 0) is None]
        if not missing:
            return
        with measuring():
            self._log.refresh()
            for text in missing:
                if self._find(text, "step", 0) is None:
                    self._add(text, "step", 0, self._trainings.step(parse(text), JUDGING))

    def _find(self, encoding: str, kind: str, seed: int) -> Row | None:
        key = {"encoding": encoding, "kind": kind, "seed": seed}
        if not self._log.has(**key):
            self._log.refresh()
        return self._log.find(**key)

    def _add(self, encoding: str, kind: str, seed: int, values: Row) -> Row:
        row = {"encoding": encoding, "kind": kind, "seed": seed, **values}
        row["code_version"] = code_version()
        self._log.append(row)
        sys.stderr.write(f"{row}\n")
        return row


def measure_table(trainings: Trainings) -> None:
    """Measure the steps of all networks of the table."""
    trainings.measure([key["encoding"] for key in table_plan(("step",))])


def fill_table(trainings: Trainings, log: RunLog, shard: Shard) -> None:
    """Make the missing trainings and scores of a shard of the table.

    Raises:
        InvalidInput: a step has not been measured.
    """
    unmeasured = [key for key in table_plan(("step",)) if not log.has(**key)]
    if unmeasured:
        raise InvalidInput(
            f"expected measured steps of the table, but {len(unmeasured)} are missing; measure "
            "them first with the verb steps, while nothing else runs"
        )
    keys = table_plan([kind for kind in KINDS if kind != "step"])
    networks = list(dict.fromkeys(key["encoding"] for key in keys))
    own = set(share(networks, shard))
    for key in keys:
        if key["encoding"] in own:
            trainings.row(**key)


class RealTable:
    """The measured block space as worlds, one for each seed of a search.

    Each network has three trainings. A seed draws for each network which of them a search sees, and
    the two others judge its front; so searches of different seeds see different noise. Intervals
    over seeds are those of the search and of this draw, for the networks and trainings of the
    table.

    Args:
        rows: lines of the table.

    Raises:
        InvalidInput: lines are missing.
    """

    name = "blocks of at most two operators, trained"

    def __init__(self, rows: Sequence[Row]) -> None:
        by_key = {(row["encoding"], row["kind"], row["seed"]): row for row in rows}
        keys = [(key["encoding"], key["kind"], key["seed"]) for key in table_plan()]
        missing = sum(key not in by_key for key in keys)
        if missing:
            raise InvalidInput(f"expected {len(keys)} lines of the table, {missing} are missing")
        self._rows = by_key
        self._specs = list(TABLE_SPACE.all())
        steps = [self._step(spec) for spec in self._specs]
        self.limit = float(np.quantile(steps, TRAINED_SHARE))
        costs = [
            self._result(spec, seed).core_s for spec, seed in product(self._specs, TABLE_SEEDS)
        ]
        self.budget_s = SHARE * sum(costs) / len(TABLE_SEEDS)

    def world(self, seed: int) -> World:
        """Return the table as the search of a seed sees it."""
        seen = self._seen(seed)
        return World(
            TABLE_SPACE,
            lambda spec: self._result(spec, seen[spec]),
            partial(block_of, TABLE_SPACE),
            block_upper(TABLE_SPACE),
            {name: partial(self._score, name) for name in (*SCORES, "macs")},
            self.limit,
            num_random=TABLE_RANDOM,
        )

    def quality(self, seed: int, chosen: Sequence[ArchSpec]) -> float:
        """Return the hypervolume of a front by the trainings that its search did not see.

        It is a fraction of that of all networks.
        """
        if not chosen:
            return 0.0
        seen = self._seen(seed)
        return self._volume(chosen, seen) / self._volume(self._specs, seen)

    def _seen(self, seed: int) -> dict[ArchSpec, int]:
        """Return which training of each network the search of a seed sees."""
        drawn = np.random.default_rng(seed).choice(TABLE_SEEDS, len(self._specs))
        return dict(zip(self._specs, drawn.tolist(), strict=True))

    def _volume(self, specs: Sequence[ArchSpec], seen: Mapping[ArchSpec, int]) -> float:
        points = [(self._step(spec), self._error_beside(spec, seen[spec])) for spec in specs]
        finite = [point for point in points if np.isfinite(point).all()]
        return hypervolume(finite, (self.limit, 1.0)) if finite else 0.0

    def _step(self, spec: ArchSpec) -> float:
        return float(self._rows[str(spec), "step", 0]["step_ms"])

    def _error_beside(self, spec: ArchSpec, seen: int) -> float:
        """Return the mean error of a network in the trainings other than the one that was seen."""
        others = [self._result(spec, seed) for seed in TABLE_SEEDS if seed != seen]
        return float(np.mean([result.objectives[1] for result in others]))

    def _score(self, name: str, spec: ArchSpec) -> tuple[float, float]:
        row = self._rows[str(spec), name, 0]
        return float(row["score"]), float(row["core_s"])

    def _result(self, spec: ArchSpec, seed: int) -> Result:
        row, step = self._rows[str(spec), "train", seed], self._rows[str(spec), "step", 0]
        return result_of(step, row)


def result_of(step: Row, training: Row | None) -> Result:
    """Return a result of lines; without a training, or if it failed, the error is infinite."""
    core_s = step["core_s"] + (training["core_s"] if training else 0.0)
    score = training["score"] if training else None
    return Result((step["step_ms"], float("inf") if score is None else 1.0 - score), core_s)


class SyntheticTable:
    """A synthetic table as a world; an evaluation takes longer the slower the network is.

    Args:
        name: name in the results.
        table: the networks, with errors and step times in [0, 1].
        decode: network of pymoo's integer genes, or None if the table lacks it.
        upper: largest value of each gene.
        limit: step time above which a network is not trained; infinite for none.
    """

    def __init__(
        self,
        name: str,
        table: MacroTable | MacroStructures,
        decode: Callable[[Sequence[int]], Any],
        upper: Sequence[int],
        limit: float = float("inf"),
    ) -> None:
        self.name, self.limit = name, limit
        self._table, self._decode, self._upper = table, decode, upper
        self._reference = 1.0, min(limit, 1.0)
        trained = table.objectives[table.objectives[:, 1] <= limit]
        self.budget_s = SYNTHETIC_EVALUATIONS * float(self._seconds(trained[:, 1]).mean())
        self._best = hypervolume(trained, self._reference)

    @classmethod
    def of_layers(cls, seed: int, interaction: float, noise: float) -> SyntheticTable:
        """Return a table of networks of eight layers, where a mutation changes a layer."""
        table = MacroTable(seed, interaction=interaction, noise=noise)
        name = f"{LAYERS_NAME}, interaction {interaction}, noise {noise}, seed {seed}"
        return cls(name, table, tuple, [OPERATORS - 1] * LAYERS)

    @classmethod
    def of_macro(cls, seed: int, interaction: float, noise: float) -> SyntheticTable:
        """Return a table of macro structures, with the search's own space and mutations.

        The slowest ones, many times slower than the others, are not trained, as in a real search.
        """
        table = MacroStructures(seed, interaction=interaction, noise=noise)
        name = f"{MACRO_NAME}, interaction {interaction}, noise {noise}, seed {seed}"
        limit = float(np.quantile(table.objectives[:, 1], TRAINED_SHARE))
        return cls(name, table, table.decode, table.upper, limit)

    def world(self, _seed: int) -> World:
        """Return the world, the same for all seeds."""
        return World(self._table, self._result, self._decode, self._upper, {}, self.limit)

    def quality(self, _seed: int, chosen: Sequence[Any]) -> float:
        """Return the hypervolume of a front as a fraction of the best possible."""
        points = [self._objectives(candidate) for candidate in chosen]
        return hypervolume(points, self._reference) / self._best if points else 0.0

    def _result(self, candidate: Any) -> Result:
        error, cost = self._objectives(candidate).tolist()
        if cost > self.limit:
            return Result((cost, float("inf")), MEASURED_S)
        return Result((cost, error), float(self._seconds(np.array(cost))))

    def _objectives(self, candidate: Any) -> Array:
        found: Array = self._table.objectives[self._table.index[candidate]]
        return found

    def _seconds(self, cost: Array) -> Array:
        """Return the seconds of an evaluation: the slowest one takes ten times the shortest."""
        return np.asarray(MEASURED_S + 9.0 * MEASURED_S * cost / self._reference[1])


def real_world(trainings: Trainings, seed: int) -> World:
    """Return the whole small block space with real trainings, of one seed."""

    def evaluate(spec: ArchSpec) -> Result:
        step = trainings.row(str(spec), "step", 0)
        slow = step["step_ms"] > LIMIT_MS
        return result_of(step, None if slow else trainings.row(str(spec), "train", seed))

    def score(name: str, spec: ArchSpec) -> tuple[float, float]:
        row = trainings.row(str(spec), name, 0)
        return float(row["score"]), float(row["core_s"])

    return World(
        REAL_SPACE,
        evaluate,
        partial(block_of, REAL_SPACE),
        block_upper(REAL_SPACE),
        {name: partial(score, name) for name in (*SCORES, "macs")},
        LIMIT_MS,
        lambda specs: trainings.measure([str(spec) for spec in specs]),
    )
