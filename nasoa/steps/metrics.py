"""Metrics of a store in Prometheus' text format, for dashboards and alerts."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Outcome, from_json
from nasoa.store import ArtifactStore, experience_log, keys, listing, snapshots
from nasoa.store.version_info import LearningRecord, from_document

# Number of predictor versions that the first call searches for a drift alarm.
LAST_VERSIONS = 100
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
logger = logging.getLogger(__name__)

_OUTCOME = re.compile(rf"{keys.TASKS}[^/]+/outcome\.json")
_EVALUATION = re.compile(rf"{keys.SEARCHES}(?P<search>[^/]+)/evaluations/[^/]+")


class StoreMetrics:
    """Metrics of a store in Prometheus' text format.

    Experiences, outcomes and versions do not change, so each is read only once, however often the
    metrics are scraped.

    Args:
        store: the store to observe.
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
        """Return all metrics as the body of a scrape.

        Raises:
            StoreUnavailable: the store cannot be reached, or refuses the request.
        """
        return "".join(self._families())

    def _families(self) -> Iterator[str]:
        self._read_experiences()
        self._read_versions()
        yield family(
            "nasoa_tasks_finished_total", "counter", "Finished fine-tunes.", len(self._late)
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
            "Pipeline runs that failed or were cancelled.",
            len(listing.names(self._store, keys.FAILURES)),
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
        """Read the experiences that were added since the last call."""
        known = self._late.keys() | self._unreadable
        new = [task_id for task_id in experience_log.task_ids(self._store) if task_id not in known]
        for experience in experience_log.read_loose(self._store, new):
            task = experience.task
            self._late[task.task_id] = experience.elapsed_s > task.time_limit_s
        self._unreadable.update(set(new) - self._late.keys())

    def _read_outcomes(self) -> None:
        """Read the outcomes that were added since the last call; unreadable ones do not count."""
        found = set(filter(_OUTCOME.fullmatch, self._store.list(keys.TASKS)))
        new = sorted(found - self._outcomes.keys() - self._unreadable)
        for key, raw in zip(new, experience_log.at_once(self._store.get, new), strict=True):
            try:
                self._outcomes[key] = from_json(raw, Outcome, key)
            except CorruptRecord as error:
                logger.warning("skipped: %s", error)
                self._unreadable.add(key)

    def _of_outcomes(self) -> Iterator[str]:
        """Yield failures by reason, durations by step, store retries and damaged objects."""
        self._read_outcomes()
        outcomes = self._outcomes.values()
        meaning = "Tasks that failed after their training started, by reason."
        failed = Counter(outcome.reason for outcome in outcomes if outcome.reason)
        yield family("nasoa_tasks_failed_total", "counter", meaning, failed, label="reason")
        seconds: dict[str, list[float]] = {}
        for outcome in outcomes:
            for step, took_s in outcome.durations_s.items():
                seconds.setdefault(step, []).append(took_s)
        meaning = "Total duration of task steps in seconds."
        sums = {step: round(sum(some), 3) for step, some in seconds.items()}
        yield family("nasoa_step_seconds_total", "counter", meaning, sums, label="step")
        meaning = "Task steps that ended."
        counts = {step: len(some) for step, some in seconds.items()}
        yield family("nasoa_steps_ended_total", "counter", meaning, counts, label="step")
        meaning = "Store requests of tasks that were retried after a failure."
        retries = sum(outcome.store_retries for outcome in outcomes)
        yield family("nasoa_store_retries_total", "counter", meaning, retries)
        meaning = "Damaged objects that are in the quarantine of the store."
        quarantined = len(self._store.list(keys.QUARANTINE))
        yield family("nasoa_store_quarantined", "gauge", meaning, quarantined)

    def _read_versions(self) -> None:
        """Read the versions that were added since the last call; unreadable ones do not count."""
        found = snapshots.versions(self._store, PREDICTOR_NAME, after=self._version)
        for version in found[-LAST_VERSIONS:]:
            key = keys.predictor(PREDICTOR_NAME, version, "json")
            try:
                self._record = from_document(self._store.get(key), key).record
            except ObjectNotFound:
                # The JSON copy is written just after the version itself.
                if version == found[-1]:
                    return
            except CorruptRecord as error:
                logger.warning("skipped: %s", error)
            else:
                if self._record.rang_at:
                    self._drift_version = version
            self._version = version

    def _of_predictor(self) -> Iterator[str]:
        """Yield the newest version, the last one with a drift alarm, and the recent error."""
        meaning = "Newest version of the predictor; 0 if there is none."
        yield family("nasoa_predictor_version", "gauge", meaning, self._version)
        meaning = "Newest version at which the predictor's drift alarm rang; 0 if there is none."
        yield family("nasoa_predictor_drift_version", "gauge", meaning, self._drift_version)
        recent = self._record.recent
        if recent:
            meaning = "Mean absolute error of the accuracy predicted for the latest tasks."
            error = round(sum(recent) / len(recent), 6)
            yield family("nasoa_predictor_recent_mean_abs_error", "gauge", meaning, error)

    def _evaluations(self) -> Mapping[str, int]:
        """Return the number of evaluations of each search."""
        found = (_EVALUATION.fullmatch(key) for key in self._store.list(keys.SEARCHES))
        return Counter(match["search"] for match in found if match)


def family(
    name: str, kind: str, meaning: str, value: float | Mapping[str, float], label: str = ""
) -> str:
    """Format a metric in Prometheus' text format: one sample, or one per value of a label."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    if isinstance(value, Mapping):
        lines += [f'{name}{{{label}="{of}"}} {number}' for of, number in sorted(value.items())]
    else:
        lines.append(f"{name} {value}")
    return "\n".join(lines) + "\n"
