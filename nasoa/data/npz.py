"""Read the images and labels of an .npz file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasoa.config import DataConfig
from nasoa.data.array_pixels import CHANNELS, to_bytes
from nasoa.data.array_source import ArraySource
from nasoa.data.grey_range import GreyRange, range_of_values
from nasoa.data.npy import read_array
from nasoa.data.source import ImageRecord
from nasoa.data.zip_archive import read_directory
from nasoa.errors import DataError

# Split -> possible keys of its images and labels; "" stands for images that are still to be split.
_KEYS: dict[str, list[tuple[str, str]]] = {
    "": [("x", "y"), ("images", "labels")],
    "train": [("x_train", "y_train"), ("train_images", "train_labels")],
    "val": [("x_val", "y_val"), ("val_images", "val_labels")],
    "test": [("x_test", "y_test"), ("test_images", "test_labels")],
}
_EXPECTED = (
    "x and y, or images and labels, or x_train, y_train, x_test, y_test, "
    "or train_images, train_labels, test_images, test_labels (val the same way)"
)


def read_npz(path: Path, name: str, data: str, config: DataConfig) -> ArraySource:
    """Read the images and labels of an .npz file; class names are the labels in numeric order.

    Images are `(n, h, w)`, `(n, h, w, 1)` or `(n, h, w, 3)` arrays of uint8, uint16, or floats in
    [0, 1]. Labels are `(n,)` or `(n, 1)` integers.

    Args:
        path: path of the file.
        name: short name of the data set.
        data: DATA, for messages.
        config: limits.

    Raises:
        DataError: arrays are missing, damaged, of another shape or type, or differ in length.
    """
    limits = replace(config, max_file_bytes=config.max_archive_bytes)  # not the limit of an image
    arrays = {
        entry.name.removesuffix(".npy"): entry for entry in read_directory(path, data, limits)
    }
    pairs = _pairs(arrays, data)
    found = {
        key: read_array(path, arrays[key], f"{key} of {data}")
        for pair in pairs.values()
        for key in pair
    }
    deep = [found[key] for key, _labels_key in pairs.values() if found[key].dtype == np.uint16]
    grey = range_of_values(deep) if deep else None
    images, labels = {}, {}
    for split, (image_key, label_key) in pairs.items():
        images[split] = _images(found[image_key], image_key, data, config, grey)
        labels[split] = _labels(found[label_key], label_key, data)
        if len(images[split]) != len(labels[split]):
            raise DataError(
                f"{data} has {len(images[split])} images in {image_key} "
                f"but {len(labels[split])} labels in {label_key}: expected one each"
            )
    shapes = {split: array.shape[1:] for split, array in images.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"images of {data} differ in shape between splits: {shapes}")
    records = [
        ImageRecord(f"{pairs[split][0]}[{index}]", str(label), split)
        for split, own in labels.items()
        for index, label in enumerate(own.tolist())
    ]
    classes = [str(label) for label in np.unique(np.concatenate(list(labels.values()))).tolist()]
    return ArraySource(name, records, classes, np.concatenate(list(images.values())), grey)


def _pairs(arrays: Collection[str], data: str) -> dict[str, tuple[str, str]]:
    """Return the keys of images and labels of each split."""
    found = {
        split: pair
        for split, pairs in _KEYS.items()
        for pair in pairs
        if pair[0] in arrays and pair[1] in arrays
    }
    if "" in found:
        return {"": found[""]}
    if "train" not in found:
        raise DataError(f"{data} has the arrays {sorted(arrays)}: expected {_EXPECTED}")
    return found


def _images(
    array: NDArray[Any], key: str, data: str, config: DataConfig, grey: GreyRange | None
) -> NDArray[np.uint8]:
    """Return `(n, h, w)` or `(n, h, w, 3)` uint8 images; `grey` is the range of uint16 images."""
    where = f"{key} of {data}"
    if array.ndim not in (3, 4) or 0 in array.shape or array.shape[3:] not in CHANNELS:
        raise DataError(
            f"{where} has the shape {array.shape}: expected (n, h, w), (n, h, w, 1) or (n, h, w, 3)"
        )
    if array.shape[1] * array.shape[2] > config.max_pixels:
        raise DataError(
            f"images in {where} have {array.shape[1]} x {array.shape[2]} pixels: "
            f"expected at most {config.max_pixels}"
        )
    array = array[..., 0] if array.shape[3:] == (1,) else array
    return to_bytes(array, where, grey)


def _labels(array: NDArray[Any], key: str, data: str) -> NDArray[np.int64]:
    """Return `(n,)` int64 labels."""
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim != 1:
        raise DataError(f"{key} of {data} has the shape {array.shape}: expected (n,) or (n, 1)")
    if flat.dtype.kind not in "iu":
        raise DataError(f"{key} of {data} is of dtype {array.dtype}: expected integers")
    return flat.astype(np.int64)
