"""What the predictor knows and how it predicts: the table of defaults, and what runs added to it.

The mixture of experts (`nasoa.online.mixture.mixture`) learns what each run reached beyond the
table of defaults, as log-odds. So where there is no experience the table of defaults decides; near
what was tried the experience does; and in between one goes over into the other by as much as the
experts make of the likeness. A model that was never tried is judged by what those like it added.
What was added counts as the mean of `n` runs beside two that were as expected, so a first
experience does not overthrow the table.

The choice is safe: while the mixture's record (`nasoa.online.predictor.choice_record`) is worse
than that of the best on average, the best on average decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasoa.errors import InvalidInput
from nasoa.online.mixture.layout import join, part
from nasoa.online.predictor.choice_record import ChoiceRecord
from nasoa.online.predictor.experience_rows import ROW_LAYOUT, ExperienceRows
from nasoa.online.predictor.fallback import AverageRegime
from nasoa.online.predictor.judged import Judged
from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.predictor.regime_encoding import LAYOUT
from nasoa.online.predictor.running_interval import RunningInterval
from nasoa.online.regimes.log_odds import LEAST, from_log_odds, log_odds, surplus
from nasoa.online.regimes.regime_table import RegimeTable, tabulate, tabulate_collected
from nasoa.online.task.task_name import collected_names, task_name
from nasoa.records import CollectedRecord, Experience

if TYPE_CHECKING:
    # Its trees take a second to import, which a task without experience need not wait for.
    from nasoa.online.mixture.mixture import DefaultPredictor

Array = NDArray[np.float64]

PREDICTOR_NAME = f"mixture-{LAYOUT}"
RUNS_AS_EXPECTED = 2.0  # as `nasoa.online.predictor.fallback` has it


class ExperiencePredictor:
    """Predicts accuracies and learns from finished fine-tunes.

    Args:
        seed: of all that is left to chance.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._prior = DefaultPrior.packaged()
        self._rows = ExperienceRows()
        self._mixture: DefaultPredictor | None = None
        self._average = AverageRegime()
        self._average_interval = RunningInterval()
        self._record = ChoiceRecord()
        self._num_rows = 0
        self.num_experiences = 0
        self.num_collected = 0

    @property
    def expert_weights(self) -> dict[str, float]:
        """What each expert of the mixture counts for, sum 1; empty where nothing was learned."""
        return {} if self._mixture is None else self._mixture.weights

    @property
    def worse_in(self) -> str:
        """In what the mixture was worse than the best on average; "" where it decides."""
        return self._record.worse_in

    @property
    def decides(self) -> bool:
        """Whether the mixture decides: it has learned something and its record is good enough."""
        return self._mixture is not None and not self.worse_in

    @property
    def num_learned(self) -> int:
        """Runs of both kinds that were learned."""
        return self.num_experiences + self.num_collected

    def predict(self, experience: Experience) -> float:
        """The accuracy in [0, 1] that is predicted now for a regime that was tried."""
        table = _tabulated([experience])
        found = self.expected(table, [task_name(experience.task)], self.defaults(table))
        return float(from_log_odds(found)[0])

    def defaults(self, table: RegimeTable) -> Array:
        """`(n,)` log-odds that the table of defaults expects."""
        return self._prior.log_odds(table)

    def expected(self, table: RegimeTable, tasks: Sequence[str], defaults: Array) -> Array:
        """`(n,)` log-odds that are predicted now.

        Args:
            table: `n` regimes.
            tasks: names (`nasoa.online.task.task_name`), one for each, or one for all.
            defaults: `(n,)` as the method gives them for the table.
        """
        if self.worse_in:
            return self._average.expected(table, tasks, defaults)
        return self._by_mixture(table, tasks, defaults)

    def _by_mixture(self, table: RegimeTable, tasks: Sequence[str], defaults: Array) -> Array:
        if self._mixture is None:
            return defaults
        added = self._mixture.predict(self._rows.encode(table, tasks, defaults))
        return self._with_surplus(defaults, added)

    def _with_surplus(self, defaults: Array, added: Array) -> Array:
        trust = self._num_rows / (self._num_rows + RUNS_AS_EXPECTED)
        return defaults + trust * log_odds(added)

    def intervals(
        self, table: RegimeTable, tasks: Sequence[str], defaults: Array
    ) -> tuple[Array, Array]:
        """`(n,)` lowest and `(n,)` highest accuracies, such that 90 % are inside."""
        if self.worse_in or self._mixture is None:
            lows, highs = self._average_interval.around(
                from_log_odds(self.expected(table, tasks, defaults))
            )
            return lows, highs
        rows = self._rows.encode(table, tasks, defaults)
        bounds = np.array([self._mixture.interval(row) for row in rows])
        predicted = self._with_surplus(defaults, np.array(self._mixture.predict(rows)))
        # Log-odds are monotone, so what holds 90 % of the surpluses holds 90 % of the accuracies.
        low, high = defaults + log_odds(bounds).T
        lows = from_log_odds(np.minimum(low, predicted))
        highs = from_log_odds(np.maximum(high, predicted))
        # Accuracies were cut before they were learned, so a bound at the cut holds all beyond it.
        return np.where(lows <= LEAST, 0.0, lows), np.where(highs >= 1.0 - LEAST, 1.0, highs)

    def learn(self, experiences: Sequence[Experience]) -> None:
        """Predict, note the errors, then learn: one experience after another."""
        if not experiences:
            return
        tasks = [task_name(experience.task) for experience in experiences]
        accuracies = np.array([experience.accuracy for experience in experiences])
        self._learn(_tabulated(experiences), tasks, accuracies)
        self.num_experiences += len(experiences)

    def learn_collected(self, records: Sequence[CollectedRecord]) -> None:
        """Learn a table of known fine-tunes, one task after another, as users' tasks come.

        Args:
            records: the whole table (`collected_names` says why).
        """
        if not records:
            return
        names = collected_names(records)
        first = {name: place for place, name in reversed(list(enumerate(names)))}
        order = sorted(range(len(records)), key=lambda place: first[names[place]])
        ordered = [records[place] for place in order]
        accuracies = np.array([record.accuracy for record in ordered])
        self._learn(tabulate_collected(ordered), [names[place] for place in order], accuracies)
        self.num_collected += len(records)

    def judge(self, records: Sequence[CollectedRecord]) -> Judged:
        """What is said now of collected records, which are not learned.

        Raises:
            InvalidInput: nothing was learned yet.
        """
        if self._mixture is None:
            raise InvalidInput("expected a predictor that has learned something, got a new one")
        table, tasks = tabulate_collected(records), collected_names(records)
        defaults = self.defaults(table)
        experts = self._mixture.expert_predictions(self._rows.encode(table, tasks, defaults))
        accuracies = np.array([record.accuracy for record in records])
        return Judged(
            tasks=tasks,
            experts=experts,
            targets=surplus(accuracies, defaults),
            mixture=from_log_odds(self._by_mixture(table, tasks, defaults)),
            average=from_log_odds(self._average.expected(table, tasks, defaults)),
            accuracies=accuracies,
        )

    def take_record(self, judged: Judged) -> None:
        """Be trusted as this record says, and not as the own one does; what was learned stays.

        Args:
            judged: by like predictors that had learned nothing of the data sets.

        Raises:
            InvalidInput: nothing was learned yet.
        """
        if self._mixture is None:
            raise InvalidInput("expected a predictor that has learned something, got a new one")
        self._mixture.take_record(judged.experts, judged.targets)
        self._record, self._average_interval = ChoiceRecord(), RunningInterval()
        self._average_interval.observe(judged.average, judged.accuracies)
        for places in judged.by_task():
            self._record.observe_task(
                judged.mixture[places], judged.average[places], judged.accuracies[places]
            )
        for values in zip(judged.mixture, judged.average, judged.accuracies, strict=True):
            self._record.observe_run(*map(float, values))

    def _learn(self, table: RegimeTable, tasks: list[str], accuracies: Array) -> None:
        from nasoa.online.mixture.mixture import DefaultPredictor  # noqa: PLC0415

        if self._mixture is None:
            self._mixture = DefaultPredictor(ROW_LAYOUT, seed=self.seed)
        start = 0
        for task, runs in groupby(tasks):
            count = len(list(runs))
            places = np.arange(start, start + count)
            self._learn_task(self._mixture, table.take(places), task, accuracies[places])
            start += count

    def _learn_task(
        self, mixture: DefaultPredictor, table: RegimeTable, task: str, accuracies: Array
    ) -> None:
        """Runs of one task that came together: judge the choice among them, then learn each."""
        defaults = self.defaults(table)
        self._record.observe_task(
            self._by_mixture(table, [task], defaults),
            self._average.expected(table, [task], defaults),
            accuracies,
        )
        self._rows.admit(table, [task])
        rows = self._rows.encode(table, [task], defaults)
        targets = surplus(accuracies, defaults)
        for place, accuracy in enumerate(accuracies.tolist()):
            own = table.take(np.array([place]))
            expected = defaults[place : place + 1]
            added = self._with_surplus(expected, np.array([mixture.predict(rows[place])]))
            predicted = float(from_log_odds(added)[0])
            average = float(from_log_odds(self._average.expected(own, [task], expected))[0])
            self._record.observe_run(predicted, average, accuracy)
            self._average_interval.observe(average, accuracy)
            self._average.learn(own, task, expected, accuracy)
            mixture.learn(rows[place], float(targets[place]))
            self._num_rows += 1

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything there is to keep; `from_state` gives an equal predictor back."""
        parts = {
            "rows": self._rows.state(),
            "average": self._average.state(),
            "average_interval": self._average_interval.state(),
            "record": self._record.state(),
        }
        if self._mixture is not None:
            parts["mixture"] = self._mixture.state()
        counts = np.array([self.seed, self.num_experiences, self.num_collected])
        return {**join(parts), "counts": counts}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[np.generic]]) -> ExperiencePredictor:
        """The predictor that `state()` was called on."""
        seed, num_experiences, num_collected = (int(count) for count in state["counts"])
        predictor = cls(seed)
        predictor.num_experiences, predictor.num_collected = num_experiences, num_collected
        predictor._num_rows = predictor.num_learned
        predictor._rows = ExperienceRows.from_state(part(state, "rows"))
        predictor._average = AverageRegime.from_state(part(state, "average"))
        predictor._average_interval = RunningInterval.from_state(part(state, "average_interval"))
        predictor._record = ChoiceRecord.from_state(part(state, "record"))
        mixture = part(state, "mixture")
        if mixture:
            from nasoa.online.mixture.mixture import DefaultPredictor  # noqa: PLC0415

            predictor._mixture = DefaultPredictor.from_state(mixture)
        return predictor


def _tabulated(experiences: Sequence[Experience]) -> RegimeTable:
    return tabulate(
        [experience.task.meta_features for experience in experiences],
        [experience.model for experience in experiences],
        [experience.regime for experience in experiences],
        [experience.task.probes for experience in experiences],
    )
