"""How long steps take: rows that were measured, and an estimate for all else.

Rows are kept per hardware. Times of what was not measured follow from multiply-accumulates and
activations, `t = k0 + batch (k1 MACs + k2 activations)`, where a trainable part counts three times
(forward, and backward for inputs and weights) and a frozen one once. The constants of a model with
so many frozen stages come from its rows that ship with the package, those of any other model from
all of these; on other hardware they are scaled by its own rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.records import ZooEntry, from_json

REFERENCE_ROWS = Path(__file__).parent / "profiles" / "reference.json"
TRAINABLE_COST = 3.0
NUM_PARTS = 6
SAVING_S = 0.5
FORWARD_BATCH = 64
# MACs and activations fall with the square of the side. Times do not: small maps fill the vector
# units less well. This exponent fits the packaged models from 32 to 48 px on the reference.
SHRINKING = 1.25
VALIDATIONS = TrainingConfig.num_validations + 1
MAX_VAL_IMAGES = TrainingConfig.max_val_images
MAX_PROBE_IMAGES = FineTuneConfig.max_probe_images
# Standard deviations of the logarithm of true over predicted seconds. A step that was measured here
# differs by what else the machine does. At 32, 40 and 48 px the packaged models are off by .08 to
# .16 on the reference, where those of 64 px are known; other hardware adds to it. Networks unlike
# these are off by more; by how much nobody has measured.
MEASURED_ERROR = 0.1
SCALED_ERROR = 0.2
UNMEASURED_ERROR = 0.4


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """One measured row.

    `step_s`: forward, backward and update of one batch, the median of repeats after a warm-up;
    `eval_image_s`: one image without gradients. `part_macs` and `part_activations` are those of
    one image at `resolution`.
    """

    hardware: str
    model: str
    resolution: int
    batch_size: int
    frozen_stages: int
    step_s: float
    eval_image_s: float
    part_macs: tuple[int, ...]
    part_activations: tuple[int, ...]


@dataclass(frozen=True)
class StepTimes:
    """Seconds that work takes on one hardware.

    Args:
        rows: measured on this hardware.
        reference: the rows that ship with the package.
    """

    rows: Mapping[tuple[str, int, int, int], StepTime]
    reference: tuple[StepTime, ...]

    @classmethod
    def of(cls, rows: Iterable[StepTime]) -> StepTimes:
        """The table of some hardware's rows over the packaged reference."""
        measured = {(r.model, r.resolution, r.batch_size, r.frozen_stages): r for r in rows}
        return cls(measured, reference_rows())

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Seconds of one training step; `cached` steps leave the frozen part out."""
        row = self.rows.get((entry.name, resolution, batch_size, frozen_stages))
        if row is not None and not cached:
            return row.step_s
        macs, activations = _scaled(entry, resolution)
        weights = _part_weights(frozen_stages, frozen_cost=0.0 if cached else 1.0)
        return self._seconds(
            entry.name,
            frozen_stages,
            float(weights @ macs),
            float(weights @ activations),
            batch_size,
        )

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Standard deviation of the logarithm of true over predicted seconds of a step."""
        if not cached and (entry.name, resolution, batch_size, frozen_stages) in self.rows:
            return MEASURED_ERROR
        return SCALED_ERROR if entry.name in self._known_models else UNMEASURED_ERROR

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        """Seconds of classifying one image, in batches."""
        for row in self.rows.values():
            if (row.model, row.resolution) == (entry.name, resolution):
                return row.eval_image_s
        estimate = self._eval_image_s(entry, resolution)
        reference = [row for row in self.reference if row.model == entry.name]
        if not reference:
            return estimate
        # Classifying is not one third of training for every kind of network.
        measured = statistics.median(row.eval_image_s for row in reference) * self._machine
        return measured * estimate / self._eval_image_s(entry, reference[0].resolution)

    def _eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        macs, activations = _scaled(entry, resolution)
        seconds = self._seconds(
            entry.name, -1, float(macs.sum()), float(activations.sum()), FORWARD_BATCH
        )
        return seconds / FORWARD_BATCH

    @cached_property
    def _known_models(self) -> frozenset[str]:
        return frozenset(row.model for row in (*self.rows.values(), *self.reference))

    @cached_property
    def _reference_fits(self) -> dict[tuple[str, int], NDArray[np.float64]]:
        """k0, k1, k2 in seconds of models and frozen stages that the reference has."""
        by_kind: dict[tuple[str, int], list[StepTime]] = {}
        for row in self.reference:
            by_kind.setdefault((row.model, row.frozen_stages), []).append(row)
        return {kind: _fit(rows) for kind, rows in by_kind.items()}

    @cached_property
    def _general_fit(self) -> NDArray[np.float64]:
        return _fit(self.reference)

    @cached_property
    def _machine(self) -> float:
        """How many times as long this hardware takes as the reference's.

        By its own rows of models that the reference knows, if there are any.
        """
        own = list(self.rows.values())
        known = {model for model, _ in self._reference_fits}
        return self._factor([row for row in own if row.model in known] or own)

    @cached_property
    def _own_factors(self) -> dict[str, float]:
        """The same, by the rows of each model that was measured here."""
        models = {row.model for row in self.rows.values()}
        return {m: self._factor([r for r in self.rows.values() if r.model == m]) for m in models}

    def _constants(self, model: str, frozen_stages: int) -> NDArray[np.float64]:
        """On the reference's hardware."""
        return self._reference_fits.get((model, frozen_stages), self._general_fit)

    def _factor(self, rows: Sequence[StepTime]) -> float:
        """Measured over predicted seconds, the geometric mean; 1 without rows."""
        if not rows:
            return 1.0
        predicted = [float(self._constants(r.model, r.frozen_stages) @ _design(r)) for r in rows]
        return statistics.geometric_mean(
            row.step_s / seconds for row, seconds in zip(rows, predicted, strict=True)
        )

    def _seconds(
        self, model: str, frozen_stages: int, macs: float, activations: float, batch_size: int
    ) -> float:
        design = np.array([1.0, batch_size * macs, batch_size * activations])
        factor = self._own_factors.get(model, self._machine)
        return factor * float(self._constants(model, frozen_stages) @ design)

    def fixed_s(
        self,
        entry: ZooEntry,
        resolution: int,
        *,
        num_train: int,
        num_val: int,
        num_test: int,
        cached: bool,
    ) -> float:
        """Seconds whatever the iterations: caching features, validating, testing, saving."""
        passes = num_test + VALIDATIONS * min(num_val, MAX_VAL_IMAGES)
        if cached:
            passes = num_test + num_val + num_train
        probe = min(num_train, MAX_PROBE_IMAGES)
        return SAVING_S + (passes + probe) * self.eval_image_s(entry, resolution)


@cache
def reference_rows() -> tuple[StepTime, ...]:
    """The rows that ship with the package."""
    return tuple(from_json(REFERENCE_ROWS.read_bytes(), list[StepTime], str(REFERENCE_ROWS)))


def _fit(rows: Sequence[StepTime]) -> NDArray[np.float64]:
    """k0, k1, k2 in seconds; relative errors are minimised, so that small steps count."""
    # A third of a second, at the start of every command.
    from scipy.optimize import nnls  # noqa: PLC0415

    seconds = np.array([row.step_s for row in rows])
    design = np.array([_design(row) for row in rows])
    constants, _residual = nnls(design / seconds[:, None], np.ones(len(seconds)))
    return np.asarray(constants, dtype=np.float64)


def _design(row: StepTime) -> NDArray[np.float64]:
    weights = _part_weights(row.frozen_stages, frozen_cost=1.0)
    return np.array(
        [
            1.0,
            row.batch_size * float(weights @ np.array(row.part_macs)),
            row.batch_size * float(weights @ np.array(row.part_activations)),
        ]
    )


def _part_weights(frozen_stages: int, frozen_cost: float) -> NDArray[np.float64]:
    weights = np.full(NUM_PARTS, TRAINABLE_COST)
    weights[: frozen_stages + 1] = frozen_cost
    return weights


def _scaled(entry: ZooEntry, resolution: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What counts as MACs and activations of the parts at another resolution."""
    ratio = resolution / entry.resolution
    scale = ratio**2 if ratio > 1.0 else ratio**SHRINKING
    return np.array(entry.part_macs) * scale, np.array(entry.part_activations) * scale
