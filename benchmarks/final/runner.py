"""Makes the runs that are missing from the log, one after another in this process."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.final.hpo import Row, Search, Trial, run_search
from benchmarks.final.methods import OneShot
from benchmarks.final.space import SearchSpace, without_length
from benchmarks.final.state import state_of
from benchmarks.final.subject import Outcome, Subject
from benchmarks.run_log import RunLog
from nasoa.errors import InvalidInput, TimeLimitError
from nasoa.records import Regime

KEY = ("data", "limit", "limit_s", "seed", "method", "number", "state")


@dataclass(frozen=True)
class Cell:
    """A data set, a limit and a seed, for which every method runs once.

    Args:
        data: name of the data set.
        limit: the limit as it was asked for, such as `t1`.
        limit_s: its seconds on this data set.
        seed: the seed.
    """

    data: str
    limit: str
    limit_s: float
    seed: int

    def key(self, method: str, number: int, state: str) -> Row:
        """Return the key of a fine-tune in the log."""
        return {**asdict(self), "method": method, "number": number, "state": state}


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """A method of hyperparameter optimisation over some models.

    Args:
        name: its name in runs and tables.
        models: the models that it may choose.
        begin: makes the search over a space, with a seed.
        multiple: times the limit that it may spend.
    """

    name: str
    models: tuple[str, ...]
    begin: Callable[[SearchSpace, int], Search]
    multiple: float


class Runner:
    """Makes missing runs.

    Args:
        log: the finished runs.
        subject: returns the data set of a cell.
        version: version of the code.
    """

    def __init__(self, log: RunLog, subject: Callable[[Cell], Subject], version: str) -> None:
        self.failed = 0
        self._log = log
        self._subject = subject
        self._version = version

    def run_one(self, cell: Cell, method: OneShot) -> None:
        """Run a method that trains once, unless that was done."""
        key = cell.key(method.name, 0, state_of(method.models, predicts=method.predicts))

        def run() -> None:
            try:
                self._made(key, lambda: method.run(self._subject(cell), cell.limit_s))
            except TimeLimitError as error:
                self._refused(key, error)

        self._attempt(key, run)

    def run_tuning(self, cell: Cell, tuning: Tuning) -> None:
        """Run a search up to its budget; what is in the log is not trained again."""
        state = state_of(tuning.models, predicts=False)
        key = cell.key(tuning.name, 0, state)
        self._attempt(key, lambda: self._search(cell, tuning, state))

    def best_default(self, cell: Cell, models: Sequence[str]) -> str | None:
        """Return the model of the highest validation accuracy at its defaults; None if not run."""
        found = {}
        for model in models:
            state = state_of([model], predicts=False)
            row = self._log.find(**cell.key(f"default:{model}", 0, state))
            if row is None:
                return None
            if row["fits"]:
                found[model] = row["val_accuracy"]
        return max(found, key=found.__getitem__) if found else None

    def _search(self, cell: Cell, tuning: Tuning, state: str) -> None:
        subject = self._subject(cell)
        try:
            space = SearchSpace(subject, tuning.models, cell.limit_s)
        except TimeLimitError as error:
            self._refused(cell.key(tuning.name, 0, state), error)
            return

        def make(number: int, trial: Trial) -> Row:
            key = cell.key(tuning.name, number, state)
            limit_s = space.limit_s(trial.fraction)
            regime = space.regime(trial.configuration, trial.fraction)
            row = self._made(key, lambda: subject.train(regime, limit_s), fraction=trial.fraction)
            _check_same(row, trial)
            return row

        run_search(tuning.begin(space, cell.seed), tuning.multiple * cell.limit_s, make)

    def _made(self, key: Row, run: Callable[[], Outcome], **more: object) -> Row:
        """Return the run with this key from the log, or make and log it."""
        found = self._log.find(**key)
        if found is not None:
            return found
        started = time.perf_counter()
        outcome = run()
        wall_s = round(time.perf_counter() - started, 2)
        return self._append({**key, "fits": True, **more, **asdict(outcome), "wall_s": wall_s})

    def _refused(self, key: Row, error: TimeLimitError) -> None:
        """Log that nothing fits the limit, unless that is known."""
        if not self._log.has(**key):
            self._append({**key, "fits": False, "why": str(error)})

    def _append(self, row: Row) -> Row:
        self._log.append({**row, "code_version": self._version})
        sys.stderr.write(json.dumps(self._log.rows[-1]) + "\n")
        return self._log.rows[-1]

    def _attempt(self, key: Row, run: Callable[[], object]) -> None:
        """Run, or report the failure and count it: other runs do not depend on this one."""
        try:
            run()
        except Exception:
            self.failed += 1
            sys.stderr.write(f"failed: {key}\n{traceback.format_exc()}")


def _check_same(row: Row, trial: Trial) -> None:
    """Make sure that a search goes on as it began.

    Raises:
        InvalidInput: it asks for another fine-tune than the log has.
    """
    logged = Trial(without_length(Regime(**row["regime"])), row["fraction"])
    if logged != trial:
        raise InvalidInput(
            f"expected {row['method']} to ask for fine-tune {row['number']} as in the log, "
            f"{logged}, got {trial}: the search has changed since; give another file to --runs"
        )
