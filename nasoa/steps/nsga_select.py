"""Select the next generation of a search."""

from __future__ import annotations

from nasoa.offline.search import Selection, StopCriterion, select
from nasoa.records import to_json
from nasoa.steps.searches import Search, read_search
from nasoa.store import keys, open_store


def select_generation(store_uri: str, search_id: str, stop: StopCriterion) -> Selection:
    """Return what to evaluate next, or why the search has ended; store a new generation.

    If several processes select at once, one writes the generation and all continue with it.
    """
    store = open_store(store_uri)
    while True:
        selection = _selected(read_search(store_uri, search_id), stop)
        if not selection.is_new:
            return selection
        key = keys.generation(search_id, selection.generation)
        if store.put_if_absent(key, to_json(list(selection.architectures))):
            return selection


def reason_of_end(store_uri: str, search_id: str, stop: StopCriterion) -> str:
    """Return why the search has ended, or "" if it has not; writes nothing."""
    config = keys.search_config(search_id)
    if config not in open_store(store_uri).list(config):
        return ""
    return _selected(read_search(store_uri, search_id), stop).ended


def _selected(search: Search, stop: StopCriterion) -> Selection:
    return select(search.config, stop, search.generations, search.evaluations)
