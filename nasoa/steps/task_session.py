"""State that the steps of a task share in one process, so that it is read and loaded once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from nasoa.config import CheckTime, FineTuneConfig, untimed
from nasoa.cores import OtherWork, num_cores
from nasoa.duration import too_short
from nasoa.errors import InvalidInput
from nasoa.records import EnergyUse
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.learning import FIRST_VERSION, current_base
from nasoa.steps.methods import DEFAULT, Method, RegimePredictor
from nasoa.steps.store_speed import StoreSpeed
from nasoa.store import ArtifactStore
from nasoa.store.base_version import BaseVersion
from nasoa.training.clock import Clock, StepClock, WallClock
from nasoa.training.energy import EnergyMeter
from nasoa.zoo.entries import Zoo

if TYPE_CHECKING:
    from nasoa.data import ImageDataset
    from nasoa.online.task.probe import KnownFeatures

CLOCKS = ("wall", "steps")
# Fraction of the limit that reading the data may take; the other steps need at least a tenth.
READING_SHARE = 0.9
LEAST_READING_S = 0.3
# Longest wait for a measurement of the store's speed that is still running.
LONGEST_WAIT_S = 0.2
SAVING_SLACK = 1.5
SMALL_REQUESTS = 5  # after a fine-tune: the model's card, the experience, checkpoints


class TaskSession:
    """The store, zoo, predictor, data set, clock and threads of a task.

    Args:
        store: the store to work in.
        clock: "wall", or "steps" for results that do not depend on the machine's speed.
        started: `time.monotonic()` when this process started to work on the task; now by default.
        method: how regimes are chosen.
        models: names of the zoo models to probe and choose from; all by default.
        threads: number of torch threads; by default as many as other processes leave.

    Raises:
        InvalidInput: `clock` is neither "wall" nor "steps".
    """

    def __init__(
        self,
        store: ArtifactStore,
        *,
        clock: str = "wall",
        started: float | None = None,
        method: Method = DEFAULT,
        models: Sequence[str] = (),
        threads: int = 0,
    ) -> None:
        if clock not in CLOCKS:
            raise InvalidInput(f"expected the clock to be {' or '.join(CLOCKS)}, got {clock!r}")
        self.store = store
        self.clock_name = clock
        self.started = started
        self.method = method
        self.models = tuple(models)
        self.dataset: ImageDataset | None = None
        self.features: Mapping[tuple[str, int], KnownFeatures] | None = None
        self.loading_s = 0.0
        self._threads = threads
        self._others = OtherWork()
        self._clock: Clock | None = None
        self._speed: StoreSpeed | None = None
        self._meter = EnergyMeter() if clock == "wall" else None
        self._energy_before: EnergyUse | None = None
        self._is_metered = False

    def clock(self, used_s: float = 0.0) -> Clock:
        """Return the task's clock; the first call starts it.

        Args:
            used_s: seconds that other processes spent on the task before; used by the first call.
        """
        if self._clock is None:
            is_steps = self.clock_name == "steps"
            self._clock = StepClock(used_s) if is_steps else WallClock(used_s, self.started)
        return self._clock

    def energy(self, before: EnergyUse | None = None) -> EnergyUse | None:
        """Return the energy that the task has used; None with the step clock.

        Args:
            before: what other processes used for the task before; used by the first call.
        """
        if not self._is_metered:
            self._energy_before, self._is_metered = before, True
        return self._meter.used(self._energy_before) if self._meter else None

    def check_time(self, limit_s: float) -> None:
        """Check that a task can still end in time; with the step clock, only the choice checks it.

        Args:
            limit_s: time limit of the task in seconds.

        Raises:
            TimeLimitError: the task cannot end in time.
        """
        spent_s = self.clock().elapsed_s()
        least_s = FineTuneConfig().margin_s(limit_s)
        if self.clock_name == "wall" and spent_s > limit_s - least_s:
            why = "which pass before training starts"
            raise too_short(spent_s + least_s, limit_s, why)

    def reading_limit(self, data: str, limit_s: float) -> CheckTime:
        """Return a callback that stops reading DATA once the task can no longer end in time.

        With the step clock, reading costs no time.
        """
        if self.clock_name == "steps":
            return untimed
        from nasoa.data.reading_limit import ReadingLimit  # noqa: PLC0415  (torch)

        began_s = time.monotonic() - self.clock().elapsed_s()
        ends_s = began_s + READING_SHARE * limit_s
        # Leaves time to report DATA that is not a data set at all, even if the time is over.
        ends_s = max(ends_s, time.monotonic() + LEAST_READING_S)
        return ReadingLimit(data, limit_s, began_s, ends_s)

    def measure_writing(self, target: ArtifactStore) -> None:
        """Start measuring how long a store takes to write, in the background."""
        if self._speed is None and self.clock_name == "wall":
            self._speed = StoreSpeed(target)

    def saving_s(self, num_bytes: int) -> float:
        """Estimate the seconds that saving a model takes; 0 if the store was not measured.

        Half a second for saving is already part of every prediction (`nasoa.zoo.step_times`).

        Args:
            num_bytes: size of the model.
        """
        if self._speed is None:
            return 0.0
        self._speed.wait(LONGEST_WAIT_S)
        small_s = self._speed.seconds(0)
        return SAVING_SLACK * (self._speed.seconds(num_bytes) + SMALL_REQUESTS * small_s)

    @property
    def has_begun(self) -> bool:
        """Whether an earlier step of the task ran in this process."""
        return self._clock is not None

    @property
    def threads(self) -> int:
        """Number of torch threads.

        With the step clock it does not depend on other processes, so that results are equal.
        """
        if self._threads or self.clock_name == "steps":
            return self._threads or num_cores()
        return self._others.free_cores()

    @cached_property
    def zoo(self) -> Zoo:
        """The models to choose from."""
        return zoo_steps.chosen_zoo(self.store, self.models)

    def leave_out(self, model: str) -> None:
        """Remove a model from those to choose from."""
        entries = {name: entry for name, entry in self.zoo.entries.items() if name != model}
        self.zoo = Zoo(entries, self.zoo.readers)

    @cached_property
    def base(self) -> BaseVersion[RegimePredictor]:
        """The predictor in use and its version; sets `loading_s` to the time that loading took."""
        started = time.monotonic()
        found = current_base(self.store, self.method)
        if self.clock_name == "wall":
            self.loading_s = time.monotonic() - started
        return found

    @property
    def predictor(self) -> RegimePredictor:
        """The predictor in use."""
        found = self.base.predictor
        if found is None:
            raise AssertionError("expected a store without versions to have a starter")
        return found

    @property
    def version(self) -> int:
        """The number of the predictor's version."""
        return self.base.info.version or FIRST_VERSION
