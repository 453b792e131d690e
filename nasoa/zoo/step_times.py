"""How long steps take: rows that were measured, and an estimate for all else.

Rows are kept per hardware. Times of what was not measured follow from multiply-accumulates and
activations of what is frozen (F) and of what is trained (T),

    step  = k0 + batch (f1 MACs_F + f2 activations_F + t1 MACs_T + t2 activations_T)
    image = f1 MACs + f2 activations                       classifying one, in batches

The constants of a model come from its own rows on this hardware where there are at least
`FEWEST_ROWS`; else from its rows that ship with the package, scaled by what this hardware has
measured, and by what images took in the task at hand; those of a model without rows from all rows
together. Costs grow with the square of the
side, but small maps fill the vector units less well: so estimates are corrected by what was
measured at the resolutions nearby, linearly in the logarithm of the side.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.records import HEAD_ONLY, Probe, ZooEntry, from_json

REFERENCE_ROWS = Path(__file__).parent / "profiles" / "reference.json"
NUM_PARTS = 6
FEWEST_ROWS = 4
SAVING_S = 0.5
VALIDATIONS = TrainingConfig.num_validations + 1
MAX_VAL_IMAGES = TrainingConfig.max_val_images
# Seconds of fitting a head, for each of its weights and each image of a pass; passes that choose
# the penalty, over at most `SEARCHED` images, and those of the last fit.
FIT_S = 1.5e-10
SEARCH_PASSES = 50
FIT_PASSES = 15
SEARCHED = FineTuneConfig.search_images
# Where more than the head is trained on images, the first head has a share of the time.
FIRST_HEAD_IMAGES = 1000
MOST_FIRST_FIT_S = 1.0
# Standard deviations of the logarithm of true over predicted seconds. A step that was measured here
# differs by what else the machine does; other hardware adds to it. Networks unlike the package's
# are off by more; by how much nobody has measured.
MEASURED_ERROR = 0.1
PROBED_ERROR = 0.15
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
        ratio: measured over estimated seconds of the reference model, in the task at hand.
        adjustments: by model, measured over estimated seconds, where a task has measured some.
        probed: models of which these rest on their own images, or those of their family.
    """

    rows: Mapping[tuple[str, int, int, int], StepTime]
    reference: tuple[StepTime, ...]
    ratio: float = 1.0
    adjustments: Mapping[str, float] = field(default_factory=dict)
    probed: frozenset[str] = frozenset()
    _of_reference: dict[str, _Model] = field(default_factory=dict, init=False, compare=False)
    _models: dict[str, _Model] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(cls, rows: Iterable[StepTime]) -> StepTimes:
        """The table of some hardware's rows over the packaged reference."""
        measured = {(r.model, r.resolution, r.batch_size, r.frozen_stages): r for r in rows}
        return cls(measured, reference_rows())

    def adjusted(
        self, zoo: Mapping[str, ZooEntry], probes: Iterable[Probe], ratio: float
    ) -> StepTimes:
        """The same with estimates scaled by what images took on this hardware just now.

        By what its probe took for a model, else those of its family, else by `ratio`. What was
        measured of a model by enough rows of its own stays.

        Args:
            zoo: models by name.
            probes: of some of them.
            ratio: measured over estimated seconds of the reference model.
        """
        names = [name for name in zoo if len(self._own(name)) < FEWEST_ROWS]
        own: dict[str, float] = {}
        ratios: dict[str, list[float]] = {}
        for probe in probes:
            if probe.model in names and probe.image_s > 0.0:
                entry = zoo[probe.model]
                own[entry.name] = probe.image_s / self.eval_image_s(entry, probe.resolution)
                ratios.setdefault(entry.family, []).append(own[entry.name])
        means = {family: statistics.geometric_mean(some) for family, some in ratios.items()}
        return replace(
            self,
            ratio=ratio,
            adjustments={name: own.get(name, means.get(zoo[name].family, ratio)) for name in names},
            probed=frozenset(name for name in names if zoo[name].family in means),
        )

    def _own(self, name: str) -> list[StepTime]:
        """What was measured of a model on this hardware."""
        return [row for row in self.rows.values() if row.model == name]

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Seconds of one training step; `cached` steps leave the frozen part out.

        A step of a head alone is a batch of features that it is fitted to.
        """
        if frozen_stages == HEAD_ONLY:
            return batch_size * self.eval_image_s(entry, resolution)
        row = self.rows.get((entry.name, resolution, batch_size, frozen_stages))
        if row is not None and not cached:
            return row.step_s
        macs, activations = _scaled(entry, resolution)
        design = _step_design(macs, activations, batch_size, frozen_stages)
        if cached:
            design[1:3] = 0.0
        model = self._model(entry.name)
        by_formula = model.factor * float(model.constants @ design)
        by_depth = _correction(model.by_depth, frozen_stages)
        return by_formula * by_depth * _correction(model.steps, math.log(resolution))

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Standard deviation of the logarithm of true over predicted seconds of a step."""
        if not cached and (entry.name, resolution, batch_size, frozen_stages) in self.rows:
            return MEASURED_ERROR
        if entry.name in self.probed:
            return PROBED_ERROR
        return SCALED_ERROR if entry.name in self._known_models else UNMEASURED_ERROR

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        """Seconds of classifying one image, in batches."""
        for row in self.rows.values():
            if (row.model, row.resolution) == (entry.name, resolution):
                return row.eval_image_s
        return self.frozen_image_s(entry, resolution, NUM_PARTS - 1)

    def frozen_image_s(self, entry: ZooEntry, resolution: int, frozen_stages: int) -> float:
        """Seconds of one image through the frozen part, in batches; 5 stages are the network."""
        macs, activations = _scaled(entry, resolution)
        design = _image_design(macs[: frozen_stages + 1], activations[: frozen_stages + 1])
        model = self._model(entry.name)
        by_formula = model.factor * float(model.constants @ design)
        return by_formula * _correction(model.images, math.log(resolution))

    def fit_s(self, entry: ZooEntry, num_images: int, num_classes: int) -> float:
        """Seconds of fitting a head alone to features that are there."""
        weights = num_classes * entry.part_macs[-1] / entry.num_classes
        passes = SEARCH_PASSES * min(num_images, SEARCHED) + FIT_PASSES * num_images
        return FIT_S * self._machine * self.ratio * weights * passes

    @cached_property
    def _known_models(self) -> frozenset[str]:
        return frozenset(row.model for row in (*self.rows.values(), *self.reference))

    @cached_property
    def _machine(self) -> float:
        """How many times as long this hardware takes as the reference's.

        By its own rows of models that the reference knows, if there are any.
        """
        own = list(self.rows.values())
        known = {row.model for row in self.reference}
        return self._factor([row for row in own if row.model in known] or own)

    @cached_property
    def _general(self) -> NDArray[np.float64]:
        return _fit(self.reference)

    def _factor(self, rows: Sequence[StepTime]) -> float:
        """Measured over the reference's seconds, the geometric mean; 1 without rows."""
        if not rows:
            return 1.0
        return statistics.geometric_mean(
            row.step_s / self._on_reference(row.model).step_s(row) for row in rows
        )

    def _on_reference(self, name: str) -> _Model:
        """How long a model takes on the reference hardware; any model, where it has no rows."""
        if name not in self._of_reference:
            rows = [row for row in self.reference if row.model == name]
            constants = _fit(rows) if len(rows) >= FEWEST_ROWS else self._general
            self._of_reference[name] = _corrected(constants, rows or self.reference)
        return self._of_reference[name]

    def _model(self, name: str) -> _Model:
        """How long a model takes here."""
        if name not in self._models:
            own = self._own(name)
            if len(own) >= FEWEST_ROWS:
                self._models[name] = _corrected(_fit(own), own)
            else:
                factor = self._factor(own) if own else self._machine
                factor *= self.adjustments.get(name, 1.0)
                self._models[name] = replace(self._on_reference(name), factor=factor)
        return self._models[name]

    def fixed_s(
        self,
        entry: ZooEntry,
        resolution: int,
        *,
        num_train: int,
        num_val: int,
        num_test: int,
        num_classes: int,
        frozen_stages: int,
        cached: bool,
    ) -> float:
        """Seconds whatever the iterations: features, the first head, validating, testing, saving.

        Of images that are not cached, the features of some do for the first head; those that a
        head alone is fitted to are its steps.
        """
        image_s = self.eval_image_s(entry, resolution)
        fit_s = self.fit_s(entry, num_train, num_classes)
        validated = min(num_val, MAX_VAL_IMAGES)
        if frozen_stages == HEAD_ONLY:
            return SAVING_S + fit_s + (num_val + num_test) * image_s
        if cached:
            return SAVING_S + fit_s + (num_train + num_val + num_test) * image_s
        passes = num_test + (VALIDATIONS + 1) * validated + min(num_train, FIRST_HEAD_IMAGES)
        return SAVING_S + min(fit_s, MOST_FIRST_FIT_S) + passes * image_s


@dataclass(frozen=True)
class _Model:
    """Seconds of one model: the formula's constants, and what corrects it.

    `factor` is the hardware's over that of the rows; `steps` and `images` correct by the logarithm
    of the resolution, `by_depth` steps by the frozen stages.
    """

    factor: float
    constants: NDArray[np.float64]
    steps: dict[float, float]
    images: dict[float, float]
    by_depth: dict[float, float]

    def step_s(self, row: StepTime) -> float:
        """Estimated seconds of a measured step."""
        by_formula = self.factor * float(self.constants @ _row_design(row))
        by_depth = _correction(self.by_depth, row.frozen_stages)
        return by_formula * by_depth * _correction(self.steps, math.log(row.resolution))


def _corrected(constants: NDArray[np.float64], rows: Sequence[StepTime]) -> _Model:
    """Constants with corrections by the rows that they were fitted to."""
    ratios = [row.step_s / float(constants @ _row_design(row)) for row in rows]
    steps = _means((math.log(r.resolution), ratio) for r, ratio in zip(rows, ratios, strict=True))
    by_depth = _means(
        (r.frozen_stages, ratio / _correction(steps, math.log(r.resolution)))
        for r, ratio in zip(rows, ratios, strict=True)
    )
    images = _means(
        (math.log(r.resolution), r.eval_image_s / float(constants @ _row_image_design(r)))
        for r in rows
    )
    return _Model(1.0, constants, steps, images, by_depth)


@cache
def reference_rows() -> tuple[StepTime, ...]:
    """The rows that ship with the package."""
    return tuple(from_json(REFERENCE_ROWS.read_bytes(), list[StepTime], str(REFERENCE_ROWS)))


def _fit(rows: Sequence[StepTime]) -> NDArray[np.float64]:
    """k0, f1, f2, t1, t2 in seconds; relative errors are minimised, so that small steps count."""
    # A third of a second, at the start of every command.
    from scipy.optimize import nnls  # noqa: PLC0415

    design = np.array([*map(_row_design, rows), *map(_row_image_design, rows)])
    seconds = np.array([row.step_s for row in rows] + [row.eval_image_s for row in rows])
    # Columns of equal size: counts of operations are up to ten orders above 1.
    sizes = np.maximum((design / seconds[:, None]).max(axis=0), 1e-30)
    constants, _residual = nnls(design / seconds[:, None] / sizes, np.ones(len(seconds)))
    return np.asarray(constants / sizes, dtype=np.float64)


def _row_design(row: StepTime) -> NDArray[np.float64]:
    macs, activations = np.array(row.part_macs), np.array(row.part_activations)
    return _step_design(macs, activations, row.batch_size, row.frozen_stages)


def _row_image_design(row: StepTime) -> NDArray[np.float64]:
    return _image_design(np.array(row.part_macs), np.array(row.part_activations))


def _step_design(
    macs: NDArray[Any], activations: NDArray[Any], batch_size: int, frozen_stages: int
) -> NDArray[np.float64]:
    """What the constants are multiplied by for a step."""
    cut = frozen_stages + 1
    counts = (macs[:cut], activations[:cut], macs[cut:], activations[cut:])
    return np.array([1.0, *(batch_size * float(some.sum()) for some in counts)])


def _image_design(macs: NDArray[Any], activations: NDArray[Any]) -> NDArray[np.float64]:
    """The same for one image without gradients."""
    return np.array([0.0, float(macs.sum()), float(activations.sum()), 0.0, 0.0])


def _means(ratios: Iterable[tuple[float, float]]) -> dict[float, float]:
    """Measured over estimated, the geometric mean at each value of what it depends on."""
    found: dict[float, list[float]] = {}
    for value, ratio in ratios:
        found.setdefault(value, []).append(ratio)
    return {value: statistics.geometric_mean(some) for value, some in sorted(found.items())}


def _correction(means: Mapping[float, float], value: float) -> float:
    """Between what was measured linearly, beyond it constant; 1 where nothing was."""
    if not means:
        return 1.0
    return float(np.exp(np.interp(value, list(means), np.log(list(means.values())))))


def _scaled(entry: ZooEntry, resolution: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """MACs and activations of the parts at another resolution."""
    scale = (resolution / entry.resolution) ** 2
    return np.array(entry.part_macs) * scale, np.array(entry.part_activations) * scale
