"""Write a data set as shards in the WebDataset layout, which `ShardSource` reads."""

from __future__ import annotations

import io
import tarfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.file_source import FileSource
from nasoa.data.loading import RESOLUTION_STEP, check_unreadable
from nasoa.data.open_data import open_source
from nasoa.data.reader import ImageReader
from nasoa.data.shard_paths import CLASSES_FILE, SUFFIX
from nasoa.data.source import ImageRecord, ImageSource, ObjectSource
from nasoa.data.splits import check_classes
from nasoa.errors import DataError
from nasoa.partial_file import whole_file


@dataclass(frozen=True)
class Written:
    """The result of `write_shards`.

    Args:
        shards: number of shards by split; "shard" stands for images without a split.
        images: number of images by split.
        classes: number of classes.
        skipped: number of files that could not be read as images.
        num_bytes: size of the shards and of the list of classes.
    """

    shards: dict[str, int]
    images: dict[str, int]
    classes: int
    skipped: int
    num_bytes: int


def write_shards(
    data: str,
    folder: Path,
    *,
    images_per_shard: int,
    seed: int = 0,
    config: DataConfig | None = None,
    source_store: ObjectSource | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Written:
    """Write DATA as `folder/train-000000.tar` and so on, or as `shard-000000.tar` without splits.

    Image files are copied unchanged; images of arrays are written as PNG. Images are shuffled, so
    that a few shards are a random sample. Files that cannot be read as images are left out.

    Args:
        data: DATA in any form.
        folder: a new or empty folder.
        images_per_shard: most images in a shard.
        seed: random seed for the order of the images.
        config: limits.
        source_store: see `load_dataset`.
        progress: called after every image, with the number of written and of all images.

    Raises:
        DataError: DATA is not usable, `folder` is not empty or cannot be written, or
            `images_per_shard` is below 1.
    """
    if images_per_shard < 1:
        raise DataError(f"expected at least 1 image per shard, got {images_per_shard}")
    config = config or DataConfig()
    source = open_source(data, config, source_store)
    check_classes(source.records, data, config)
    reader = ImageReader(source, RESOLUTION_STEP, config.max_pixels, config.workers)
    _sizes, unreadable = reader.sizes(range(len(source.records)))
    check_unreadable(unreadable, len(source.records), data, config)
    splits: dict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(source.records):
        if index not in unreadable:
            splits[record.split or "shard"].append(index)
    num_images = sum(map(len, splits.values()))
    numbers = count(1)
    try:
        _make_empty(folder)
        shards = {
            split: _write_split(
                source,
                split,
                np.array(indices)[np.random.default_rng(seed).permutation(len(indices))],
                folder,
                images_per_shard,
                lambda: progress(next(numbers), num_images),
            )
            for split, indices in splits.items()
        }
        (folder / CLASSES_FILE).write_text("\n".join(source.class_names) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from None
    return Written(
        shards=shards,
        images={split: len(indices) for split, indices in splits.items()},
        classes=len(source.class_names),
        skipped=len(unreadable),
        num_bytes=sum(path.stat().st_size for path in folder.iterdir()),
    )


def _make_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: expected a new or an empty folder for shards")


def _write_split(
    source: ImageSource,
    split: str,
    order: NDArray[np.int64],
    folder: Path,
    images_per_shard: int,
    image_written: Callable[[], None],
) -> int:
    numbers = {name: number for number, name in enumerate(source.class_names)}
    chunks = [order[i : i + images_per_shard] for i in range(0, len(order), images_per_shard)]
    for shard, chunk in enumerate(chunks):
        path = folder / f"{split}-{shard:06d}{SUFFIX}"
        # An incomplete shard has another name, so that it is not mistaken for a complete one.
        with (
            whole_file(path) as partial,
            tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for place, index in enumerate(chunk.tolist()):
                record = source.records[index]
                key = _key(record, shard * images_per_shard + place)
                raw, suffix = _content(source, index)
                _add(archive, key + suffix, raw)
                _add(archive, key + ".cls", str(numbers[record.class_name]).encode())
                image_written()
    return len(chunks)


def _content(source: ImageSource, index: int) -> tuple[bytes, str]:
    """Return an image's file unchanged if its suffix is that of a format, else as PNG."""
    if isinstance(source, FileSource):
        raw, suffix = source.content(index)
        if suffix in Image.registered_extensions():
            return raw, suffix
    buffer = io.BytesIO()
    source.open(index).save(buffer, "PNG")
    return buffer.getvalue(), ".png"


def _key(record: ImageRecord, number: int) -> str:
    """Return a name without dots, from which `group_of` recovers the group."""
    if record.group is None:
        return f"{number:08d}"
    return f"g{record.group.replace('.', '-')}_{number:08d}"


def _add(archive: tarfile.TarFile, name: str, raw: bytes) -> None:
    # No times and owners, so that the same data gives the same bytes.
    info = tarfile.TarInfo(name)
    info.size = len(raw)
    info.mode = 0o644
    archive.addfile(info, io.BytesIO(raw))
