"""Regimes with their tasks and models as columns, for arithmetic on many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.records import CollectedRecord, MetaFeatures, Regime, ZooEntry

Array = NDArray[np.float64]
Names = NDArray[np.str_]

# Schedules by their code, their place here; -1 is any other.
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "horizonless")

TASK_COLUMNS = (
    "num_classes",
    "num_images",
    "mean_images_per_class",
    "std_images_per_class",
    "domain_similarity",
    "landmark_accuracy",
)
MODEL_COLUMNS = (
    "source_accuracy",
    "source_classes",
    "num_params",
    "macs",
    "activations",
    "native_resolution",
)
REGIME_COLUMNS = ("lr", "frozen_stages", "iterations", "batch_size", "resolution", "cached")

_META = attrgetter(*TASK_COLUMNS)
_ENTRY = attrgetter(
    "source_accuracy", "num_classes", "num_params", "macs", "activations", "resolution"
)
_REGIME = attrgetter(
    "lr", "frozen_stages", "iterations", "batch_size", "resolution", "cached_features"
)
_COLLECTED = attrgetter(
    *TASK_COLUMNS,
    "model_source_accuracy",
    "model_source_classes",
    "model_params",
    "model_macs",
    "model_activations",
    "model_resolution",
    *(name if name != "cached" else "cached_features" for name in REGIME_COLUMNS),
)


@dataclass(frozen=True, kw_only=True)
class RegimeTable:
    """Columns `(n,)`, a row for each regime.

    Those of the task's `MetaFeatures`, `landmark_accuracy` NaN where there is none; those of the
    model's `ZooEntry`, `macs` and `activations` of one image at its native resolution; and those of
    the `Regime`, `cached` 0 or 1, `schedule` the place in `SCHEDULES` or -1.
    """

    num_classes: Array
    num_images: Array
    mean_images_per_class: Array
    std_images_per_class: Array
    domain_similarity: Array
    landmark_accuracy: Array
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
    schedule: NDArray[np.intp]
    family: Names

    def __len__(self) -> int:
        return len(self.lr)

    def take(self, places: NDArray[np.intp]) -> RegimeTable:
        """The rows at these places."""
        return RegimeTable(**{f.name: getattr(self, f.name)[places] for f in fields(self)})

    @property
    def epochs(self) -> Array:
        """Passes over the training images, not a whole number."""
        return self.iterations * self.batch_size / self.num_images

    @property
    def images_seen_per_class(self) -> Array:
        """Training images of a class that the updates see, repeats counted, on average."""
        return self.iterations * self.batch_size / self.num_classes

    @property
    def domain_distance(self) -> Array:
        """The earth mover's distance that the domain similarity comes from."""
        return -100.0 * np.log(self.domain_similarity)

    @property
    def zoom(self) -> Array:
        """The regime's resolution over the model's own."""
        return self.resolution / self.native_resolution


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
    task = _distinct_columns(tasks, _META, len(TASK_COLUMNS))
    model = _distinct_columns(entries, _ENTRY, len(MODEL_COLUMNS))
    return RegimeTable(
        **dict(zip(TASK_COLUMNS, task, strict=True)),
        **dict(zip(MODEL_COLUMNS, model, strict=True)),
        **dict(
            zip(
                REGIME_COLUMNS,
                _columns(map(_REGIME, regimes), len(REGIME_COLUMNS)),
                strict=True,
            )
        ),
        family=np.array([entry.family for entry in entries], dtype=np.str_),
        schedule=schedule_codes([regime.lr_schedule for regime in regimes]),
    )


def tabulate_collected(records: Sequence[CollectedRecord]) -> RegimeTable:
    """The table of collected runs: the same columns, from the records alone."""
    names = (*TASK_COLUMNS, *MODEL_COLUMNS, *REGIME_COLUMNS)
    columns = _columns(map(_COLLECTED, records), len(names))
    return RegimeTable(
        **dict(zip(names, columns, strict=True)),
        family=np.array([record.model_family for record in records], dtype=np.str_),
        schedule=schedule_codes([record.lr_schedule for record in records]),
    )


def tabulate_task(
    meta: MetaFeatures,
    entries: Sequence[ZooEntry],
    models: NDArray[np.intp],
    regimes: dict[str, Array],
    schedules: NDArray[np.intp],
) -> RegimeTable:
    """The table of one task's candidates, from columns.

    Args:
        meta: of the task.
        entries: the models.
        models: `(n,)` which of these each candidate has.
        regimes: `REGIME_COLUMNS` by name, `(n,)` each.
        schedules: `(n,)` codes.
    """
    task = _columns([_META(meta)], len(TASK_COLUMNS))
    model = _columns(map(_ENTRY, entries), len(MODEL_COLUMNS))
    return RegimeTable(
        **{
            name: np.broadcast_to(value, models.shape)
            for name, value in zip(TASK_COLUMNS, task, strict=True)
        },
        **{name: row[models] for name, row in zip(MODEL_COLUMNS, model, strict=True)},
        **regimes,
        family=np.array([entry.family for entry in entries], dtype=np.str_)[models],
        schedule=schedules,
    )


def schedule_codes(names: Iterable[str]) -> NDArray[np.intp]:
    """`(n,)` places in `SCHEDULES`, -1 for a name that is not there."""
    return np.array([SCHEDULES.index(n) if n in SCHEDULES else -1 for n in names], dtype=np.intp)


def _distinct_columns(
    records: Sequence[object], values: Callable[[object], tuple[float | None, ...]], width: int
) -> Array:
    """`(width, n)` values of records of which many are the same object."""
    distinct = {id(record): record for record in records}
    position = {key: index for index, key in enumerate(distinct)}
    rows = np.fromiter((position[id(record)] for record in records), np.intp, len(records))
    return _columns(map(values, distinct.values()), width)[:, rows]


def _columns(rows: Iterable[tuple[float | None, ...]], width: int) -> Array:
    """`(width, n)`; None becomes NaN."""
    values = (np.nan if value is None else value for value in chain.from_iterable(rows))
    return np.fromiter(values, np.float64).reshape(-1, width).T
