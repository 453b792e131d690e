"""Figures of a store for Prometheus: what alarms are made of."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Outcome, from_json
from nasoa.store import ArtifactStore, experience_log, keys, listed, snapshots
from nasoa.store.version_info import LearningRecord, from_document

# Versions of the predictor that are searched for a drift alarm at the first call.
LAST_VERSIONS = 100
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
logger = logging.getLogger(__name__)

_OUTCOME = re.compile(rf"{keys.TASKS}[^/]+/outcome\.json")
_EVALUATION = re.compile(rf"{keys.SEARCHES}(?P<search>[^/]+)/evaluations/[^/]+")


class StoreMetrics:
    """Figures of a store in Prometheus' text format.

    Experiences and versions do not change, so each is read once, however often the figures are
    asked for.

    Args:
        store: whose.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._late: dict[str, bool] = {}
        self._unreadable: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._version = 0
        self._drift_version = 0
        self._record = LearningRecord()

    def text(self) -> str:
        """All figures, as a scrape gets them.

        Raises:
            StoreUnavailable: the store cannot be reached, or refuses.
        """
        return "".join(self._families())

    def _families(self) -> Iterator[str]:
        self._read_experiences()
        self._read_versions()
        yield family(
            "nasoa_tasks_finished_total", "counter", "Fine-tunes that ended.", len(self._late)
        )
        yield family(
            "nasoa_tasks_late_total",
            "counter",
            "Fine-tunes that took longer than their time limit.",
            sum(self._late.values()),
        )
        yield family(
            "nasoa_runs_failed_total",
            "counter",
            "Runs of pipelines that failed or were cancelled.",
            len(listed.names(self._store, keys.FAILURES)),
        )
        yield from self._of_outcomes()
        yield from self._of_predictor()
        yield family(
            "nasoa_search_evaluations",
            "gauge",
            "Architectures that a search has evaluated.",
            self._evaluations(),
            label="search",
        )

    def _read_experiences(self) -> None:
        """Those that came since the last call."""
        known = self._late.keys() | self._unreadable
        new = [task_id for task_id in experience_log.task_ids(self._store) if task_id not in known]
        for experience in experience_log.read_loose(self._store, new):
            task = experience.task
            self._late[task.task_id] = experience.elapsed_s > task.time_limit_s
        self._unreadable.update(set(new) - self._late.keys())

    def _read_outcomes(self) -> None:
        """Those that came since the last call; one that cannot be read counts for nothing."""
        found = set(filter(_OUTCOME.fullmatch, self._store.list(keys.TASKS)))
        new = sorted(found - self._outcomes.keys() - self._unreadable)
        for key, raw in zip(new, experience_log.at_once(self._store.get, new), strict=True):
            try:
                self._outcomes[key] = from_json(raw, Outcome, key)
            except CorruptRecord as error:
                logger.warning("skipped: %s", error)
                self._unreadable.add(key)

    def _of_outcomes(self) -> Iterator[str]:
        """Failures by reason, seconds by step, and what happened to the store meanwhile."""
        self._read_outcomes()
        outcomes = self._outcomes.values()
        meaning = "Tasks that failed after their training began, by reason."
        failed = Counter(outcome.reason for outcome in outcomes if outcome.reason)
        yield family("nasoa_tasks_failed_total", "counter", meaning, failed, label="reason")
        seconds: dict[str, list[float]] = {}
        for outcome in outcomes:
            for step, took_s in outcome.durations_s.items():
                seconds.setdefault(step, []).append(took_s)
        meaning = "Seconds that steps of tasks took."
        sums = {step: round(sum(some), 3) for step, some in seconds.items()}
        yield family("nasoa_step_seconds_total", "counter", meaning, sums, label="step")
        meaning = "Steps of tasks that ended."
        counts = {step: len(some) for step, some in seconds.items()}
        yield family("nasoa_steps_ended_total", "counter", meaning, counts, label="step")
        meaning = "Requests of tasks to the store that were sent again after a failure."
        retries = sum(outcome.store_retries for outcome in outcomes)
        yield family("nasoa_store_retries_total", "counter", meaning, retries)
        meaning = "Damaged objects of the store that were set aside and are still there."
        quarantined = len(self._store.list(keys.QUARANTINE))
        yield family("nasoa_store_quarantined", "gauge", meaning, quarantined)

    def _read_versions(self) -> None:
        """Those that came since the last call; one that cannot be read counts for nothing."""
        found = snapshots.versions(self._store, PREDICTOR_NAME, after=self._version)
        for version in found[-LAST_VERSIONS:]:
            key = keys.predictor(PREDICTOR_NAME, version, "json")
            try:
                self._record = from_document(self._store.get(key), key).record
            except ObjectNotFound:
                # It is written just after the version itself.
                if version == found[-1]:
                    return
            except CorruptRecord as error:
                logger.warning("skipped: %s", error)
            else:
                if self._record.rang_at:
                    self._drift_version = version
            self._version = version

    def _of_predictor(self) -> Iterator[str]:
        """The newest version, its error, and where the drift alarm rang last."""
        meaning = "Newest version of the predictor; 0 for none."
        yield family("nasoa_predictor_version", "gauge", meaning, self._version)
        meaning = "Newest version of the predictor at which the drift alarm rang; 0 for none."
        yield family("nasoa_predictor_drift_version", "gauge", meaning, self._drift_version)
        recent = self._record.recent
        if recent:
            meaning = "Mean absolute error of the accuracies predicted for the latest tasks."
            error = round(sum(recent) / len(recent), 6)
            yield family("nasoa_predictor_recent_mean_abs_error", "gauge", meaning, error)

    def _evaluations(self) -> Mapping[str, int]:
        """How many each search has."""
        found = (_EVALUATION.fullmatch(key) for key in self._store.list(keys.SEARCHES))
        return Counter(match["search"] for match in found if match)


def family(
    name: str, kind: str, meaning: str, value: float | Mapping[str, float], label: str = ""
) -> str:
    """A metric in Prometheus' text format, with one sample, or one for each value of a label."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    if isinstance(value, Mapping):
        lines += [f'{name}{{{label}="{of}"}} {number}' for of, number in sorted(value.items())]
    else:
        lines.append(f"{name} {value}")
    return "\n".join(lines) + "\n"
