"""Starters of a store: predictors that have learned the packaged runs and its own collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from threadpoolctl import threadpool_limits

from nasoa.cores import num_cores
from nasoa.errors import InvalidInput, UnknownName
from nasoa.online.collecting.held_out import learn_and_hold_out, sort_by_run
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.online.predictor.paper_predictor import PAPER_PREDICTOR_NAME, PaperPredictor
from nasoa.records import CollectedRecord
from nasoa.steps.learning import rest_on_starter
from nasoa.steps.methods import PAPER
from nasoa.steps.tabulate_experience import collected
from nasoa.store import ArtifactStore, keys, starters


@dataclass(frozen=True, kw_only=True)
class LearnedCollections:
    """The new starter of a store.

    `records`: number of records of the collections; `packaged`: number of packaged records.
    `key`: key of the starter. `version`: version in use, which is built on it; `experiences`:
    number of experiences of the store's log that were learned again on top.
    """

    collections: tuple[str, ...]
    records: int
    packaged: int
    key: str
    version: int
    experiences: int


def learn_collections(
    store: ArtifactStore, names: Sequence[str], report: Callable[[int], None] | None = None
) -> LearnedCollections:
    """Make starters from the packaged runs and these collections, and new versions built on them.

    There is one starter for each method; the result describes that of the default method. The
    experience log is learned again on top of each, without the tasks that are left out now.
    Learning thousands of records takes minutes.

    Args:
        store: store of the collections.
        names: names of all collections to learn; those of an earlier call are not kept.
        report: called with the total number of records before they are learned.

    Raises:
        InvalidInput: a collection does not exist or has no records.
    """
    unique = tuple(dict.fromkeys(names))
    own = [record for name in unique for record in _records(store, name)]
    packaged = collected_runs()
    records = sort_by_run([*packaged, *own])
    if report:
        report(len(records))
    with threadpool_limits(1):
        predictor, _held_out = learn_and_hold_out(records, processes=num_cores())
        of_paper = PaperPredictor.after(records)
    key = starters.save(store, PREDICTOR_NAME, predictor.state())
    starters.save(store, PAPER_PREDICTOR_NAME, of_paper.state())
    info = rest_on_starter(store)
    rest_on_starter(store, PAPER)
    return LearnedCollections(
        collections=unique,
        records=len(own),
        packaged=len(packaged),
        key=key,
        version=info.version,
        experiences=len(info.learned),
    )


def _records(store: ArtifactStore, name: str) -> list[CollectedRecord]:
    """Return the records of a collection, with run ids that differ from the packaged ones."""
    if not store.list(keys.collection(name)):
        runs = [key for key in store.list(keys.COLLECTIONS) if "/runs/" in key]
        known = {key.removeprefix(keys.COLLECTIONS).partition("/")[0] for key in runs}
        raise UnknownName("collection", name, known)
    records = collected(store.uri, name)
    if not records:
        raise InvalidInput(
            f"expected a collection with records, but no run of {name!r} had a result; collect "
            "more runs with nasoa meta-train and a longer --run-limit"
        )
    return [replace(record, run_id=f"own-{record.run_id}") for record in records]
