"""Choose the next generation of a search."""

from __future__ import annotations

from nasoa.offline.search import Selection, StopCriterion, select
from nasoa.records import to_json
from nasoa.steps.searches import read_search
from nasoa.store import keys, open_store


def select_generation(store_uri: str, search_id: str, stop: StopCriterion) -> Selection:
    """What to evaluate next, or why the search has ended; a new generation goes into the store.

    Of two that select at once one writes the generation, and both go on with it.
    """
    store = open_store(store_uri)
    while True:
        search = read_search(store_uri, search_id)
        selection = select(search.config, stop, search.generations, search.evaluations)
        if not selection.is_new:
            return selection
        key = keys.generation(search_id, selection.generation)
        if store.put_if_absent(key, to_json(list(selection.architectures))):
            return selection
