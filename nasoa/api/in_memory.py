"""Data in memory as DATA: a frame of paths and labels, arrays, or a torch Dataset.

They are written to a temporary folder in a form that `nasoa.data` reads, so that all data take the
same path to a data set and pass the same checks.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.errors import InvalidInput
from nasoa.scratch import ScratchFolder

if TYPE_CHECKING:
    from PIL.Image import Image

FORMS = (
    "a path or URI, a pandas DataFrame of paths and labels, a pair of images and labels, "
    "or a torch Dataset of such pairs"
)
LABELS = "labels.csv"


@contextmanager
def as_data(data: object, name: str = "images") -> Iterator[str]:
    """Provide data in any form as DATA of the command line, for as long as the block runs.

    Args:
        data: a path or URI; a pandas DataFrame with a column of paths and one of labels, like the
            tables in docs/data.md; a pair of `(n, h, w, 3)` or `(n, h, w)` images and `(n,)`
            labels; or a torch Dataset whose items are pairs of an image (PIL, or `(3, h, w)` in
            [0, 1]) and a label.
        name: name of the data set, if it has none.

    Raises:
        InvalidInput: the data have none of these forms.
    """
    if isinstance(data, str | os.PathLike):
        yield os.fspath(data)
        return
    with ScratchFolder() as folder:
        yield str(_written(data, folder, name))


def _written(data: object, folder: Path, name: str) -> Path:
    if hasattr(data, "to_csv"):
        return _write_frame(data, folder / name)
    if isinstance(data, tuple | list) and len(data) == 2:
        return _write_arrays(cast(Any, data[0]), cast(Any, data[1]), folder, name)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _write_pairs(data, folder / name)
    raise InvalidInput(f"expected {FORMS}, got {type(data).__name__}")


def _write_frame(frame: Any, folder: Path) -> Path:
    """Write a folder of links to the images and a table of their labels."""
    column = next((name for name in frame.columns if _names_files(frame[name])), None)
    if column is None or len(frame.columns) < 2:
        raise InvalidInput(
            "expected a DataFrame with a column of paths to existing image files and a column of "
            f"labels, got the columns {', '.join(map(str, frame.columns)) or 'none'}"
        )
    folder.mkdir()
    links = []
    for number, path in enumerate(frame[column]):
        link = f"{number:07d}{Path(path).suffix}"
        (folder / link).symlink_to(Path(path).absolute())
        links.append(link)
    linked = frame.copy()
    linked[column] = links
    # A header of numbers would be read as a row.
    names = [name if isinstance(name, str) else f"column {name}" for name in linked.columns]
    linked.to_csv(folder / LABELS, index=False, header=names)
    return folder


def _names_files(values: Any) -> bool:
    return len(values) > 0 and all(
        isinstance(value, str | os.PathLike) and os.path.isfile(value) for value in values
    )


def _write_arrays(images: ArrayLike, labels: ArrayLike, folder: Path, name: str) -> Path:
    pixels, classes = np.asarray(images), np.asarray(labels)
    if pixels.ndim not in (3, 4) or classes.ndim != 1 or len(pixels) != len(classes):
        raise InvalidInput(
            "expected (n, h, w, 3) or (n, h, w) images and (n,) labels, got "
            f"{pixels.shape} and {classes.shape}"
        )
    if np.issubdtype(classes.dtype, np.integer):
        path = folder / f"{name}.npz"
        np.savez(path, x=pixels, y=classes)
        return path
    return _write_images(zip(map(_picture, pixels), classes.tolist(), strict=True), folder / name)


def _write_pairs(dataset: Any, folder: Path) -> Path:
    names = getattr(dataset, "classes", None)
    pairs = (dataset[i] for i in range(len(cast(Sized, dataset))))
    labelled = ((_picture(image), _named(label, names)) for image, label in pairs)
    return _write_images(labelled, folder)


def _write_images(pairs: Iterable[tuple[Image, object]], folder: Path) -> Path:
    """Write a folder of lossless images and a table of their labels.

    Labels are not names of folders, as these could be read as splits.
    """
    folder.mkdir()
    with (folder / LABELS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("image", "label"))
        number = 0
        for number, (image, label) in enumerate(pairs, start=1):
            path = f"{number:07d}.png"
            image.convert("RGB").save(folder / path, compress_level=1)
            table.writerow((path, label))
    if not number:
        raise InvalidInput("expected images with labels, got none")
    return folder


def _named(label: Any, names: Any) -> object:
    number = int(label) if hasattr(label, "__int__") else None
    if names is not None and number is not None and 0 <= number < len(names):
        return names[number]
    return label if number is None else number


def _picture(image: Any) -> Image:
    """Convert an image to PIL: a PIL image, an array `(h, w)` or `(h, w, 3)`, or a tensor
    `(3, h, w)`.
    """
    from PIL import Image  # noqa: PLC0415  (only needed for data in memory)

    if isinstance(image, Image.Image):
        return image
    pixels: NDArray[Any] = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = (pixels.clip(0.0, 1.0) * 255.0).round()
    if pixels.ndim not in (2, 3):
        raise InvalidInput(f"expected images of (h, w) or (h, w, 3), got {pixels.shape}")
    return Image.fromarray(np.squeeze(pixels.astype(np.uint8)))
