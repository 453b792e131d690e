"""Drift alarm: detects when errors become larger than they used to be.

A conformal test for a change of distribution (Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and
Gammerman 2021, "Retrain or not retrain: conformal test martingales for change-point detection").
Let `p` be the fraction of the errors so far that are at least as large as the newest one. As long
as the distribution of the errors does not change, `p` is at least uniform on (0, 1], whatever that
distribution is. A bet `f(p) = kappa p^(kappa - 1)` on small `p` (large errors) then gains nothing
on average, and neither does the Shiryaev-Roberts statistic, which begins a new bet at every error:

    R_t = (1 + R_{t-1}) f(p_t),    R_0 = 0

`R_t - t` is a supermartingale, so the expected number of errors until `R` reaches `A` is at least
`A`: the rate of false alarms is known in advance, for every distribution of errors. Errors that
become smaller, as they do while a predictor learns, raise no alarm.

Departure from the source: errors are counted in bins, so that the state is of bounded size, and
errors in the same bin count as equal. This makes `p` larger, and so alarms no more frequent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from nasoa.errors import InvalidInput

BINS = 200
KAPPA = 0.5
# Chosen on streams whose errors double: the median delay was 16 errors for a half-normal
# distribution and 49 for an exponential one; kappa 0.3 and 0.7 took longer on the former.
ERRORS_PER_FALSE_ALARM = 10_000.0


class DriftAlarm:
    """Monitors a sequence of absolute errors in [0, 1].

    Args:
        errors_per_false_alarm: `A`, the least expected number of errors from one false alarm to
            the next while nothing changes.
    >>> alarm = DriftAlarm()
    >>> any(alarm.observe(0.02 + 0.01 * (i % 3)) for i in range(300))
    False
    >>> [i for i in range(30) if alarm.observe(0.2 + 0.01 * (i % 3))][0]
    4
    """

    def __init__(self, errors_per_false_alarm: float = ERRORS_PER_FALSE_ALARM) -> None:
        if not errors_per_false_alarm > 1:
            raise InvalidInput(
                f"expected errors_per_false_alarm above 1, got {errors_per_false_alarm}"
            )
        self.errors_per_false_alarm = errors_per_false_alarm
        self._counts = [0] * BINS
        self._statistic = 0.0

    def observe(self, error: float) -> bool:
        """Add an error. Return True if the alarm is raised, after which the test starts anew.

        Raises:
            InvalidInput: the error is not in [0, 1].
        """
        if not 0 <= error <= 1:
            raise InvalidInput(f"expected an absolute error in [0, 1], got {error}")
        index = min(int(error * BINS), BINS - 1)
        self._counts[index] += 1
        at_least_as_large = sum(self._counts[index:]) / sum(self._counts)
        self._statistic = (1 + self._statistic) * KAPPA * math.pow(at_least_as_large, KAPPA - 1)
        if self._statistic < self.errors_per_false_alarm:
            return False
        # The errors before the change are not comparable with those after it.
        self._counts = [0] * BINS
        self._statistic = 0.0
        return True

    def state(self) -> tuple[float, ...]:
        """Return the statistic and the counts; `from_state` restores an equal alarm from them."""
        return (self._statistic, *map(float, self._counts))

    @classmethod
    def from_state(
        cls, state: Sequence[float], errors_per_false_alarm: float = ERRORS_PER_FALSE_ALARM
    ) -> DriftAlarm:
        """Restore the alarm that `state()` was called on; an empty state gives a new alarm.

        Raises:
            InvalidInput: the state is not that of a drift alarm.
        """
        alarm = cls(errors_per_false_alarm)
        if not state:
            return alarm
        if len(state) != BINS + 1:
            raise InvalidInput(
                f"expected the state of a drift alarm, {BINS + 1} numbers, got {len(state)}"
            )
        alarm._statistic = state[0]
        alarm._counts = [int(count) for count in state[1:]]
        return alarm
