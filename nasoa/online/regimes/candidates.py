"""Regimes that could be chosen, as columns: a regime object is made for the best ones only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.regime_table import (
    PROBE_COLUMNS,
    RegimeTable,
    probe_values,
    schedule_codes,
    tabulate_task,
)
from nasoa.records import (
    BN_ALL,
    BN_FIXED,
    BN_TRAINED,
    HEAD_ONLY,
    MetaFeatures,
    Probe,
    Regime,
    ZooEntry,
)

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


# Columns of a configuration, in the order in which `ConfigurationTable.of_columns` takes them.
COLUMNS = (
    "model",
    "lr",
    "frozen_stages",
    "batch_size",
    "schedule",
    "resolution",
    "cached",
    "bn",
    "fitted_head",
)
BNS = (BN_ALL, BN_TRAINED, BN_FIXED)


@dataclass(frozen=True, kw_only=True)
class ConfigurationTable:
    """Regimes without their iterations (configurations of algorithm 3).

    `model`, `schedule` and `bn` are indices into `models`, `schedules` and `BNS`, `cached` and
    `fitted_head` 0 or 1; all columns are `(n,)`.
    """

    models: tuple[str, ...]
    schedules: tuple[str, ...]
    model: Integers
    lr: Array
    frozen_stages: Integers
    batch_size: Integers
    schedule: Integers
    resolution: Integers
    cached: Integers
    bn: Integers
    fitted_head: Integers

    def __len__(self) -> int:
        return len(self.lr)

    @classmethod
    def of_columns(
        cls, models: tuple[str, ...], schedules: tuple[str, ...], columns: Array
    ) -> ConfigurationTable:
        """From `(9, n)`, in the order of `COLUMNS`."""
        named = dict(zip(COLUMNS, columns.astype(np.int64), strict=True))
        named["lr"] = np.array(columns[COLUMNS.index("lr")], dtype=np.float64)
        return cls(models=models, schedules=schedules, **named)

    def columns(self) -> Array:
        """`(9, n)` as `of_columns` takes them."""
        return np.stack([getattr(self, name) for name in COLUMNS]).astype(np.float64)

    def take(self, places: NDArray[np.intp]) -> ConfigurationTable:
        """The configurations at these places."""
        return self.of_columns(self.models, self.schedules, self.columns()[:, places])

    def distinct(self) -> ConfigurationTable:
        """Each configuration once, in order of first appearance."""
        _, places = np.unique(self.columns(), axis=1, return_index=True)
        return self.take(np.sort(places))

    @property
    def is_head(self) -> NDArray[np.bool_]:
        """`(n,)` whether the head alone is fitted."""
        return np.asarray(self.frozen_stages == HEAD_ONLY)


@dataclass(frozen=True, kw_only=True)
class CandidateTable:
    """Configurations with their length, `(n,)` columns.

    `fills_limit` as `Regime` has it; `seconds`: how long each is predicted to take.
    """

    configurations: ConfigurationTable
    iterations: Integers
    fills_limit: NDArray[np.bool_]
    seconds: Array

    def __len__(self) -> int:
        return len(self.iterations)

    def take(self, places: NDArray[np.intp]) -> CandidateTable:
        """The candidates at these places."""
        return CandidateTable(
            configurations=self.configurations.take(places),
            iterations=self.iterations[places],
            fills_limit=self.fills_limit[places],
            seconds=self.seconds[places],
        )

    def regime(self, place: int) -> Regime:
        """The candidate at a place."""
        own = self.configurations
        return Regime(
            model=own.models[own.model[place]],
            lr=float(own.lr[place]),
            frozen_stages=int(own.frozen_stages[place]),
            iterations=int(self.iterations[place]),
            batch_size=int(own.batch_size[place]),
            resolution=int(own.resolution[place]),
            lr_schedule=own.schedules[own.schedule[place]],
            cached_features=bool(own.cached[place]),
            bn=BNS[own.bn[place]],
            fitted_head=bool(own.fitted_head[place]),
            fills_limit=bool(self.fills_limit[place]),
        )

    def regimes(self) -> list[Regime]:
        """All of them, as objects."""
        return [self.regime(place) for place in range(len(self))]

    def table(
        self, meta: MetaFeatures, zoo: Mapping[str, ZooEntry], probes: Sequence[Probe] = ()
    ) -> RegimeTable:
        """The candidates' columns for a task, with their models' and what was probed of these."""
        own = self.configurations
        cached = own.cached.astype(np.float64)
        return tabulate_task(
            meta,
            [zoo[name] for name in own.models],
            own.model.astype(np.intp),
            {
                "lr": own.lr,
                "frozen_stages": own.frozen_stages.astype(np.float64),
                "iterations": self.iterations.astype(np.float64),
                "batch_size": own.batch_size.astype(np.float64),
                "resolution": own.resolution.astype(np.float64),
                "cached": cached,
                "fitted_head": own.fitted_head.astype(np.float64),
                "adapts_frozen_bn": (own.bn == BNS.index(BN_ALL)) * (1.0 - cached),
                "adapts_trained_bn": (own.bn != BNS.index(BN_FIXED)).astype(np.float64),
                **_probe_columns(own, zoo, probes),
            },
            schedule_codes(own.schedules)[own.schedule],
        )


def _probe_columns(
    table: ConfigurationTable, zoo: Mapping[str, ZooEntry], probes: Sequence[Probe]
) -> dict[str, Array]:
    """What was probed of each configuration's model, or of one that knows the same source."""
    key = table.model * (1 << 16) + table.resolution
    _, first, rows = np.unique(key, return_index=True, return_inverse=True)
    values = [
        probe_values(probes, zoo[table.models[table.model[place]]], int(table.resolution[place]))
        for place in first
    ]
    columns = np.array(values, dtype=np.float64).reshape(-1, len(PROBE_COLUMNS))[rows].T
    return dict(zip(PROBE_COLUMNS, columns, strict=True))
