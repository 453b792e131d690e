"""Image files in a folder, a zip or a tar."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Protocol

from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.decode import open_image, read_bounded
from nasoa.data.file_kinds import suffix_of
from nasoa.data.labelling import read_records
from nasoa.data.scratch import ScratchFolder
from nasoa.data.source import ImageRecord


class FileSet(Protocol):
    """Named files, wherever they are; used from several threads at a time, and pickled."""

    @property
    def paths(self) -> Sequence[str]:
        """Paths with `/` between parts."""

    def open(self, path: str) -> IO[bytes]:
        """A file of `paths`."""

    def stamp(self, paths: Sequence[str]) -> str | None:
        """Text that changes whenever one of these files does; see `ImageSource`."""


class FileSource:
    """See `ImageSource`.

    Args:
        files: the files.
        name: short name of the data set.
        data: DATA, for messages.
        config: limits.
        scratch: where `files` are, if it has to live as long as they are read.
        table: the one of `files` that tells the classes, if that is given.

    Raises:
        DataError: neither folders nor a table tell the classes.
    """

    def __init__(
        self,
        files: FileSet,
        name: str,
        data: str,
        config: DataConfig,
        scratch: ScratchFolder | None = None,
        table: str = "",
    ) -> None:
        self._files = files
        self._max_file_bytes = config.max_file_bytes
        self.name = name
        self.records: Sequence[ImageRecord] = list(
            read_records(files.paths, self._read, data, config, table).values()
        )
        self.class_names: Sequence[str] = sorted({r.class_name for r in self.records})
        self._scratch = scratch

    def stamp(self) -> str | None:
        """See `ImageSource`."""
        if self._scratch is not None:  # a new copy every time
            return None
        return self._files.stamp([record.path for record in self.records])

    @contextmanager
    def header(self, index: int) -> Iterator[Image.Image]:
        """See `ImageSource`."""
        with self._files.open(self.records[index].path) as file, open_image(file) as image:
            yield image

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        # Whole and at once: image files are small, and Pillow seeks in them.
        return open_image(io.BytesIO(self._read(self.records[index].path)))

    def content(self, index: int) -> tuple[bytes, str]:
        """The bytes of a record's file, and the suffix that tells its format, like `.jpg`."""
        path = self.records[index].path
        return self._read(path), suffix_of(path)

    def _read(self, path: str) -> bytes:
        with self._files.open(path) as file:
            return read_bounded(file, path, self._max_file_bytes)
