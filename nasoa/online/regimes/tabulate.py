"""Convert records to rows of a `RunTable`: regimes, tasks, experiences, collected runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.regimes.category import Category
from nasoa.online.regimes.probe_columns import (
    NO_PROBE,
    probe_columns,
    probe_values,
    values_of_record,
)
from nasoa.online.regimes.run_table import (
    MODEL_COLUMNS,
    PROBE_COLUMNS,
    SCHEMA,
    TASK_COLUMNS,
    Kind,
    RunTable,
    columns_of,
)
from nasoa.online.task.task_name import collected_names, task_name
from nasoa.records import CollectedRecord, Experience, MetaFeatures, Probe, Regime, ZooEntry

Array = NDArray[np.float64]


def _numbers(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if SCHEMA[name].kind is not Kind.CATEGORY)


TASK_NUMBERS = _numbers(TASK_COLUMNS)
MODEL_NUMBERS = _numbers(MODEL_COLUMNS)
REGIME_NUMBERS = _numbers(columns_of("regime"))
REGIME_NAMES = ("lr_schedule", "bn")

_META = attrgetter(*TASK_NUMBERS)
# In the order of `MODEL_NUMBERS`.
_ENTRY = attrgetter(
    "source_accuracy", "num_classes", "num_params", "macs", "activations", "resolution"
)
_MODEL_OF_RECORD = attrgetter(
    "model_source_accuracy",
    "model_source_classes",
    "model_params",
    "model_macs",
    "model_activations",
    "model_resolution",
)


def tabulate(
    metas: MetaFeatures | Sequence[MetaFeatures],
    entries: Sequence[ZooEntry],
    regimes: Sequence[Regime],
    probes: Sequence[Sequence[Probe]] | None = None,
    tasks: Sequence[str] | None = None,
) -> RunTable:
    """Return the table of regimes, each with its task.

    Args:
        metas: meta-features of the task of all regimes, or one per regime.
        entries: `n` zoo entries, one per regime.
        regimes: `n` regimes.
        probes: `n` lists of probes on the task of each regime; None for no probes.
        tasks: `n` task names; None for no names.

    Raises:
        InvalidInput: the lengths differ.
    """
    count = len(regimes)
    described = [metas] * count if isinstance(metas, MetaFeatures) else metas
    if not len(described) == len(entries) == count:
        raise InvalidInput(
            f"Expected as many meta-features and entries as regimes, {count}, but there "
            f"were {len(described)} and {len(entries)}"
        )
    found = [()] * count if probes is None else probes
    values = [
        probe_values(own, entry, regime.resolution) if own else NO_PROBE
        for own, entry, regime in zip(found, entries, regimes, strict=True)
    ]
    return RunTable.unknown(count).with_columns(
        task=Category.of(tasks or [""] * count),
        model=Category.of(entry.name for entry in entries),
        family=Category.of(entry.family for entry in entries),
        **_named(TASK_NUMBERS, _distinct(described, _META, len(TASK_NUMBERS))),
        **_named(MODEL_NUMBERS, _distinct(entries, _ENTRY, len(MODEL_NUMBERS))),
        **_regime_columns(regimes),
        **_named(PROBE_COLUMNS, _columns(values, len(PROBE_COLUMNS))),
    )


def tabulate_experiences(experiences: Sequence[Experience]) -> RunTable:
    """Return the table of finished fine-tunes."""
    return tabulate(
        [experience.task.meta_features for experience in experiences],
        [experience.model for experience in experiences],
        [experience.regime for experience in experiences],
        [experience.task.probes for experience in experiences],
        [task_name(experience.task) for experience in experiences],
    )


def tabulate_collected(records: Sequence[CollectedRecord]) -> RunTable:
    """Return the table of collected runs; the columns are computed from the records alone.

    Args:
        records: all records of the collection, as `collected_names` in
            `nasoa.online.task.task_name` requires.
    """
    count = len(records)
    probes = _columns(map(values_of_record, records), len(PROBE_COLUMNS))
    return RunTable.unknown(count).with_columns(
        task=Category.of(collected_names(records)),
        model=Category.of(record.model for record in records),
        family=Category.of(record.model_family for record in records),
        **_named(TASK_NUMBERS, _columns(map(_META, records), len(TASK_NUMBERS))),
        **_named(MODEL_NUMBERS, _columns(map(_MODEL_OF_RECORD, records), len(MODEL_NUMBERS))),
        **_regime_columns(records),
        **_named(PROBE_COLUMNS, probes),
    )


def for_task(
    table: RunTable,
    meta: MetaFeatures,
    task: str,
    zoo: Mapping[str, ZooEntry],
    probes: Sequence[Probe] = (),
) -> RunTable:
    """Return candidates with the columns of a task and of the probes of their models on it.

    Args:
        table: `n` candidates with the columns of their models.
        meta: meta-features of the task.
        task: name of the task.
        zoo: zoo entries by name.
        probes: probes of models on the task.
    """
    values = dict(zip(TASK_NUMBERS, _columns([_META(meta)], len(TASK_NUMBERS))[:, 0], strict=True))
    return table.with_columns(task=task, **values, **probe_columns(table, zoo, probes))


def model_columns(entries: Sequence[ZooEntry], rows: NDArray[np.intp]) -> dict[str, Any]:
    """Return model columns by name; `rows` `(n,)` holds the index of each row's entry."""
    numbers = _columns(map(_ENTRY, entries), len(MODEL_NUMBERS))[:, rows]
    families = Category.of(entry.family for entry in entries)
    return {
        "model": Category(rows, tuple(entry.name for entry in entries)),
        "family": families.take(rows),
        **_named(MODEL_NUMBERS, numbers),
    }


def _regime_columns(regimes: Sequence[Regime] | Sequence[CollectedRecord]) -> dict[str, Any]:
    """Return regime columns by name; collected runs never fill a limit."""
    numbers = _columns(map(_regime_numbers, regimes), len(REGIME_NUMBERS))
    names = {name: Category.of(map(attrgetter(name), regimes)) for name in REGIME_NAMES}
    return {**_named(REGIME_NUMBERS, numbers), **names}


def _regime_numbers(regime: Regime | CollectedRecord) -> tuple[float, ...]:
    """Return the values of `REGIME_NUMBERS`."""
    return tuple(getattr(regime, name, False) for name in REGIME_NUMBERS)


def _named(names: Sequence[str], columns: Array) -> dict[str, Array]:
    return dict(zip(names, columns, strict=True))


def _distinct(
    records: Sequence[object], values: Callable[[object], tuple[float | None, ...]], width: int
) -> Array:
    """Return `(width, n)` values of records, computed once per distinct object."""
    distinct = {id(record): record for record in records}
    position = {key: index for index, key in enumerate(distinct)}
    rows = np.fromiter((position[id(record)] for record in records), np.intp, len(records))
    return _columns(map(values, distinct.values()), width)[:, rows]


def _columns(rows: Iterable[tuple[float | None, ...]], width: int) -> Array:
    """Return the rows as `(width, n)` columns; None becomes NaN."""
    values = (np.nan if value is None else value for value in chain.from_iterable(rows))
    return np.fromiter(values, np.float64).reshape(-1, width).T
