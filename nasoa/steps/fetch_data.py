"""Copy data sets from a bucket into the cache that the pods share."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.config import DataConfig
from nasoa.data import bucket_uri, local_copy, open_data_cache
from nasoa.errors import InvalidInput
from nasoa.scratch import ScratchFolder
from nasoa.steps.sources import source_store


def fetch_data(data: Sequence[str]) -> dict[str, str]:
    """Copy each data set in a bucket to the cache, unless it is there already.

    Later steps read the copy. Data sets elsewhere are not copied.

    Args:
        data: DATA of each data set.

    Returns:
        The path of each copy, by DATA.

    Raises:
        InvalidInput: the environment names no cache.
        DataError: a data set cannot be read, or the cache cannot be written.
    """
    if open_data_cache() is None:
        raise InvalidInput(
            "expected NASOA_DATA_CACHE to name a folder that the pods share, got none; compile the "
            "pipeline with data_claim set to the name of a volume claim"
        )
    return {
        one: local_copy(one, source_store(one), DataConfig(), ScratchFolder())
        for one in dict.fromkeys(data)
        if bucket_uri(one)
    }
