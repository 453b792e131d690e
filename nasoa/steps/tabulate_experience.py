"""Read the records of a collection."""

from __future__ import annotations

import logging

from nasoa.errors import CorruptRecord
from nasoa.online.collecting.collected_table import records_from_json
from nasoa.records import CollectedRecord
from nasoa.store import keys, listing, open_store

logger = logging.getLogger(__name__)


def collected(store_uri: str, name: str) -> list[CollectedRecord]:
    """Return all records of a collection, in order of runs; a corrupt run is logged and skipped."""
    store = open_store(store_uri)
    records: list[CollectedRecord] = []
    for number in listing.numbers(store, keys.collection(name)):
        key = keys.collected_run(name, number)
        try:
            records += records_from_json(store.get(key), key)
        except CorruptRecord as error:
            logger.warning("skipped: %s", error)
    return records
