"""The deadline of a task, and the measured pace of a run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from nasoa.training.clock import Clock

RECENT_STEPS = 20
SMOOTHING = 0.9
SLOW = 2.0


@dataclass(frozen=True)
class Deadline:
    """A time limit in seconds, measured by a clock that started with the task."""

    clock: Clock
    limit_s: float

    @property
    def remaining_s(self) -> float:
        """Seconds left; negative after the limit."""
        return self.limit_s - self.clock.elapsed_s()


class EndsInTime:
    """Decides between pieces of work whether another piece would end in time.

    A piece is expected to take as long as the longest one so far.

    Args:
        clock: clock that measures the time.
        ends_s: time by which the work must end, in seconds since the task began.
    """

    def __init__(self, clock: Clock, ends_s: float) -> None:
        self._clock = clock
        self._ends_s = ends_s
        self._asked_s = clock.elapsed_s()
        self._longest_s = 0.0

    def __call__(self) -> bool:
        """Return whether there is time for another piece."""
        now = self._clock.elapsed_s()
        self._longest_s = max(self._longest_s, now - self._asked_s)
        self._asked_s = now
        return now + self._longest_s < self._ends_s


@dataclass
class Pace:
    """Measured times of a run's own steps and evaluations, in seconds.

    They determine when training ends; the table of step times only serves to choose a regime.
    """

    step_s: float | None = None
    eval_image_s: float = 0.0
    checkpoint_s: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS))

    def note_step(self, seconds: float) -> None:
        """Record the time of a training step, including the wait for its batch."""
        self.recent.append(seconds)
        if self.step_s is None or len(self.recent) <= 3:
            # The first steps allocate memory and warm up caches; the fastest predicts later ones.
            self.step_s = min(self.recent)
        elif len(self.recent) < RECENT_STEPS:
            self.step_s = sorted(self.recent)[len(self.recent) // 2]
        else:
            self.step_s = SMOOTHING * self.step_s + (1 - SMOOTHING) * seconds

    def note_evaluation(self, seconds: float, images: int) -> None:
        """Record the time of an evaluation; each new one halves the weight of the earlier ones."""
        measured = seconds / max(images, 1)
        self.eval_image_s = (self.eval_image_s + measured) / 2 if self.eval_image_s else measured

    def note_checkpoint(self, seconds: float) -> None:
        """Record the time to save a checkpoint."""
        self.checkpoint_s = max(self.checkpoint_s, seconds)

    @property
    def slow_step_s(self) -> float:
        """Seconds to allow for the next step, as other processes may slow it down."""
        return SLOW * (self.step_s or 0.0)

    def steps_within(self, seconds: float) -> int:
        """Return how many steps fit into `seconds`; 0 if no step has been measured."""
        if self.step_s is None or self.step_s <= 0:
            return 0
        return max(0, int(seconds / self.step_s))
