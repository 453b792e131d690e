"""The regimes there are to choose from, without their length: that follows from the time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasoa.errors import InvalidInput
from nasoa.online.candidates import ConfigurationTable
from nasoa.records import HEAD_ONLY, ZooEntry


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

    def grid(self, zoo: Mapping[str, ZooEntry]) -> ConfigurationTable:
        """Every configuration (section 3.2.2), by model."""
        axes: list[Sequence[float]] = [
            self.lrs,
            self.frozen_stages,
            self.batch_sizes,
            range(len(self.schedules)),
        ]
        parts = []
        for place, entry in enumerate(zoo.values()):
            own = np.meshgrid(place, *axes, self._resolutions(entry), indexing="ij")
            parts.append(np.stack([column.ravel() for column in own]))
        columns = np.concatenate(parts, axis=1) if parts else np.empty((6, 0))
        return ConfigurationTable.of_columns(tuple(zoo), self.schedules, columns)

    def sample(
        self, rng: np.random.Generator, zoo: Mapping[str, ZooEntry], count: int
    ) -> ConfigurationTable:
        """Configurations by chance: the model first, then the rest (algorithm 3, line 4).

        Some may be the same.
        """
        entries = list(zoo.values())
        if not entries:
            raise InvalidInput("Expected a zoo with at least one model but it is empty")
        models = rng.integers(len(entries), size=count)
        axes = (self.lrs, self.frozen_stages, self.batch_sizes, range(len(self.schedules)))
        drawn = [np.array(axis)[rng.integers(len(axis), size=count)] for axis in axes]
        sizes = [self._resolutions(entry) for entry in entries]
        places = rng.random(count)
        resolutions = [
            sizes[model][int(place * len(sizes[model]))]
            for model, place in zip(models.tolist(), places.tolist(), strict=True)
        ]
        columns = np.stack([models, *drawn, np.array(resolutions)]).astype(np.float64)
        return ConfigurationTable.of_columns(tuple(zoo), self.schedules, columns)

    def _resolutions(self, entry: ZooEntry) -> tuple[int, ...]:
        return self.resolutions or (entry.resolution,)
