"""The default predictor: the default formula, and what is learned from runs.

The default formula (`nasoa.online.predictor.prior`) gives the expected accuracy of a run without
experience; a `SafePredictor` learns how measured accuracies differ from it. A model that was never
tried is predicted from what was learned about similar models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nasoa.online.mixture.layout import join, part
from nasoa.online.predictor.experience_rows import ROW_LAYOUT, ExperienceRows
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.predictor.regime_encoding import LAYOUT
from nasoa.online.predictor.safe_predictor import SafePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.tabulate import tabulate_collected, tabulate_experiences
from nasoa.records import CollectedRecord, Experience
from nasoa.work_progress import report_progress

Array = NDArray[np.float64]

PREDICTOR_NAME = f"two-experts-{LAYOUT}"


class ExperiencePredictor:
    """Predicts accuracies and learns from finished fine-tunes.

    Args:
        seed: random seed for the predictor.
        without: names of experts to leave out, to measure what each adds.
        falls_back: whether the best on average may decide.
        prior: the default formula; that of the package if None.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        without: Sequence[str] = (),
        falls_back: bool = True,
        prior: DefaultPrior | None = None,
    ) -> None:
        self.seed = seed
        self._prior = prior or DefaultPrior.packaged()
        self._rows = ExperienceRows()
        self._safe = SafePredictor(ROW_LAYOUT, seed=seed, without=without, falls_back=falls_back)
        self.num_experiences = 0
        self.num_collected = 0

    @property
    def expert_weights(self) -> dict[str, float]:
        """Weight of each expert in the mixture, summing to 1; empty if nothing was learned."""
        return self._safe.expert_weights

    @property
    def fallback_reason(self) -> str:
        """Record in which the mixture is worse than the best on average; "" if in none."""
        return self._safe.fallback_reason

    @property
    def decides(self) -> bool:
        """Whether the mixture decides: it has learned something and its record is good enough."""
        return self._safe.decides

    @property
    def num_learned(self) -> int:
        """Number of runs that were learned, both experiences and collected runs."""
        return self.num_experiences + self.num_collected

    def predict(self, experience: Experience) -> float:
        """Return the accuracy in [0, 1] that is now predicted for a regime that was tried."""
        table = self.with_defaults(tabulate_experiences([experience]))
        return float(from_log_odds(self.expected(table))[0])

    def with_defaults(self, table: RunTable) -> RunTable:
        """Return the table with the default formula's expectation for each run in `defaults`."""
        return table.with_columns(defaults=self._prior.log_odds(table))

    def expected(self, table: RunTable) -> Array:
        """Return the predicted log-odds, `(n,)`, of the runs of a table with `defaults`."""
        # Before anything is learned, skip encoding, which is slow for 100,000 candidates.
        return (
            self._safe.expected(self._rows.encode_runs(table))
            if self._safe.num_learned
            else table.defaults
        )

    def intervals(self, table: RunTable) -> tuple[Array, Array]:
        """Return the bounds, `(n,)` lower and `(n,)` upper accuracies, of 90 % intervals."""
        return self._safe.intervals(self._rows.encode_runs(table))

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Learn experiences one after another: predict each, record the error, then learn it."""
        if experiences:
            accuracies = np.array([experience.accuracy for experience in experiences])
            self.learn_table(tabulate_experiences(experiences), accuracies)
            self.num_experiences += len(experiences)

    def learn_collected(self, records: Sequence[CollectedRecord]) -> None:
        """Learn runs of meta-training data sets, those of one task together.

        Args:
            records: all records of the table, which `nasoa.online.task.task_name.collected_names`
                needs to tell tasks apart.
        """
        if not records:
            return
        table = tabulate_collected(records)
        # Order tasks by first appearance, so that a task's runs are judged as one choice.
        order = np.argsort(table.task.codes, kind="stable")
        accuracies = np.array([record.accuracy for record in records])
        self.learn_table(table.take(order), accuracies[order])
        self.num_collected += len(records)

    def learn_table(self, table: RunTable, accuracies: Array) -> None:
        """Learn `n` runs in order and their accuracies, `(n,)`; runs of one task are adjacent."""
        table = self.with_defaults(table)
        for rows in _side_by_side(table.task.codes):
            own = table.take(rows)
            self._rows.register(own)
            self._safe.learn(self._rows.encode_runs(own), accuracies[rows])
            report_progress("records", int(rows[-1]) + 1, len(table))

    def predict_held_out(self, records: Sequence[CollectedRecord]) -> HeldOutPredictions:
        """Predict collected records without learning them.

        Raises:
            InvalidInput: nothing has been learned yet.
        """
        table = self.with_defaults(tabulate_collected(records))
        accuracies = np.array([record.accuracy for record in records])
        return self._safe.predict_held_out(
            self._rows.encode_runs(table), table.task.values(), accuracies
        )

    def replace_record(self, held_out: HeldOutPredictions) -> None:
        """Replace the predictor's own record; see `SafePredictor.replace_record`."""
        self._safe.replace_record(held_out)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the complete state; `from_state` restores an equal predictor from it."""
        parts = {"rows": self._rows.state(), "safe": self._safe.state()}
        counts = np.array([self.seed, self.num_experiences, self.num_collected])
        return {**join(parts), "counts": counts}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[np.generic]]) -> ExperiencePredictor:
        """Restore the predictor that `state()` was called on."""
        seed, num_experiences, num_collected = (int(count) for count in state["counts"])
        predictor = cls(seed)
        predictor.num_experiences, predictor.num_collected = num_experiences, num_collected
        predictor._rows = ExperienceRows.from_state(part(state, "rows"))
        predictor._safe = SafePredictor.from_state(part(state, "safe"))
        return predictor


def _side_by_side(codes: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of each run of equal codes."""
    return iter(np.split(np.arange(len(codes)), np.flatnonzero(np.diff(codes)) + 1))
