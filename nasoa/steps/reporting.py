"""The report of a store."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import partial

from nasoa.errors import CorruptRecord, InvalidInput, StoreUnavailable
from nasoa.records import Experience, Outcome, Recommendation, ZooEntry
from nasoa.report.contents import ModelRow, SearchResults, StoreContents
from nasoa.report.store_page import store_page
from nasoa.steps import predictor_history, searches
from nasoa.steps.methods import PAPER
from nasoa.steps.reading import read_record
from nasoa.steps.record_failure import failed_runs
from nasoa.steps.zoo import PROFILED_BATCH, load_zoo, step_times
from nasoa.store import ArtifactStore, experience_log, keys, listing
from nasoa.work_progress import reported
from nasoa.zoo.step_times import StepTimes, reference_rows

logger = logging.getLogger(__name__)

# Of the packaged step times, and of the paper's (Table 2).
REFERENCE_BATCH = 64
NOTHING_FROZEN = -1
# Each of these tasks needs two requests to the store.
MAX_DETAILS = 2000
REFERENCE = "the packaged reference machine"
_OUTCOME = re.compile(rf"{keys.TASKS}[^/]+/outcome\.json")


def store_report(store: ArtifactStore) -> str:
    """Return the report as a self-contained HTML document."""
    return store_page(contents(store))


def contents(store: ArtifactStore) -> StoreContents:
    """Read what the report shows; what cannot be read is logged and left out.

    The intervals and the durations of steps are read for the newest 2,000 tasks.
    """
    experiences = predictor_history.experiences(store)
    hardware, times = _timed_hardware(store, experiences)
    batch = PROFILED_BATCH if hardware else REFERENCE_BATCH
    newest = [e.task.task_id for e in experiences[-MAX_DETAILS:]]
    return StoreContents(
        uri=store.uri,
        hardware=hardware or REFERENCE,
        models=tuple(_model_row(entry, times, batch) for entry in load_zoo(store).entries.values()),
        searches=tuple(_searches(store)),
        experiences=tuple(experiences),
        intervals=_intervals(store, newest),
        versions=tuple(predictor_history.version_history(store)),
        paper_versions=tuple(predictor_history.version_history(store, PAPER)),
        outcomes=tuple(_outcomes(store)),
        failures=tuple(failed_runs(store.uri)),
    )


def _timed_hardware(
    store: ArtifactStore, experiences: Sequence[Experience]
) -> tuple[str, StepTimes]:
    """Return the hardware of the newest task whose steps were timed, with its step times.

    If there is none, it is the first that the store has step times of, or else "", for which the
    times are those of the reference hardware.
    """
    timed = listing.folders(store, keys.STEP_TIMES)
    recent = (e.task.hardware for e in reversed(experiences) if e.task.hardware in timed)
    hardware = next(recent, timed[0] if timed else "")
    return hardware, step_times(store, hardware) if hardware else StepTimes.of(reference_rows())


def _model_row(entry: ZooEntry, times: StepTimes, batch: int) -> ModelRow:
    size = entry.resolution
    return ModelRow(
        name=entry.name,
        family=entry.family,
        source=entry.source,
        accuracy=entry.source_accuracy,
        resolution=size,
        batch_size=batch,
        step_ms=1000 * times.step_time_s(entry, size, batch, NOTHING_FROZEN, cached=False),
        image_ms=1000 * times.eval_image_s(entry, size),
        is_measured=(entry.name, size, batch, NOTHING_FROZEN) in times.rows,
        macs=entry.macs,
        num_params=entry.num_params,
    )


def _searches(store: ArtifactStore) -> list[SearchResults]:
    """Return the searches, the one with the newest evaluation last; unreadable ones are logged."""
    found = []
    for name in reported(listing.folders(store, keys.SEARCHES), "searches"):
        try:
            search = searches.read_search(store.uri, name)
        except StoreUnavailable:
            raise
        except (CorruptRecord, InvalidInput) as error:
            logger.warning("left out: %s", error)
            continue
        found.append(
            SearchResults(
                name=search.search_id,
                config=search.config,
                generations=search.generations,
                evaluations=search.evaluations,
                progress=tuple(search.progress),
            )
        )
    return sorted(
        found, key=lambda s: max((e.created_at for e in s.evaluations.values()), default="")
    )


def _intervals(store: ArtifactStore, task_ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the interval of the chosen candidate of each of these tasks, where it is known."""
    read = partial(_recommendation, store)
    found = zip(task_ids, experience_log.at_once(read, task_ids), strict=True)
    return {task_id: r.candidates[0].interval for task_id, r in found if r and r.candidates}


def _recommendation(store: ArtifactStore, task_id: str) -> Recommendation | None:
    return read_record(store, keys.recommendation(task_id), Recommendation)


def _outcomes(store: ArtifactStore) -> list[Outcome]:
    """Return the outcomes of the newest tasks, oldest first; ids of tasks start with their time."""
    found = sorted(filter(_OUTCOME.fullmatch, store.list(keys.TASKS)))[-MAX_DETAILS:]
    read = partial(read_record, store, kind=Outcome)
    return [outcome for outcome in experience_log.at_once(read, found) if outcome is not None]
