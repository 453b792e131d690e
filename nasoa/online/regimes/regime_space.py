"""The space of regimes to choose from, without lengths: these follow from the time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.regimes.category import Category
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import model_columns
from nasoa.records import BN_ALL, BN_FIXED, BN_TRAINED, FITTED, HEAD_ONLY, ZooEntry

BNS = (BN_ALL, BN_TRAINED, BN_FIXED)

RESOLUTION_STEP = 32
RESOLUTIONS = tuple(range(RESOLUTION_STEP, 224 + 1, RESOLUTION_STEP))
MOST_UPSAMPLING = 3.5  # of images; networks trained at 224 px benefit from up to about 3 times
MOST_ZOOM = 2.5  # relative to the model's own resolution
LEAST_ZOOM = 0.25
LEAST_OFFERED = 64  # pixels, however small the images are
LEAST_CACHED = 1  # stages; features after the stem alone are larger than images
HEAD_BATCH = 64  # images per batch through the frozen part


def admitted_resolutions(entry: ZooEntry, image_resolution: int) -> tuple[int, ...]:
    """Return the resolutions in pixels at which a model can be used on images of a given size.

    These are the `RESOLUTIONS` that are not too far from the model's own and not much larger than
    the images; if there is none, the model's own.

    Args:
        entry: zoo entry of the model.
        image_resolution: median shorter side of the images, in pixels.
    """
    if entry.fixed_resolution:
        return (entry.resolution,)
    held = max(MOST_UPSAMPLING * image_resolution, LEAST_OFFERED)
    most = min(held, MOST_ZOOM * entry.resolution)
    least = LEAST_ZOOM * entry.resolution
    found = tuple(r for r in RESOLUTIONS if least <= r <= most)
    return found or (entry.resolution,)


@dataclass(frozen=True, kw_only=True)
class RegimeSpace:
    """All combinations of these values, for every model of a zoo.

    Args:
        lrs: peak learning rates.
        frozen_stages: -1 for none, 0 for the stem, k for the stem and the first k stages, 4 for
            all but the head. With 4 the head is fitted on cached features, so there is one regime
            per resolution.
        batch_sizes: images per update.
        schedules: names in `nasoa.training.schedules`.
        resolutions: resolutions in pixels; empty for those that model and images allow.
        max_epochs: maximum length of a regime, whatever the time limit.
        caches: whether to also include regimes that cache features of frozen stages.
        bns: which batch normalisation statistics adapt, among stages that are not cached.
        fitted_heads: whether training starts from a fitted head.
    """

    lrs: tuple[float, ...]
    frozen_stages: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    schedules: tuple[str, ...]
    resolutions: tuple[int, ...]
    max_epochs: float
    caches: bool
    bns: tuple[str, ...]
    fitted_heads: tuple[bool, ...]

    def __post_init__(self) -> None:
        for name in ("lrs", "frozen_stages", "batch_sizes", "schedules", "bns", "fitted_heads"):
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
        """Return the grid of appendix 6.1.

        Learning rates 0.1 to 0.0001 and frozen stages -1 to 3 (6.1, Table 7); batch size 64
        (Table 2); learning rate divided by 10 at epochs 150 and 250 of 350 (6.1); 224 px; batch
        normalisation adapts in frozen stages too (6.2).
        """
        return cls(
            lrs=(0.1, 0.01, 0.001, 0.0001),
            frozen_stages=(-1, 0, 1, 2, 3),
            batch_sizes=(64,),
            schedules=("step",),
            resolutions=(224,),
            max_epochs=350,
            caches=False,
            bns=(BN_ALL,),
            fitted_heads=(False,),
        )

    @classmethod
    def small(cls) -> RegimeSpace:
        """Return a space for small networks on two cores, with limits of seconds to minutes.

        It is meant for networks of a few million parameters.

        Learning rates: the paper's, closer together around 0.1, which was best for a full
        fine-tune at batch size 64, and without 0.0001, which learns too little in minutes. Frozen
        stages: the paper's, and the head alone, which is ready in seconds. Batch sizes: 64 (Table
        2) and half of it. Schedule: cosine (Loshchilov and Hutter 2017), which also works with few
        epochs, unlike the steps of the paper's 350. At most 200 epochs: more brought no gain.
        """
        return cls(
            lrs=(0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002),
            frozen_stages=(-1, 0, 1, 2, 3, HEAD_ONLY),
            batch_sizes=(32, 64),
            schedules=("cosine",),
            resolutions=(),
            max_epochs=200,
            caches=True,
            bns=(BN_TRAINED, BN_FIXED),
            fitted_heads=(False, True),
        )

    @classmethod
    def heads(cls) -> RegimeSpace:
        """Return the head-only regimes of `small()`."""
        return replace(cls.small(), frozen_stages=(HEAD_ONLY,))

    def grid(self, zoo: Mapping[str, ZooEntry], image_resolution: int) -> RunTable:
        """Return all configurations (section 3.2.2), ordered by model, without lengths.

        Args:
            zoo: zoo entries by name.
            image_resolution: median shorter side of the task's images, in pixels.
        """
        parts = [
            self._of_model(index, entry, image_resolution)
            for index, entry in enumerate(zoo.values())
        ]
        columns = np.concatenate(parts, axis=1) if parts else np.empty((9, 0))
        model, lr, frozen, batch, schedule, resolution, cached, bn, fitted = columns
        return RunTable.unknown(len(lr)).with_columns(
            **model_columns(list(zoo.values()), model.astype(np.intp)),
            lr=lr,
            frozen_stages=frozen,
            batch_size=batch,
            lr_schedule=Category(schedule.astype(np.intp), (*self.schedules, FITTED)),
            resolution=resolution,
            cached_features=cached,
            bn=Category(bn.astype(np.intp), BNS),
            fitted_head=fitted,
        )

    def sample(
        self,
        rng: np.random.Generator,
        zoo: Mapping[str, ZooEntry],
        image_resolution: int,
        count: int,
    ) -> RunTable:
        """Sample configurations: first the model, then the rest (algorithm 3, line 4).

        The sample is drawn with replacement, so it may contain duplicates.
        """
        if not zoo:
            raise InvalidInput("Expected a zoo with at least one model but it is empty")
        grid = self.grid(zoo, image_resolution)
        counts = np.bincount(grid.model.codes, minlength=len(zoo))
        models = rng.integers(len(zoo), size=count)
        first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return grid.take(first[models] + (rng.random(count) * counts[models]).astype(np.intp))

    def _of_model(self, index: int, entry: ZooEntry, image_resolution: int) -> NDArray[np.float64]:
        """Return `(9, n)` columns of one model's configurations, in the order used by `grid`."""
        resolutions = self.resolutions or admitted_resolutions(entry, image_resolution)
        found = []
        for frozen in self.frozen_stages:
            if frozen == HEAD_ONLY:
                fitted = ([1.0], [frozen], [HEAD_BATCH], [len(self.schedules)], resolutions)
                found.append(_combined(index, *fitted, [1], [BNS.index(BN_FIXED)], [1]))
                continue
            axes = (self.lrs, [frozen], self.batch_sizes, range(len(self.schedules)), resolutions)
            caches = (0, 1) if self.caches and frozen >= LEAST_CACHED else (0,)
            bns = [BNS.index(name) for name in self.bns]
            found.append(_combined(index, *axes, caches, bns, self.fitted_heads))
        return np.concatenate(found, axis=1)


def _combined(index: int, *axes: Sequence[float]) -> NDArray[np.float64]:
    """Return the `(9, n)` combinations of a model's axes."""
    columns = np.meshgrid(index, *axes, indexing="ij")
    return np.stack([column.ravel() for column in columns]).astype(np.float64)
