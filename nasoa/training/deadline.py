"""A time limit, and the pace at which a run approaches it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from nasoa.training.clock import Clock

RECENT_STEPS = 20
SMOOTHING = 0.9
SLOW = 2.0


@dataclass(frozen=True)
class Deadline:
    """A limit in seconds on a clock that started with the task."""

    clock: Clock
    limit_s: float

    @property
    def remaining_s(self) -> float:
        """Seconds left; negative once the limit is passed."""
        return self.limit_s - self.clock.elapsed_s()


class Until:
    """Asked between pieces of work, says whether another one ends before a time.

    A piece is expected to take as long as the longest before it.

    Args:
        clock: that the time is on.
        ends_s: the time, in seconds since the task began.
    """

    def __init__(self, clock: Clock, ends_s: float) -> None:
        self._clock = clock
        self._ends_s = ends_s
        self._asked_s = clock.elapsed_s()
        self._longest_s = 0.0

    def __call__(self) -> bool:
        """Whether there is time for another piece."""
        now = self._clock.elapsed_s()
        self._longest_s = max(self._longest_s, now - self._asked_s)
        self._asked_s = now
        return now + self._longest_s < self._ends_s


@dataclass
class Pace:
    """What a run has measured of its own steps and evaluations, in seconds.

    The step-time table only helps to choose a regime; the end of training is planned from these.
    """

    step_s: float | None = None
    eval_image_s: float = 0.0
    checkpoint_s: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS))

    def note_step(self, seconds: float) -> None:
        """Take in one training step, the wait for its batch included."""
        self.recent.append(seconds)
        if self.step_s is None or len(self.recent) <= 3:
            # The first steps allocate and warm caches: the quickest is closest to what follows.
            self.step_s = min(self.recent)
        elif len(self.recent) < RECENT_STEPS:
            self.step_s = sorted(self.recent)[len(self.recent) // 2]
        else:
            self.step_s = SMOOTHING * self.step_s + (1 - SMOOTHING) * seconds

    def note_evaluation(self, seconds: float, images: int) -> None:
        """Take in one evaluation; of the first, which warms up, little is left after the third."""
        measured = seconds / max(images, 1)
        self.eval_image_s = (self.eval_image_s + measured) / 2 if self.eval_image_s else measured

    def note_checkpoint(self, seconds: float) -> None:
        """Take in the saving of one checkpoint."""
        self.checkpoint_s = max(self.checkpoint_s, seconds)

    @property
    def slow_step_s(self) -> float:
        """What the next step may take, where others use the machine too."""
        return SLOW * (self.step_s or 0.0)

    def steps_within(self, seconds: float) -> int:
        """How many more steps fit into `seconds`."""
        if self.step_s is None or self.step_s <= 0:
            return 0
        return max(0, int(seconds / self.step_s))
