"""Read data sets that torchvision has downloaded: `torchvision:CIFAR10`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nasoa.data.pixel_cache import cache_folder
from nasoa.data.source import ImageRecord
from nasoa.data.stamps import stamp_array, stamp_files
from nasoa.errors import DataError, UnknownName
from nasoa.home_path import expanded
from nasoa.torchvision_import import import_torchvision

_TRAIN_FLAG = {"train": {"train": True}, "test": {"train": False}}
_TRAIN_TEST = {"train": {"split": "train"}, "test": {"split": "test"}}
_THREE = {**_TRAIN_TEST, "val": {"split": "val"}}


@dataclass(frozen=True)
class _Entry:
    """How to read a data set of torchvision.

    Args:
        splits: arguments for each split; "" stands for images that are still to be split.
        labels: attribute that holds the labels.
    """

    splits: Mapping[str, Mapping[str, Any]]
    labels: str


# Data sets for image classification whose labels can be read without decoding the images.
_SETS = {
    "CIFAR10": _Entry(_TRAIN_FLAG, "targets"),
    "CIFAR100": _Entry(_TRAIN_FLAG, "targets"),
    "Caltech101": _Entry({"": {}}, "y"),
    "Caltech256": _Entry({"": {}}, "y"),
    "Country211": _Entry({**_TRAIN_TEST, "val": {"split": "valid"}}, "targets"),
    "DTD": _Entry(_THREE, "_labels"),
    "EMNIST": _Entry(
        {part: {"split": "balanced", **flag} for part, flag in _TRAIN_FLAG.items()}, "targets"
    ),
    "EuroSAT": _Entry({"": {}}, "targets"),
    "FGVCAircraft": _Entry(_THREE, "_labels"),
    "FashionMNIST": _Entry(_TRAIN_FLAG, "targets"),
    "Flowers102": _Entry(_THREE, "_labels"),
    "Food101": _Entry(_TRAIN_TEST, "_labels"),
    "GTSRB": _Entry(_TRAIN_TEST, "_samples"),
    "Imagenette": _Entry({"train": {"split": "train"}, "test": {"split": "val"}}, "_samples"),
    "KMNIST": _Entry(_TRAIN_FLAG, "targets"),
    "MNIST": _Entry(_TRAIN_FLAG, "targets"),
    "OxfordIIITPet": _Entry({"train": {"split": "trainval"}, "test": {"split": "test"}}, "_labels"),
    "RenderedSST2": _Entry(_THREE, "_samples"),
    "STL10": _Entry(_TRAIN_TEST, "labels"),
    "StanfordCars": _Entry(_TRAIN_TEST, "_samples"),
    "SUN397": _Entry({"": {}}, "_labels"),
    "SVHN": _Entry(_TRAIN_TEST, "labels"),
    "USPS": _Entry(_TRAIN_FLAG, "targets"),
}

# Data sets that torchvision reads, but whose server is gone.
_NOT_DOWNLOADED = frozenset({"StanfordCars"})

# Attributes with the paths of the images, which some data sets store as pairs with a label.
_FILE_LISTS = ("_samples", "samples", "_image_files", "_images")


class TorchvisionSource:
    """A data set of torchvision; see `ImageSource`.

    Args:
        name: name of a class in torchvision.datasets; case does not matter.

    Raises:
        UnknownName: there is no such data set.
        DataError: the data set has not been downloaded, or torchvision cannot be imported.
    """

    def __init__(self, name: str) -> None:
        self.name = _known(name)
        entry = _SETS[self.name]
        self._parts = {split: _load(self.name, kw) for split, kw in entry.splits.items()}
        labels = {split: _labels(part, entry.labels) for split, part in self._parts.items()}
        self.class_names = _class_names(next(iter(self._parts.values())), labels.values())
        numbers = sorted({label for own in labels.values() for label in own})
        names = dict(zip(numbers, self.class_names, strict=True))
        self.records: Sequence[ImageRecord] = [
            ImageRecord(f"{self.name} {split}[{index}]", names[label], split)
            for split, own in labels.items()
            for index, label in enumerate(own)
        ]
        self._places = [(split, i) for split, own in labels.items() for i in range(len(own))]

    def stamp(self) -> str | None:
        """See `ImageSource`."""
        stamps = [_stamp(part) for part in self._parts.values()]
        return None if None in stamps else " ".join(map(str, stamps))

    def header(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        return self.open(index)

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        split, place = self._places[index]
        image: Image.Image = self._parts[split][place][0]
        return image


def _stamp(part: Any) -> str | None:
    """Return a stamp of the array or the files of a data set of torchvision; None if unknown."""
    array = getattr(part, "data", None)
    if array is not None:
        return stamp_array(np.asarray(array))
    lists = (getattr(part, name, None) for name in _FILE_LISTS)
    files = next((files for files in lists if files), None)
    if files is None:
        return None
    paths = (file[0] if isinstance(file, tuple) else file for file in files)
    return stamp_files(Path("/"), (os.path.abspath(path) for path in paths))


def _known(name: str) -> str:
    by_lower = {known.lower(): known for known in _SETS}
    if name.lower() not in by_lower:
        raise UnknownName("torchvision data set", name, _SETS)
    return by_lower[name.lower()]


def _root() -> Path:
    """Return the folder of torchvision's data sets.

    Raises:
        DataError: TORCHVISION_DATA is not set, and the user has no home folder.
    """
    try:
        own = os.environ.get("TORCHVISION_DATA")
        return Path(expanded(own)) if own else cache_folder() / "torchvision"
    except RuntimeError:
        raise DataError(
            "expected a folder with torchvision's data sets, but there is no home folder; set "
            "TORCHVISION_DATA to the folder"
        ) from None


def _load(name: str, keywords: Mapping[str, Any]) -> Any:
    try:
        datasets = import_torchvision("torchvision.datasets")
    except (ImportError, RuntimeError) as error:  # RuntimeError: built for another torch
        raise DataError(
            f"expected torchvision for torchvision:{name}, but it cannot be imported "
            f"({error}); use the image for GPUs, which also runs on CPUs, or use a folder or .zip"
        ) from None
    root = _root()
    try:
        return getattr(datasets, name)(root=str(root), download=False, **keywords)
    except (RuntimeError, OSError):
        if name in _NOT_DOWNLOADED:
            raise DataError(
                f"torchvision:{name} is not complete in {root} (TORCHVISION_DATA), and torchvision "
                "cannot download it any more; copy its files there in torchvision's layout"
            ) from None
        arguments = "".join(f", {key}={value!r}" for key, value in keywords.items())
        raise DataError(
            f"torchvision:{name} is not complete in {root} (TORCHVISION_DATA); run python "
            f"-c \"import torchvision.datasets as d; d.{name}('{root}', download=True"
            f'{arguments})"'
        ) from None


def _labels(part: Any, attribute: str) -> list[int]:
    values = getattr(part, attribute)
    if attribute == "_samples":
        values = [label for _path, label in values]
    return [int(label) for label in np.asarray(values).reshape(-1)]


def _class_names(part: Any, labels: Any) -> Sequence[str]:
    """Return the names of the labels that occur, in the order of the labels."""
    numbers = sorted({label for own in labels for label in own})
    names = getattr(part, "classes", None) or getattr(part, "categories", None)
    if names is None or max(numbers) >= len(names):
        return [str(number) for number in numbers]
    # Imagenette names a class by all its synonyms.
    chosen = [names[n] if isinstance(names[n], str) else names[n][0] for n in numbers]
    # Nothing guarantees that the names of two classes differ.
    return chosen if len(set(chosen)) == len(chosen) else [str(number) for number in numbers]
