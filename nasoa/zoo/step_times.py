"""Step times: measured rows, and an estimate for everything else.

Rows belong to one hardware. Times that were not measured follow from the multiply-accumulates and
activations of the frozen part (F) and the trained part (T) of a network,

    step  = k0 + batch (f1 MACs_F + f2 activations_F + t1 MACs_T + t2 activations_T)
    image = f1 MACs + f2 activations                       classifying one, in batches

The constants of a model are fitted to its own rows on this hardware if there are at least
`FEWEST_ROWS`; else to its rows that ship with the package, scaled by the measurements on this
hardware and by the time that images took in the current task. A model without rows uses constants
fitted to all rows together. Costs grow with the square of the side, but small maps fill the vector
units less well, so estimates are corrected by the measurements at neighbouring resolutions,
linearly in the logarithm of the side, and by those with the same frozen stages. Steps on cached
features, which leave out the frozen part, have corrections of their own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.ranges import AtLeastOne, FrozenStages, NotNegative, Parts, Positive
from nasoa.records import HEAD_ONLY, Probe, ZooEntry, from_json
from nasoa.zoo.machine_speed import MachineSpeed
from nasoa.zoo.task_size import TaskSize

REFERENCE_ROWS = Path(__file__).parent / "profiles" / "reference.json"
NUM_PARTS = 6
FEWEST_ROWS = 4
# Which of the constants k0, f1, f2, t1, t2 belong to training.
IS_TRAINING = (True, False, False, True, True)
SAVING_S = 0.5
VALIDATIONS = TrainingConfig.num_validations + 1
MAX_VAL_IMAGES = TrainingConfig.max_val_images
# Seconds of fitting a head: for each of its weights and each image of a pass; passes for choosing
# the penalty, over at most `SEARCHED` images, and passes of the last fit; and for the axes of the
# features, for the cube of the number of features or of images, whichever is smaller.
FIT_S = 7.5e-11
SEARCH_PASSES = 50
FIT_PASSES = 15
AXES_S = 8e-11
SEARCHED = FineTuneConfig.search_images
# If more than the head is trained on images, the first head may only use part of the time.
FIRST_HEAD_IMAGES = 1000
MOST_FIRST_FIT_S = 1.0
# Standard deviations of the logarithm of true over predicted seconds. A step measured here varies
# with the other load of the machine; other hardware adds to it. Networks unlike those of the
# package have larger errors, whose size has not been measured.
MEASURED_ERROR = 0.1
PROBED_ERROR = 0.15
SCALED_ERROR = 0.2
UNMEASURED_ERROR = 0.4


@dataclass(frozen=True, kw_only=True)
class StepTime:
    """One measured row.

    `step_s` is the forward pass, backward pass and update of one batch, the median of repeats after
    a warm-up, and `cached_step_s` the same without the frozen part, 0 if that was not measured.
    `eval_image_s` is one image without gradients. `part_macs` and `part_activations` are those of
    one image at `resolution`.
    """

    hardware: str
    model: str
    resolution: AtLeastOne
    batch_size: AtLeastOne
    frozen_stages: FrozenStages
    step_s: Positive
    eval_image_s: Positive
    part_macs: Parts
    part_activations: Parts
    cached_step_s: NotNegative = 0.0


@dataclass(frozen=True)
class StepTimes:
    """Seconds of work on one hardware.

    Args:
        rows: rows measured on this hardware.
        reference: rows that ship with the package.
        speed: how this machine differs from estimates, as measured in the current task.
        adjustments: measured over estimated seconds of an image by model, if that was measured.
        training: by model, how much more than that its training steps differ.
        probed: models whose adjustment was measured on their own images or those of their family.
        loading_s: seconds to read an image each time that it is used; 0 if images are in memory.
        saving_s: function from the bytes of a model to the seconds of saving it, besides
            `SAVING_S`.
    """

    rows: Mapping[tuple[str, int, int, int], StepTime]
    reference: tuple[StepTime, ...]
    speed: MachineSpeed = field(default_factory=MachineSpeed)
    adjustments: Mapping[str, float] = field(default_factory=dict)
    training: Mapping[str, float] = field(default_factory=dict)
    probed: frozenset[str] = frozenset()
    loading_s: float = 0.0
    saving_s: Callable[[int], float] = field(default=lambda _num_bytes: 0.0, compare=False)
    _of_reference: dict[str, _Model] = field(default_factory=dict, init=False, compare=False)
    _models: dict[str, _Model] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(cls, rows: Iterable[StepTime]) -> StepTimes:
        """Combine the rows of some hardware with the packaged reference."""
        measured = {(r.model, r.resolution, r.batch_size, r.frozen_stages): r for r in rows}
        return cls(measured, reference_rows())

    def adjusted(
        self, zoo: Mapping[str, ZooEntry], probes: Iterable[Probe], speed: MachineSpeed
    ) -> StepTimes:
        """Return a copy with estimates scaled by what was just measured on this hardware.

        A model is scaled by its own probe, else by those of its family, else by the reference
        model's images; what its steps take for training by steps of networks of its kind. A model
        with enough measured rows of its own is not scaled.

        Args:
            zoo: models by name.
            probes: measurements of some of the models.
            speed: how this machine differs from estimates.
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
        images = {name: own.get(name, means.get(zoo[name].family, speed.image)) for name in names}
        return replace(
            self,
            speed=speed,
            adjustments=images,
            training={name: speed.step_of(zoo[name]) / images[name] for name in names},
            probed=frozenset(name for name in names if zoo[name].family in means),
        )

    def _own(self, name: str) -> list[StepTime]:
        """Return the rows of a model measured on this hardware."""
        return [row for row in self.rows.values() if row.model == name]

    def step_time_s(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the seconds of one training step; `cached` steps omit the frozen part.

        A step of a head alone is a batch of features that the head is fitted to.
        """
        if frozen_stages == HEAD_ONLY:
            return batch_size * self.eval_image_s(entry, resolution)
        is_cached = cached and frozen_stages >= 0
        loading_s = 0.0 if is_cached else batch_size * self.loading_s
        key = (entry.name, resolution, batch_size, frozen_stages)
        if measured_s := self._measured_s(key, is_cached):
            return measured_s + loading_s
        macs, activations = _scaled(entry, resolution)
        design = _step_design(macs, activations, batch_size, frozen_stages, is_cached)
        overhead_s = self.speed.overhead_s if entry.name in self.adjustments else 0.0
        estimate_s = self._model(entry.name).estimate_s(
            design, resolution, frozen_stages, is_cached
        )
        return overhead_s + estimate_s + loading_s

    def relative_error(
        self, entry: ZooEntry, resolution: int, batch_size: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the standard deviation of the logarithm of true over predicted step seconds."""
        key = (entry.name, resolution, batch_size, frozen_stages)
        if self._measured_s(key, cached and frozen_stages >= 0):
            return MEASURED_ERROR
        if entry.name in self.probed:
            return PROBED_ERROR
        return SCALED_ERROR if entry.name in self._known_models else UNMEASURED_ERROR

    def _measured_s(self, key: tuple[str, int, int, int], cached: bool) -> float:
        """Return the seconds of a step as measured on this hardware; 0 if it was not."""
        row = self.rows.get(key)
        return 0.0 if row is None else _seconds(row, cached)

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        """Return the seconds of reading and classifying one image, in batches."""
        for row in self.rows.values():
            if (row.model, row.resolution) == (entry.name, resolution):
                return row.eval_image_s + self.loading_s
        return self.frozen_image_s(entry, resolution, NUM_PARTS - 1) + self.loading_s

    def frozen_image_s(self, entry: ZooEntry, resolution: int, frozen_stages: int) -> float:
        """Return the seconds of one image through the frozen part, in batches; 5 means all."""
        macs, activations = _scaled(entry, resolution)
        design = _image_design(macs[: frozen_stages + 1], activations[: frozen_stages + 1])
        model = self._model(entry.name)
        by_formula = model.factor * float(model.constants @ design)
        return by_formula * _correction(model.images, math.log(resolution))

    def fit_s(self, entry: ZooEntry, num_images: int, num_classes: int) -> float:
        """Return the seconds of fitting a head alone to cached features."""
        width = entry.part_macs[-1] / entry.num_classes
        searched = min(num_images, SEARCHED)
        passes = SEARCH_PASSES * searched + FIT_PASSES * num_images
        reference_s = FIT_S * num_classes * width * passes + AXES_S * min(searched, width) ** 3
        return self.speed.fit * reference_s

    @cached_property
    def _known_models(self) -> frozenset[str]:
        return frozenset(row.model for row in (*self.rows.values(), *self.reference))

    @cached_property
    def _machine(self) -> float:
        """This hardware's time over the reference hardware's.

        It is computed from rows of models that the reference also has, if there are any.
        """
        own = list(self.rows.values())
        known = {row.model for row in self.reference}
        return self._factor([row for row in own if row.model in known] or own)

    @cached_property
    def _general(self) -> NDArray[np.float64]:
        return _fit(self.reference)

    def _factor(self, rows: Sequence[StepTime]) -> float:
        """Return the geometric mean of measured over reference seconds; 1 without rows."""
        if not rows:
            return 1.0
        return statistics.geometric_mean(
            row.step_s / self._on_reference(row.model).step_s(row) for row in rows
        )

    def _on_reference(self, name: str) -> _Model:
        """Return the times of a model on the reference hardware; of all models if it has no row."""
        if name not in self._of_reference:
            rows = [row for row in self.reference if row.model == name]
            constants = _fit(rows) if len(rows) >= FEWEST_ROWS else self._general
            self._of_reference[name] = _corrected(constants, rows or self.reference)
        return self._of_reference[name]

    def _model(self, name: str) -> _Model:
        """Return the times of a model on this hardware."""
        if name not in self._models:
            own = self._own(name)
            if len(own) >= FEWEST_ROWS:
                self._models[name] = _corrected(_fit(own), own)
            else:
                factor = self._factor(own) if own else self._machine
                factor *= self.adjustments.get(name, 1.0)
                training = self.training.get(name, 1.0)
                known = self._on_reference(name)
                constants = known.constants * np.where(IS_TRAINING, training, 1.0)
                self._models[name] = replace(known, factor=factor, constants=constants)
        return self._models[name]

    def fixed_s(
        self, entry: ZooEntry, resolution: int, size: TaskSize, frozen_stages: int, cached: bool
    ) -> float:
        """Return the seconds that do not depend on the number of iterations.

        They cover features, the first head, validation and saving, but not the test. If images are
        not cached, the first head uses the features of some. For a head alone, features count as
        steps, and the fit is not covered: it takes as long as there are images of these.
        """
        image_s = self.eval_image_s(entry, resolution)
        saving_s = SAVING_S + self.saving_s(entry.saved_bytes)
        if frozen_stages == HEAD_ONLY:
            return saving_s + size.num_val * image_s
        fit_s = self.fit_s(entry, size.num_train, size.num_classes)
        if cached:
            return saving_s + fit_s + (size.num_train + size.num_val) * image_s
        validated = min(size.num_val, MAX_VAL_IMAGES)
        passes = (VALIDATIONS + 1) * validated + min(size.num_train, FIRST_HEAD_IMAGES)
        return saving_s + min(fit_s, MOST_FIRST_FIT_S) + passes * image_s


@dataclass(frozen=True)
class _Model:
    """Times of one model: the constants of the formula, and their corrections.

    `factor` is the time of this hardware over that of the rows' hardware; `images` corrects the
    times of images by the logarithm of the resolution, `steps` and `cached` those of the two kinds
    of steps.
    """

    factor: float
    constants: NDArray[np.float64]
    images: dict[float, float]
    steps: _StepCorrections
    cached: _StepCorrections

    def estimate_s(
        self, design: NDArray[np.float64], resolution: int, frozen_stages: int, cached: bool
    ) -> float:
        """Return the estimated seconds of a step."""
        corrections = self.cached if cached else self.steps
        by_formula = self.factor * float(self.constants @ design)
        return by_formula * corrections.of(resolution, frozen_stages)

    def step_s(self, row: StepTime) -> float:
        """Return the estimated seconds of a measured step."""
        return self.estimate_s(_row_design(row), row.resolution, row.frozen_stages, cached=False)


@dataclass(frozen=True)
class _StepCorrections:
    """Corrections by the logarithm of the resolution, and by the frozen stages."""

    by_resolution: dict[float, float]
    by_depth: dict[float, float]

    def of(self, resolution: int, frozen_stages: int) -> float:
        by_resolution = _correction(self.by_resolution, math.log(resolution))
        return by_resolution * _correction(self.by_depth, frozen_stages)


def _corrected(constants: NDArray[np.float64], rows: Sequence[StepTime]) -> _Model:
    """Return constants with corrections by the rows that they were fitted to."""
    images = _means(
        (math.log(r.resolution), r.eval_image_s / float(constants @ _row_image_design(r)))
        for r in rows
    )
    steps = _step_corrections(constants, rows, cached=False)
    cached = [row for row in rows if row.cached_step_s > 0.0]
    on_features = _step_corrections(constants, cached, cached=True) if cached else steps
    return _Model(1.0, constants, images, steps, on_features)


def _step_corrections(
    constants: NDArray[np.float64], rows: Sequence[StepTime], *, cached: bool
) -> _StepCorrections:
    ratios = [_seconds(row, cached) / float(constants @ _row_design(row, cached)) for row in rows]
    by_resolution = _means(
        (math.log(row.resolution), ratio) for row, ratio in zip(rows, ratios, strict=True)
    )
    by_depth = _means(
        (row.frozen_stages, ratio / _correction(by_resolution, math.log(row.resolution)))
        for row, ratio in zip(rows, ratios, strict=True)
    )
    return _StepCorrections(by_resolution, by_depth)


def _seconds(row: StepTime, cached: bool) -> float:
    """Return the measured seconds of a step, 0 if that kind of step was not measured."""
    return row.cached_step_s if cached else row.step_s


@cache
def reference_rows() -> tuple[StepTime, ...]:
    """Return the rows that ship with the package."""
    return tuple(from_json(REFERENCE_ROWS.read_bytes(), list[StepTime], str(REFERENCE_ROWS)))


def _fit(rows: Sequence[StepTime]) -> NDArray[np.float64]:
    """Fit k0, f1, f2, t1, t2 in seconds to relative errors, so that short steps count as much."""
    # Imported here because it takes a third of a second, at the start of every command.
    from scipy.optimize import nnls  # noqa: PLC0415

    cached = [row for row in rows if row.cached_step_s > 0.0]
    design = np.array(
        [
            *(_row_design(row) for row in rows),
            *(_row_design(row, cached=True) for row in cached),
            *map(_row_image_design, rows),
        ]
    )
    seconds = np.array(
        [
            *(row.step_s for row in rows),
            *(row.cached_step_s for row in cached),
            *(row.eval_image_s for row in rows),
        ]
    )
    # Scale the columns to equal size: counts of operations are up to ten orders above 1.
    sizes = np.maximum((design / seconds[:, None]).max(axis=0), 1e-30)
    constants, _residual = nnls(design / seconds[:, None] / sizes, np.ones(len(seconds)))
    return np.asarray(constants / sizes, dtype=np.float64)


def _row_design(row: StepTime, cached: bool = False) -> NDArray[np.float64]:
    macs, activations = np.array(row.part_macs), np.array(row.part_activations)
    return _step_design(macs, activations, row.batch_size, row.frozen_stages, cached)


def _row_image_design(row: StepTime) -> NDArray[np.float64]:
    return _image_design(np.array(row.part_macs), np.array(row.part_activations))


def _step_design(
    macs: NDArray[Any],
    activations: NDArray[Any],
    batch_size: int,
    frozen_stages: int,
    cached: bool,
) -> NDArray[np.float64]:
    """Return the factors of the constants for a step; with `cached`, without the frozen part."""
    cut = frozen_stages + 1
    counts = (macs[:cut], activations[:cut], macs[cut:], activations[cut:])
    design = np.array([1.0, *(batch_size * float(some.sum()) for some in counts)])
    if cached:
        design[1:3] = 0.0
    return design


def _image_design(macs: NDArray[Any], activations: NDArray[Any]) -> NDArray[np.float64]:
    """Return the factors of the constants for one image without gradients."""
    return np.array([0.0, float(macs.sum()), float(activations.sum()), 0.0, 0.0])


def _means(ratios: Iterable[tuple[float, float]]) -> dict[float, float]:
    """Return the geometric mean of measured over estimated seconds for each value of a variable."""
    found: dict[float, list[float]] = {}
    for value, ratio in ratios:
        found.setdefault(value, []).append(ratio)
    return {value: statistics.geometric_mean(some) for value, some in sorted(found.items())}


def _correction(means: Mapping[float, float], value: float) -> float:
    """Interpolate linearly between measured values, constant beyond them; 1 without any."""
    if not means:
        return 1.0
    return float(np.exp(np.interp(value, list(means), np.log(list(means.values())))))


def _scaled(entry: ZooEntry, resolution: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the MACs and activations of the parts at another resolution."""
    scale = (resolution / entry.resolution) ** 2
    return np.array(entry.part_macs) * scale, np.array(entry.part_activations) * scale
