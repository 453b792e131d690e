"""What tables and plots show of an evaluation, by the signal of its search: names and values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nasoa.offline.front import score
from nasoa.records import Evaluation


@dataclass(frozen=True)
class Column:
    """A value of an evaluation in [0, 1], None if it failed, and its name."""

    name: str
    value: Callable[[Evaluation], float | None]

    def text(self, evaluation: Evaluation) -> str:
        """Return the value to three digits; "" if there is none."""
        found = self.value(evaluation)
        return "" if found is None else f"{found:.3f}"


ACCURACY = Column("accuracy", lambda evaluation: evaluation.accuracy)
# The first column of a signal is what the search maximised.
COLUMNS = {
    "accuracy": (ACCURACY,),
    "loss": (Column("loss score", score), ACCURACY),
    "teacher": (
        Column("teacher score", score),
        Column("same class as teacher", lambda evaluation: evaluation.accuracy),
    ),
}


def signal_columns(signal: str) -> tuple[Column, ...]:
    """Return the columns of a search: what it maximised, and the accuracy if that is another value.

    Args:
        signal: `EvaluateConfig.signal` of the search.
    """
    return COLUMNS[signal]
