"""Regimes with their tasks and models as columns, for arithmetic on many at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.regimes.log_odds import log_odds
from nasoa.records import (
    BN_ALL,
    BN_FIXED,
    FITTED,
    CollectedRecord,
    MetaFeatures,
    Probe,
    Regime,
    ZooEntry,
)

Array = NDArray[np.float64]
Names = NDArray[np.str_]

# Schedules by their code, their place here; -1 is any other.
SCHEDULES = ("constant", "step", "cosine", "one_cycle", "horizonless", FITTED)

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
REGIME_COLUMNS = (
    "lr",
    "frozen_stages",
    "iterations",
    "batch_size",
    "resolution",
    "cached",
    "fitted_head",
    "adapts_frozen_bn",
    "adapts_trained_bn",
)
PROBE_COLUMNS = ("probe_gain", "probe_octaves", "is_borrowed", "probe_source_accuracy")

_META = attrgetter(*TASK_COLUMNS)
_ENTRY = attrgetter(
    "source_accuracy", "num_classes", "num_params", "macs", "activations", "resolution"
)
NO_PROBE = (np.nan, 0.0, 0.0, np.nan)

_COLLECTED = attrgetter(
    *TASK_COLUMNS,
    "model_source_accuracy",
    "model_source_classes",
    "model_params",
    "model_macs",
    "model_activations",
    "model_resolution",
)


def _regime(regime: Regime | CollectedRecord) -> tuple[float, ...]:
    """`REGIME_COLUMNS`; a cached part's statistics never adapt."""
    return (
        regime.lr,
        regime.frozen_stages,
        regime.iterations,
        regime.batch_size,
        regime.resolution,
        regime.cached_features,
        regime.fitted_head,
        regime.bn == BN_ALL and not regime.cached_features,
        regime.bn != BN_FIXED,
    )


def nearest_probe(probes: Iterable[Probe], model: str, resolution: int) -> Probe | None:
    """The probe of a model at the resolution nearest to one; None where it was not probed."""
    own = [probe for probe in probes if probe.model == model]
    return min(own, key=lambda p: abs(math.log(p.resolution / resolution)), default=None)


def probe_of_source(probes: Iterable[Probe], entry: ZooEntry) -> Probe | None:
    """The probe of another model that was pretrained on the same source as `entry`.

    That of the model whose accuracy there is nearest; None where no such model was probed.
    """
    same = [
        p
        for p in probes
        if (p.source, p.source_classes) == (entry.source, entry.num_classes)
        and p.model != entry.name
    ]
    return min(same, key=lambda p: abs(p.source_accuracy - entry.source_accuracy), default=None)


def probe_values(
    probes: Sequence[Probe], entry: ZooEntry, resolution: int
) -> tuple[float, float, float, float]:
    """`PROBE_COLUMNS` of a regime with a model at a resolution."""
    own = nearest_probe(probes, entry.name, resolution)
    if own is not None:
        gain = _gain(own.accuracy, own.reference_accuracy)
        return gain, math.log2(resolution / own.resolution), 0.0, entry.source_accuracy
    other = probe_of_source(probes, entry)
    if other is None:
        return NO_PROBE
    zoom, probed_zoom = resolution / entry.resolution, other.resolution / other.model_resolution
    gain = _gain(other.accuracy, other.reference_accuracy)
    return gain, math.log2(zoom / probed_zoom), 1.0, other.source_accuracy


def _gain(accuracy: float, reference_accuracy: float) -> float:
    return float(log_odds(accuracy) - log_odds(reference_accuracy))


@dataclass(frozen=True, kw_only=True)
class RegimeTable:
    """Columns `(n,)`, a row for each regime.

    Those of the task's `MetaFeatures`, `landmark_accuracy` NaN where there is none; those of the
    model's `ZooEntry`, `macs` and `activations` of one image at its native resolution; and those of
    the `Regime`, `cached`, `fitted_head` and both `adapts` 0 or 1, `schedule` the place in
    `SCHEDULES` or -1. `probe_gain`: log-odds of the model's `Probe` less those of the reference
    model on the same images, NaN where there is none; `probe_octaves`: log2 of the regime's zoom
    over the probe's; `is_borrowed`: 1 where the probe is of another model that was pretrained on
    the same source, to the accuracy `probe_source_accuracy`.
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
    fitted_head: Array
    adapts_frozen_bn: Array
    adapts_trained_bn: Array
    probe_gain: Array
    probe_octaves: Array
    is_borrowed: Array
    probe_source_accuracy: Array
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
    probes: Sequence[Sequence[Probe]] | None = None,
) -> RegimeTable:
    """The table of regimes.

    Args:
        metas: of the one task that all regimes are for, or one for each regime.
        entries: `n` models, each that of the regime beside it.
        regimes: `n`.
        probes: `n`, those of each regime's task; None for none.

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
                _columns(map(_regime, regimes), len(REGIME_COLUMNS)),
                strict=True,
            )
        ),
        **_probe_columns(
            probe_values(own, entry, regime.resolution)
            for own, entry, regime in zip(
                probes or [()] * len(regimes), entries, regimes, strict=True
            )
        ),
        family=np.array([entry.family for entry in entries], dtype=np.str_),
        schedule=schedule_codes([regime.lr_schedule for regime in regimes]),
    )


def tabulate_collected(records: Sequence[CollectedRecord]) -> RegimeTable:
    """The table of collected runs: the same columns, from the records alone."""
    names = (*TASK_COLUMNS, *MODEL_COLUMNS)
    columns = _columns(map(_COLLECTED, records), len(names))
    regimes = _columns(map(_regime, records), len(REGIME_COLUMNS))
    return RegimeTable(
        **dict(zip(names, columns, strict=True)),
        **dict(zip(REGIME_COLUMNS, regimes, strict=True)),
        **_probe_columns(map(_probe_of_record, records)),
        family=np.array([record.model_family for record in records], dtype=np.str_),
        schedule=schedule_codes([record.lr_schedule for record in records]),
    )


def _probe_of_record(record: CollectedRecord) -> tuple[float, float, float, float]:
    if (
        record.probe_accuracy is None
        or record.probe_reference_accuracy is None
        or record.probe_resolution is None
    ):
        return NO_PROBE
    octaves = math.log2(record.resolution / record.probe_resolution)
    gain = _gain(record.probe_accuracy, record.probe_reference_accuracy)
    return gain, octaves, 0.0, record.model_source_accuracy


def _probe_columns(values: Iterable[tuple[float, ...]]) -> dict[str, Array]:
    return dict(zip(PROBE_COLUMNS, _columns(values, len(PROBE_COLUMNS)), strict=True))


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
        regimes: `REGIME_COLUMNS` and `PROBE_COLUMNS` by name, `(n,)` each.
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
