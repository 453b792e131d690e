"""The regimes there are to choose from, without their length: that follows from the time limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from nasoa.errors import InvalidInput
from nasoa.records import HEAD_ONLY, Regime, ZooEntry


class Configuration(NamedTuple):
    """A regime without its iterations (a configuration of algorithm 3)."""

    model: str
    lr: float
    frozen_stages: int
    batch_size: int
    resolution: int
    lr_schedule: str

    @property
    def cached_features(self) -> bool:
        """The head alone is trained on features that are computed once.

        Other frozen prefixes go on seeing augmented images, for their batch normalisation
        statistics to adapt (appendix 6.2).
        """
        return self.frozen_stages == HEAD_ONLY

    def regime(self, iterations: int, fills_limit: bool) -> Regime:
        """The regime of so many iterations."""
        return Regime(
            model=self.model,
            lr=self.lr,
            frozen_stages=self.frozen_stages,
            iterations=iterations,
            batch_size=self.batch_size,
            resolution=self.resolution,
            lr_schedule=self.lr_schedule,
            cached_features=self.cached_features,
            fills_limit=fills_limit,
        )


@dataclass(frozen=True, kw_only=True)
class RegimeSpace:
    """Every combination of these, for every model of a zoo.

    Args:
        lrs: peak learning rates.
        frozen_stages: -1 nothing, 0 the stem, k the stem and the first k stages, 4 all but the
            head, on cached features.
        batch_sizes: images an update.
        schedules: names in `nasoa.training.schedules`.
        resolutions: pixels; empty means each model's own.
        max_epochs: no regime is longer, however long the limit.
    """

    lrs: tuple[float, ...]
    frozen_stages: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    schedules: tuple[str, ...]
    resolutions: tuple[int, ...]
    max_epochs: float

    def __post_init__(self) -> None:
        for name in ("lrs", "frozen_stages", "batch_sizes", "schedules"):
            if not getattr(self, name):
                raise InvalidInput(f"Expected {name} to have at least one value but it has none")
        if any(lr <= 0 for lr in self.lrs):
            raise InvalidInput(f"Expected lrs to be above 0 but they are {self.lrs}")
        if any(not -1 <= stages <= HEAD_ONLY for stages in self.frozen_stages):
            raise InvalidInput(
                f"Expected frozen_stages to be from -1 to 4 but they are {self.frozen_stages}"
            )
        if any(size < 1 for size in (*self.batch_sizes, *self.resolutions)):
            raise InvalidInput(
                "Expected batch_sizes and resolutions to be at least 1 but they are "
                f"{self.batch_sizes} and {self.resolutions}"
            )
        if not self.max_epochs > 0:
            raise InvalidInput(f"Expected max_epochs to be above 0 but it is {self.max_epochs}")

    @classmethod
    def paper(cls) -> RegimeSpace:
        """The grid of appendix 6.1.

        Learning rates 0.1 to 0.0001 and frozen stages -1 to 3 (6.1, Table 7); batch 64 (Table 2);
        divided by 10 at epochs 150 and 250 of 350 (6.1); 224 px.
        """
        return cls(
            lrs=(0.1, 0.01, 0.001, 0.0001),
            frozen_stages=(-1, 0, 1, 2, 3),
            batch_sizes=(64,),
            schedules=("step",),
            resolutions=(224,),
            max_epochs=350,
        )

    @classmethod
    def small(cls) -> RegimeSpace:
        """Networks of some million parameters on two cores, in limits of seconds to minutes.

        Learning rates: the paper's, closer together around 0.1, which was best for a full
        fine-tune at batch 64, and without 0.0001, which learns too little in minutes. Frozen
        stages: the paper's and the head alone, which is ready in seconds. Batch sizes: 64 (Table 2)
        and its neighbours. Cosine (Loshchilov and Hutter 2017) and one-cycle (Smith and Topin 2018)
        end well after few epochs, where steps of the paper's 350 do not. No more than 200 epochs:
        nothing gained from more.
        """
        return cls(
            lrs=(0.2, 0.1, 0.05, 0.02, 0.01, 0.001),
            frozen_stages=(-1, 0, 1, 2, 3, HEAD_ONLY),
            batch_sizes=(32, 64, 128),
            schedules=("cosine", "one_cycle"),
            resolutions=(),
            max_epochs=200,
        )

    def grid(self, zoo: Mapping[str, ZooEntry]) -> Iterator[Configuration]:
        """Every configuration (section 3.2.2), by model."""
        for entry in zoo.values():
            for lr, frozen, batch, resolution, schedule in product(
                self.lrs,
                self.frozen_stages,
                self.batch_sizes,
                self._resolutions(entry),
                self.schedules,
            ):
                yield Configuration(entry.name, lr, frozen, batch, resolution, schedule)

    def sample(self, rng: np.random.Generator, zoo: Mapping[str, ZooEntry]) -> Configuration:
        """A configuration by chance: the model first, then the rest (algorithm 3, line 4)."""
        names = list(zoo)
        if not names:
            raise InvalidInput("Expected a zoo with at least one model but it is empty")
        entry = zoo[names[rng.integers(len(names))]]
        resolutions = self._resolutions(entry)
        return Configuration(
            entry.name,
            self.lrs[rng.integers(len(self.lrs))],
            self.frozen_stages[rng.integers(len(self.frozen_stages))],
            self.batch_sizes[rng.integers(len(self.batch_sizes))],
            resolutions[rng.integers(len(resolutions))],
            self.schedules[rng.integers(len(self.schedules))],
        )

    def _resolutions(self, entry: ZooEntry) -> tuple[int, ...]:
        return self.resolutions or (entry.resolution,)
