"""What every form of DATA is turned into: named images of classes, not yet decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image, before it is decoded.

    Args:
        path: how messages name it.
        class_name: its class.
        split: "train", "val" or "test" where DATA says so, "" where it is for us to split.
        group: images of one group show one thing and must not straddle splits; None: on its own.
    """

    path: str
    class_name: str
    split: str = ""
    group: str | None = None


class ImageSource(Protocol):
    """Images of classes from anywhere.

    A source is pickled where worker processes read from it.
    """

    @property
    def name(self) -> str:
        """Short name of the data set."""

    @property
    def records(self) -> Sequence[ImageRecord]:
        """The images, in an order that depends on the data alone."""

    @property
    def class_names(self) -> Sequence[str]:
        """The classes, in the order of their numbers."""

    def stamp(self) -> str | None:
        """Text that changes whenever an image does; cheap. None where nothing cheap shows it."""

    def header(self, index: int) -> AbstractContextManager[Image.Image]:
        """The image of a record, only to look at its size and mode; may raise as `open`."""

    def open(self, index: int) -> Image.Image:
        """The image of a record, from several threads at a time; may raise whatever Pillow does."""


class ObjectSource(Protocol):
    """What is needed of an object store to read data from it."""

    def list(self, prefix: str) -> Sequence[str]:
        """The keys that begin with `prefix`, however deep."""

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """The bytes of each object whose key begins with `prefix`, by key."""

    def etags(self, prefix: str) -> Mapping[str, str]:
        """A text for each object whose key begins with `prefix` that changes with its content."""

    def download(self, key: str, path: Path) -> None:
        """Write the object of a key to a file."""
