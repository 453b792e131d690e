"""Data in memory as DATA: a frame of paths and labels, arrays, or a torch Dataset.

They are written to a temporary folder in a form that `nasoa.data` reads, so that all data take the
same path to a data set and pass the same checks.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nasoa.data.array_pixels import channels_last, to_bytes
from nasoa.data.decode import to_rgb
from nasoa.data.deep_png import deep_png
from nasoa.data.file_kinds import IMAGE_SUFFIXES, suffix_of
from nasoa.data.grey_range import GreyRange, is_deep
from nasoa.errors import InvalidInput
from nasoa.home_path import expanded
from nasoa.scratch import ScratchFolder

# Pixels of uint16 stay an array.
Picture: TypeAlias = Image.Image | NDArray[np.uint16]

FORMS = (
    "a path or URI, a pandas DataFrame of paths and labels, a pair of images and labels, "
    "or a torch Dataset of such pairs"
)
LABELS = "labels.csv"
IMAGES = "the array of images"
IMAGE = "an image of the data set"


@contextmanager
def as_data(data: object, name: str = "images") -> Iterator[str]:
    """Provide data in any form as DATA of the command line, for as long as the block runs.

    Args:
        data: a path or URI; a pandas DataFrame with a column of paths and one of labels, like the
            tables in docs/data.md; a pair of images, as `image_array` takes them, and `(n,)`
            labels; or a torch Dataset whose items are pairs of an image (PIL, or an array or tensor
            of such an image) and a label.
        name: name of the data set, if it has none.

    Raises:
        InvalidInput: the data have none of these forms.
    """
    if isinstance(data, str | os.PathLike):
        yield os.fspath(data)
        return
    with ScratchFolder() as folder:
        yield str(_written(data, folder, name))


def image_array(images: object) -> NDArray[Any]:
    """Return images in memory as one array, `(n, h, w)` or `(n, h, w, 3)`.

    Args:
        images: an array, a tensor or nested sequences of `(n, h, w)`, `(n, h, w, c)` or
            `(n, c, h, w)` with one or three channels: uint8, uint16, or floats in [0, 1].

    Raises:
        InvalidInput: the images have another shape, or differ in size.
    """
    return channels_last(_array(images))


def image_bytes(images: object, grey: GreyRange) -> NDArray[np.uint8]:
    """Return images in memory as `(n, h, w)` or `(n, h, w, 3)` levels from 0 to 255.

    Args:
        images: see `image_array`.
        grey: values of black and white in uint16 images.

    Raises:
        InvalidInput: see `image_array`; or the values are of another type or range.
    """
    return to_bytes(image_array(images), IMAGES, grey)


def _array(values: object) -> NDArray[Any]:
    if hasattr(values, "detach"):  # a tensor, which may be on a GPU
        values = values.detach().cpu()
    try:
        return np.asarray(values)
    except ValueError:
        raise InvalidInput(
            "expected images of one size, got several sizes; resize them, or pass a folder, a "
            "DataFrame of paths, or a torch Dataset"
        ) from None


def _written(data: object, folder: Path, name: str) -> Path:
    if hasattr(data, "to_csv"):
        return _write_frame(data, folder / name)
    if isinstance(data, tuple | list) and len(data) == 2:
        return _write_arrays(data[0], data[1], folder, name)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _write_pairs(data, folder / name)
    raise InvalidInput(f"expected {FORMS}, got {type(data).__name__}")


def _write_frame(frame: Any, folder: Path) -> Path:
    """Write a folder of links to the images and a table of their labels."""
    column = _path_column(frame)
    paths = [Path(expanded(os.fspath(path))) for path in _existing(frame[column], column)]
    folder.mkdir()
    links = []
    for number, path in enumerate(paths):
        link = f"{number:07d}{path.suffix}"
        (folder / link).symlink_to(path.absolute())
        links.append(link)
    linked = frame.copy()
    linked[column] = links
    # A header of numbers would be read as a row.
    names = [name if isinstance(name, str) else f"column {name}" for name in linked.columns]
    linked.to_csv(folder / LABELS, index=False, header=names)
    return folder


def _path_column(frame: Any) -> Any:
    """Return the name of the column of paths: the one that names most files.

    If none of the files exists, it is the one with most names of images.
    """
    for is_path in (_is_file, _is_image_name):
        counts = {name: sum(map(is_path, frame[name])) for name in frame.columns}
        best = max(counts, key=counts.__getitem__, default=None)
        if best is not None and counts[best] and len(counts) > 1:
            return best
    raise InvalidInput(
        "expected a DataFrame with a column of paths to existing image files and a column of "
        f"labels, got the columns {', '.join(map(str, frame.columns)) or 'none'}"
    )


def _existing(paths: Sequence[Any], column: object) -> list[Any]:
    missing = [path for path in paths if not _is_file(path)]
    if missing:
        number = f"{len(missing)} of {len(paths)} are missing"
        raise InvalidInput(
            f"expected paths to existing image files in the column {column!r}, but there is no "
            f"file {_text(missing[0])!r} ({number}); relative paths start at {os.getcwd()}"
        )
    return list(paths)


def _text(path: object) -> str:
    return os.fspath(path) if isinstance(path, str | os.PathLike) else str(path)


def _is_file(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and os.path.isfile(expanded(os.fspath(value)))


def _is_image_name(value: object) -> bool:
    return isinstance(value, str | os.PathLike) and suffix_of(os.fspath(value)) in IMAGE_SUFFIXES


def _write_arrays(images: object, labels: object, folder: Path, name: str) -> Path:
    pixels, classes = _array(images), np.asarray(labels)
    if pixels.ndim not in (3, 4) or classes.ndim != 1 or len(pixels) != len(classes):
        raise InvalidInput(
            "expected (n, h, w, 3) or (n, h, w) images and (n,) labels, got "
            f"{pixels.shape} and {classes.shape}"
        )
    values = _kept(channels_last(pixels), IMAGES)
    if np.issubdtype(classes.dtype, np.integer):
        path = folder / f"{name}.npz"
        np.savez(path, x=values, y=classes)
        return path
    return _write_images(zip(map(_picture, values), classes.tolist(), strict=True), folder / name)


def _write_pairs(dataset: Any, folder: Path) -> Path:
    names = getattr(dataset, "classes", None)
    pairs = (dataset[i] for i in range(len(cast(Sized, dataset))))
    labelled = ((_item(image), _named(label, names)) for image, label in pairs)
    return _write_images(labelled, folder)


def _write_images(pairs: Iterable[tuple[Picture, object]], folder: Path) -> Path:
    """Write a folder of lossless images and a table of their labels.

    Labels are not names of folders, as these could be read as splits.
    """
    folder.mkdir()
    with (folder / LABELS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "label"))
        number = 0
        for number, (image, label) in enumerate(pairs, start=1):
            table.writerow((_saved(image, folder, f"{number:07d}"), label))
    if not number:
        raise InvalidInput("expected images with labels, got none")
    return folder


def _saved(image: Picture, folder: Path, name: str) -> str:
    """Write one image, and return the name of its file.

    Values of more than eight bits are kept: their range is found for the whole data set.
    """
    path = f"{name}.png"
    if isinstance(image, np.ndarray):
        (folder / path).write_bytes(deep_png(image))
    elif is_deep(image):
        path = f"{name}.tiff"
        image.save(folder / path)
    else:
        # A copy, as turning it upright would change the caller's image.
        to_rgb(image.copy()).save(folder / path, compress_level=1)
    return path


def _named(label: Any, names: Any) -> object:
    number = int(label) if hasattr(label, "__int__") else None
    if names is not None and number is not None and 0 <= number < len(names):
        return names[number]
    return label if number is None else number


def _item(image: object) -> Picture:
    """Return an image of a Dataset: a PIL image, or an array or tensor of `(h, w)`, `(h, w, 3)` or
    `(3, h, w)`.
    """
    if isinstance(image, Image.Image):
        return image
    (pixels,) = channels_last(_array(image)[None])
    return _picture(_kept(pixels, IMAGE))


def _kept(pixels: NDArray[Any], where: str) -> NDArray[Any]:
    """Return values of uint16 as they are, as their range is not known yet, and others as bytes."""
    return pixels if pixels.dtype == np.uint16 else to_bytes(pixels, where)


def _picture(values: NDArray[Any]) -> Picture:
    """Return `(h, w)` or `(h, w, 3)` values of uint8 as a PIL image, and those of uint16 as is."""
    return values if values.dtype == np.uint16 else Image.fromarray(values)
