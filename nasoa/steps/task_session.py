"""What the steps of a task share in one process: each is opened, read and loaded once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from nasoa.config import CheckTime, FineTuneConfig, untimed
from nasoa.cores import OtherWork, num_cores
from nasoa.duration import too_short
from nasoa.errors import InvalidInput
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.learning import FIRST_VERSION, current_base
from nasoa.steps.methods import DEFAULT, Method, RegimePredictor
from nasoa.steps.store_speed import StoreSpeed
from nasoa.store import ArtifactStore
from nasoa.store.base import Base
from nasoa.training.clock import Clock, StepClock, WallClock
from nasoa.zoo.entries import Zoo

if TYPE_CHECKING:
    from nasoa.data import ImageDataset
    from nasoa.online.task.probe import KnownFeatures

CLOCKS = ("wall", "steps")
# Of the limit: what data may take to read. A tenth is the least for what follows.
READING_SHARE = 0.9
LEAST_READING_S = 0.3
# The speed of a store is waited for only so long where it has not been measured yet.
LONGEST_WAIT_S = 0.2
SAVING_SLACK = 1.5
SMALL_REQUESTS = 5  # after a fine-tune: the model's card, the experience, checkpoints


class TaskSession:
    """The store, zoo, predictor, data set, clock and threads of a task.

    Args:
        store: where everything is kept.
        clock: "wall", or "steps" for a result that does not depend on the machine's speed.
        started: `time.monotonic()` when this process began to work for the task; now by default.
        method: how regimes are chosen.
        models: of the zoo, the only ones that are probed and chosen from; all by default.
        threads: for torch; by default those that other processes leave.
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
            raise InvalidInput(f"expected a clock of {', '.join(CLOCKS)}, got {clock!r}")
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

    def clock(self, used_s: float = 0.0) -> Clock:
        """The task's clock; `used_s` were spent by other processes where this is its first step."""
        if self._clock is None:
            is_steps = self.clock_name == "steps"
            self._clock = StepClock(used_s) if is_steps else WallClock(used_s, self.started)
        return self._clock

    def check_time(self, limit_s: float) -> None:
        """Make sure that a task can still end in time; on the step clock only the choice does.

        Args:
            limit_s: of the task.

        Raises:
            TimeLimitError: it cannot.
        """
        spent_s = self.clock().elapsed_s()
        least_s = FineTuneConfig().margin_s(limit_s)
        if self.clock_name == "wall" and spent_s > limit_s - least_s:
            why = "which are over before anything is trained"
            raise too_short(spent_s + least_s, limit_s, why)

    def reading_limit(self, data: str, limit_s: float) -> CheckTime:
        """What ends the reading of DATA where the task cannot end in time any more.

        The wall's seconds count; on the step clock reading costs nothing.
        """
        if self.clock_name == "steps":
            return untimed
        from nasoa.data.reading_limit import ReadingLimit  # noqa: PLC0415  (torch)

        began_s = time.monotonic() - self.clock().elapsed_s()
        ends_s = began_s + READING_SHARE * limit_s
        # What is not data at all is told so even where the time is over.
        ends_s = max(ends_s, time.monotonic() + LEAST_READING_S)
        return ReadingLimit(data, limit_s, began_s, ends_s)

    def measure_writing(self, target: ArtifactStore) -> None:
        """Begin to measure how long the store of the model takes to write."""
        if self._speed is None and self.clock_name == "wall":
            self._speed = StoreSpeed(target)

    def saving_s(self, num_bytes: int) -> float:
        """Seconds that a model of so many bytes takes to save, as far as that was measured.

        Half a second of it is part of every prediction (`nasoa.zoo.step_times`).
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
        """For torch; on a step clock whatever others do, so that results are equal."""
        if self._threads or self.clock_name == "steps":
            return self._threads or num_cores()
        return self._others.free_cores()

    @cached_property
    def zoo(self) -> Zoo:
        """The models to choose from."""
        return zoo_steps.chosen_zoo(self.store, self.models)

    def leave_out(self, model: str) -> None:
        """Choose from now on among the other models alone."""
        entries = {name: entry for name, entry in self.zoo.entries.items() if name != model}
        self.zoo = Zoo(entries, self.zoo.readers)

    @cached_property
    def base(self) -> Base[RegimePredictor]:
        """The predictor in use and what its version is; `loading_s` says how long it took."""
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
            raise AssertionError("a store without a version has what it starts from")
        return found

    @property
    def version(self) -> int:
        """The number of its version."""
        return self.base.info.version or FIRST_VERSION
