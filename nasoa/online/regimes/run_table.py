"""Runs as columns: each row is a task, a model and a regime, for vectorised computation.

Selection, prediction and learning all use this one table. The columns of candidates are filled in
several steps: model and regime come from the space of regimes, lengths and seconds from the
schedule generator, task and probe columns from the description of the task, the defaults from the
default formula. A column that is not known yet is NaN, or the empty name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from nasoa.online.regimes.category import Category
from nasoa.records import BN_ALL, BN_FIXED, HEAD_ONLY, Regime

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_SIMILARITY = 1e-300


class Kind(Enum):
    """Kind of the values of a column; positive numbers are used by their logarithm."""

    NUMBER = "number"
    POSITIVE = "positive number"
    CATEGORY = "category"


@dataclass(frozen=True)
class Column:
    """Subject of a column ("task", "model", "regime", "probe" or "expected"), kind and unit."""

    of: str
    kind: Kind
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """Columns `(n,)` with one row per run; `SCHEMA` describes each of them.

    `task`: the name that identifies the task (`nasoa.online.task.task_name`), empty for none.
    The columns of the regime are named as in `Regime`, with booleans as 0 or 1; those of the task
    as in `MetaFeatures`; those of the model as in `ZooEntry`, with `macs` and `activations` of one
    image at `model_resolution`. `probe_gain`: log-odds of the model's `Probe` minus those of the
    reference model on the same images; `probe_octaves`: log2 of the regime's zoom over the probe's;
    `is_borrowed`: 1 if the probe belongs to another model that was pretrained on the same source;
    `probe_source_accuracy`: source accuracy of the probed model. `defaults`: expectation of the
    default formula; `predicted_s`: duration of the run in seconds.
    """

    task: Annotated[Category, Column("task", Kind.CATEGORY)]
    num_classes: Annotated[Array, Column("task", Kind.POSITIVE)]
    num_images: Annotated[Array, Column("task", Kind.POSITIVE)]
    mean_images_per_class: Annotated[Array, Column("task", Kind.POSITIVE)]
    std_images_per_class: Annotated[Array, Column("task", Kind.NUMBER)]
    domain_similarity: Annotated[Array, Column("task", Kind.NUMBER)]
    landmark_accuracy: Annotated[Array, Column("task", Kind.NUMBER)]
    image_resolution: Annotated[Array, Column("task", Kind.POSITIVE, "px")]
    model: Annotated[Category, Column("model", Kind.CATEGORY)]
    family: Annotated[Category, Column("model", Kind.CATEGORY)]
    source_accuracy: Annotated[Array, Column("model", Kind.NUMBER)]
    source_classes: Annotated[Array, Column("model", Kind.POSITIVE)]
    num_params: Annotated[Array, Column("model", Kind.POSITIVE)]
    macs: Annotated[Array, Column("model", Kind.POSITIVE)]
    activations: Annotated[Array, Column("model", Kind.POSITIVE)]
    model_resolution: Annotated[Array, Column("model", Kind.POSITIVE, "px")]
    lr: Annotated[Array, Column("regime", Kind.POSITIVE)]
    lr_schedule: Annotated[Category, Column("regime", Kind.CATEGORY)]
    frozen_stages: Annotated[Array, Column("regime", Kind.NUMBER)]
    iterations: Annotated[Array, Column("regime", Kind.POSITIVE)]
    batch_size: Annotated[Array, Column("regime", Kind.POSITIVE)]
    resolution: Annotated[Array, Column("regime", Kind.POSITIVE, "px")]
    cached_features: Annotated[Array, Column("regime", Kind.NUMBER)]
    bn: Annotated[Category, Column("regime", Kind.CATEGORY)]
    fitted_head: Annotated[Array, Column("regime", Kind.NUMBER)]
    fills_limit: Annotated[Array, Column("regime", Kind.NUMBER)]
    probe_gain: Annotated[Array, Column("probe", Kind.NUMBER, "log-odds")]
    probe_octaves: Annotated[Array, Column("probe", Kind.NUMBER)]
    is_borrowed: Annotated[Array, Column("probe", Kind.NUMBER)]
    probe_source_accuracy: Annotated[Array, Column("probe", Kind.NUMBER)]
    defaults: Annotated[Array, Column("expected", Kind.NUMBER, "log-odds")]
    predicted_s: Annotated[Array, Column("expected", Kind.POSITIVE, "s")]

    @classmethod
    def unknown(cls, count: int) -> RunTable:
        """Create a table with the given number of rows and no known values."""
        nothing = np.broadcast_to(np.nan, (count,))
        none = Category.constant("", count)
        columns: dict[str, Any] = {
            name: none if column.kind is Kind.CATEGORY else nothing
            for name, column in SCHEMA.items()
        }
        return cls(**columns)

    @classmethod
    def concat(cls, tables: Sequence[RunTable]) -> RunTable:
        """Concatenate tables."""
        columns: dict[str, Any] = {}
        for name, column in SCHEMA.items():
            parts = [getattr(table, name) for table in tables]
            is_category = column.kind is Kind.CATEGORY
            columns[name] = Category.concat(parts) if is_category else np.concatenate(parts)
        return cls(**columns)

    def __len__(self) -> int:
        return len(self.lr)

    def take(self, rows: NDArray[np.intp]) -> RunTable:
        """Return the table restricted to these rows."""
        columns: dict[str, Any] = {}
        for name in SCHEMA:
            column = getattr(self, name)
            columns[name] = column.take(rows) if isinstance(column, Category) else column[rows]
        return RunTable(**columns)

    def with_columns(self, **columns: Any) -> RunTable:
        """Return the table with these columns replaced; one number or name applies to all rows."""
        count = len(self)
        changed: dict[str, Any] = {}
        for name, values in columns.items():
            if isinstance(values, str):
                changed[name] = Category.constant(values, count)
            elif isinstance(values, Category):
                changed[name] = values
            else:
                changed[name] = np.broadcast_to(np.asarray(values, dtype=np.float64), (count,))
        return replace(self, **changed)

    def regime(self, row: int) -> Regime:
        """Return the regime of a row."""
        return Regime(
            model=self.model[row],
            lr=float(self.lr[row]),
            frozen_stages=int(self.frozen_stages[row]),
            iterations=int(self.iterations[row]),
            batch_size=int(self.batch_size[row]),
            resolution=int(self.resolution[row]),
            lr_schedule=self.lr_schedule[row],
            cached_features=bool(self.cached_features[row]),
            bn=self.bn[row],
            fitted_head=bool(self.fitted_head[row]),
            fills_limit=bool(self.fills_limit[row]),
        )

    def regimes(self) -> list[Regime]:
        """Return the regimes of all rows."""
        return [self.regime(row) for row in range(len(self))]

    def configurations(self) -> Array:
        """Return the `(n, 9)` settings of regimes without length; names as codes of this table."""
        columns = [
            column.codes if isinstance(column, Category) else column
            for column in (getattr(self, name) for name in CONFIGURATION_COLUMNS)
        ]
        return np.stack(columns, axis=1).astype(np.float64)

    def distinct(self) -> RunTable:
        """Return the table without repeated configurations, in order of first appearance."""
        _, rows = np.unique(self.configurations(), axis=0, return_index=True)
        return self.take(np.sort(rows))

    @property
    def is_head(self) -> Bools:
        """`(n,)` whether only the head is fitted."""
        return np.asarray(self.frozen_stages == HEAD_ONLY)

    @property
    def is_probed(self) -> Bools:
        """`(n,)` whether there is a probe for the model, its own or a borrowed one."""
        return ~np.isnan(self.probe_gain)

    @property
    def adapts_frozen_bn(self) -> Array:
        """`(n,)` 1 if statistics of frozen stages adapt; those of cached stages never do."""
        return np.asarray(self.bn.equals(BN_ALL) * (1.0 - self.cached_features))

    @property
    def adapts_trained_bn(self) -> Array:
        """`(n,)` 1 if statistics of trained stages adapt."""
        return np.asarray(1.0 - self.bn.equals(BN_FIXED))

    @property
    def epochs(self) -> Array:
        """`(n,)` passes over the training images, possibly fractional."""
        return np.asarray(self.iterations * self.batch_size / self.num_images)

    @property
    def images_seen_per_class(self) -> Array:
        """`(n,)` mean number of images per class seen in training, including repeats."""
        return np.asarray(self.iterations * self.batch_size / self.num_classes)

    @property
    def domain_distance(self) -> Array:
        """`(n,)` earth mover's distance that the domain similarity is computed from."""
        return np.asarray(-100.0 * np.log(np.maximum(self.domain_similarity, LEAST_SIMILARITY)))

    @property
    def zoom(self) -> Array:
        """`(n,)` resolution of the regime relative to the model's own."""
        return np.asarray(self.resolution / self.model_resolution)

    @property
    def enlargement(self) -> Array:
        """`(n,)` resolution of the regime relative to that of the images; NaN if not known."""
        return np.asarray(self.resolution / self.image_resolution)


SCHEMA: dict[str, Column] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(RunTable, include_extras=True).items()
}


def columns_of(what: str) -> tuple[str, ...]:
    """Return the names of the columns about "task", "model", "regime" and so on."""
    return tuple(name for name, column in SCHEMA.items() if column.of == what)


TASK_COLUMNS = columns_of("task")
MODEL_COLUMNS = columns_of("model")
PROBE_COLUMNS = columns_of("probe")
CONFIGURATION_COLUMNS = (
    "model",
    *(name for name in columns_of("regime") if name not in ("iterations", "fills_limit")),
)
