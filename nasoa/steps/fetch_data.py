"""Copy data sets out of a bucket into the cache that all pods share."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.config import DataConfig
from nasoa.data import ScratchFolder, bucket_uri, local_copy, open_data_cache
from nasoa.errors import InvalidInput
from nasoa.steps.sources import source_store


def fetch_data(data: Sequence[str]) -> dict[str, str]:
    """Copy each data set that lies in a bucket, unless that is done; steps then find the copy.

    What lies elsewhere is left as it is.

    Args:
        data: several DATA.

    Returns:
        Where the copies are, by DATA.

    Raises:
        InvalidInput: no cache is named in the environment.
        DataError: a data set cannot be read, or the cache cannot be written.
    """
    if open_data_cache() is None:
        raise InvalidInput(
            "expected a folder that pods share in NASOA_DATA_CACHE, got none; compile the pipeline "
            "with the name of a claim as data_claim"
        )
    return {
        one: local_copy(one, source_store(one), DataConfig(), ScratchFolder())
        for one in dict.fromkeys(data)
        if bucket_uri(one)
    }
