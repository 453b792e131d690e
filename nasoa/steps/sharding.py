"""Write data sets as shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nasoa.data import Written, write_shards
from nasoa.steps.sources import source_store


def shard(
    data: str,
    folder: Path,
    *,
    images_per_shard: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> Written:
    """Write DATA as shards; see `nasoa.data.write_shards`."""
    return write_shards(
        data,
        folder,
        images_per_shard=images_per_shard,
        seed=seed,
        source_store=source_store(data),
        progress=progress,
    )
