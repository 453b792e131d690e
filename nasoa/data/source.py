"""The common form of all DATA: named images with their classes, not yet decoded."""

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
        path: path of the image; messages name it so.
        class_name: name of its class.
        split: "train", "val" or "test" if DATA has splits; "" if the image is still to be split.
        group: name of its group, whose images show the same thing and must be in the same split;
            None if it has none.
    """

    path: str
    class_name: str
    split: str = ""
    group: str | None = None


class ImageSource(Protocol):
    """A source of labelled images. It can be pickled for worker processes."""

    @property
    def name(self) -> str:
        """Short name of the data set."""

    @property
    def records(self) -> Sequence[ImageRecord]:
        """The images, in an order that depends only on the data."""

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes, in the order of their numbers."""

    def stamp(self) -> str | None:
        """Return a text that changes whenever an image changes; None if that would be expensive."""

    def header(self, index: int) -> AbstractContextManager[Image.Image]:
        """Open the image of a record only to read its size and mode; raises what `open` raises."""

    def open(self, index: int) -> Image.Image:
        """Open the image of a record; thread-safe. It may raise any error that Pillow raises."""


class ObjectSource(Protocol):
    """The methods of an object store that are needed to read data from it."""

    def list(self, prefix: str) -> Sequence[str]:
        """Return all keys that begin with `prefix`, at any depth."""

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Return the sizes in bytes of all objects whose keys begin with `prefix`, by key."""

    def etags(self, prefix: str) -> Mapping[str, str]:
        """Return the ETags of all objects whose keys begin with `prefix`, by key.

        The ETag of an object changes with its content.
        """

    def download(self, key: str, path: Path) -> None:
        """Write an object to a file."""
