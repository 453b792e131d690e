"""Regimes with their tasks and models as columns, for arithmetic on many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.records import MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]

_META = attrgetter(
    "num_classes",
    "num_images",
    "mean_images_per_class",
    "std_images_per_class",
    "domain_similarity",
)
_ENTRY = attrgetter(
    "source_accuracy", "num_classes", "num_params", "macs", "activations", "resolution"
)
_REGIME = attrgetter(
    "lr", "frozen_stages", "iterations", "batch_size", "resolution", "cached_features"
)


@dataclass(frozen=True, kw_only=True)
class RegimeTable:
    """Columns `(n,)`, a row for each regime.

    Those of the task's `MetaFeatures`; those of the model's `ZooEntry`, `macs` and `activations` of
    one image at the regime's resolution; and those of the `Regime`, `cached` 0 or 1.
    """

    num_classes: Array
    num_images: Array
    mean_images_per_class: Array
    std_images_per_class: Array
    domain_similarity: Array
    source_accuracy: Array
    source_classes: Array
    num_params: Array
    macs: Array
    activations: Array
    native_resolution: Array
    lr: Array
    frozen_stages: Array
    iterations: Array
    batch_size: Array
    resolution: Array
    cached: Array
    lr_schedule: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.lr)

    @property
    def epochs(self) -> Array:
        """Passes over the training images, not a whole number."""
        return self.iterations * self.batch_size / self.num_images

    @property
    def domain_distance(self) -> Array:
        """The earth mover's distance that the domain similarity comes from."""
        return -100.0 * np.log(self.domain_similarity)


def tabulate(
    metas: MetaFeatures | Sequence[MetaFeatures],
    entries: Sequence[ZooEntry],
    regimes: Sequence[Regime],
) -> RegimeTable:
    """The table of regimes.

    Args:
        metas: of the one task that all regimes are for, or one for each regime.
        entries: `n` models, each that of the regime beside it.
        regimes: `n`.

    Raises:
        InvalidInput: numbers differ.
    """
    tasks = [metas] * len(regimes) if isinstance(metas, MetaFeatures) else metas
    if not len(tasks) == len(entries) == len(regimes):
        raise InvalidInput(
            f"Expected as many meta-features and entries as regimes, {len(regimes)}, but there "
            f"were {len(tasks)} and {len(entries)}"
        )
    task = _distinct_columns(tasks, _META, 5)
    model = _distinct_columns(entries, _ENTRY, 6)
    lr, frozen, iterations, batch, resolution, cached = _columns(map(_REGIME, regimes), 6)
    zoom = np.square(resolution / model[5])
    return RegimeTable(
        num_classes=task[0],
        num_images=task[1],
        mean_images_per_class=task[2],
        std_images_per_class=task[3],
        domain_similarity=task[4],
        source_accuracy=model[0],
        source_classes=model[1],
        num_params=model[2],
        macs=model[3] * zoom,
        activations=model[4] * zoom,
        native_resolution=model[5],
        lr=lr,
        frozen_stages=frozen,
        iterations=iterations,
        batch_size=batch,
        resolution=resolution,
        cached=cached,
        lr_schedule=np.array([regime.lr_schedule for regime in regimes], dtype=np.str_),
    )


def _distinct_columns(
    records: Sequence[object], values: Callable[[object], tuple[float, ...]], width: int
) -> Array:
    """`(width, n)` values of records of which many are the same object."""
    distinct = {id(record): record for record in records}
    position = {key: index for index, key in enumerate(distinct)}
    rows = np.fromiter((position[id(record)] for record in records), np.intp, len(records))
    return _columns(map(values, distinct.values()), width)[:, rows]


def _columns(rows: Iterable[tuple[float, ...]], width: int) -> Array:
    return np.fromiter(chain.from_iterable(rows), np.float64).reshape(-1, width).T
