"""What a store starts from: the package's collected runs, and its own where the user says so."""

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
    """What a store starts from now.

    `records`: of these collections; `packaged`: those that come with nasoa. `key`: where the
    starter lies. `version`: the one in use, which rests on it; `experiences`: of the store's log,
    that it learned anew.
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
    """Make starters of the package's table and these collections, and go on from them.

    One for each method; the result is that of the default one. The log is learned anew on top. What
    is left out now stays left out. Learning 3,000 records takes about 5 minutes.

    Args:
        store: where the collections are.
        names: all collections that are to count; those of an earlier call are not kept.
        report: called with the number of all records before they are learned.

    Raises:
        InvalidInput: a collection is not there, or has no records.
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
    """The records of a collection, with runs that are none of the package's, whatever its name."""
    if not store.list(keys.collection(name)):
        runs = [key for key in store.list(keys.COLLECTIONS) if "/runs/" in key]
        known = {key.removeprefix(keys.COLLECTIONS).partition("/")[0] for key in runs}
        raise UnknownName("collection", name, known)
    records = collected(store.uri, name)
    if not records:
        raise InvalidInput(
            f"expected a collection with records, but no run of {name!r} had a result; make more "
            "with nasoa meta-train, with a longer --run-limit"
        )
    return [replace(record, run_id=f"own-{record.run_id}") for record in records]
