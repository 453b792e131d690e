"""Regimes that could be chosen, as columns: a regime object is made for the best ones only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regime_table import RegimeTable, schedule_codes, tabulate_task
from nasoa.records import HEAD_ONLY, MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ConfigurationTable:
    """Regimes without their iterations (configurations of algorithm 3).

    `model` and `schedule` are places in `models` and `schedules`; all columns are `(n,)`.
    """

    models: tuple[str, ...]
    schedules: tuple[str, ...]
    model: Integers
    lr: Array
    frozen_stages: Integers
    batch_size: Integers
    schedule: Integers
    resolution: Integers

    def __len__(self) -> int:
        return len(self.lr)

    @classmethod
    def of_columns(
        cls, models: tuple[str, ...], schedules: tuple[str, ...], columns: Array
    ) -> ConfigurationTable:
        """From `(6, n)`: model, lr, frozen stages, batch size, schedule, resolution."""
        whole = columns.astype(np.int64)
        return cls(
            models=models,
            schedules=schedules,
            model=whole[0],
            lr=np.array(columns[1], dtype=np.float64),
            frozen_stages=whole[2],
            batch_size=whole[3],
            schedule=whole[4],
            resolution=whole[5],
        )

    def columns(self) -> Array:
        """`(6, n)` as `of_columns` takes them."""
        return np.stack(
            [
                self.model,
                self.lr,
                self.frozen_stages,
                self.batch_size,
                self.schedule,
                self.resolution,
            ]
        ).astype(np.float64)

    def take(self, places: NDArray[np.intp]) -> ConfigurationTable:
        """The configurations at these places."""
        return self.of_columns(self.models, self.schedules, self.columns()[:, places])

    def distinct(self) -> ConfigurationTable:
        """Each configuration once, in order of first appearance."""
        _, places = np.unique(self.columns(), axis=1, return_index=True)
        return self.take(np.sort(places))

    @property
    def cached_features(self) -> NDArray[np.bool_]:
        """`(n,)` whether the head alone is trained, on features that are computed once.

        Other frozen prefixes go on seeing augmented images, for their batch normalisation
        statistics to adapt (appendix 6.2).
        """
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
            cached_features=bool(own.cached_features[place]),
            fills_limit=bool(self.fills_limit[place]),
        )

    def regimes(self) -> list[Regime]:
        """All of them, as objects."""
        return [self.regime(place) for place in range(len(self))]

    def table(self, meta: MetaFeatures, zoo: Mapping[str, ZooEntry]) -> RegimeTable:
        """The candidates' columns for a task, with their models'."""
        own = self.configurations
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
                "cached": own.cached_features.astype(np.float64),
            },
            schedule_codes(own.schedules)[own.schedule],
        )
