"""A source of image files in a folder, a zip or a tar."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Protocol

from PIL import Image

from nasoa.config import DataConfig
from nasoa.data.decode import open_image, read_bounded
from nasoa.data.file_kinds import suffix_of
from nasoa.data.labelling import read_records
from nasoa.data.reading_limit import in_time
from nasoa.data.source import ImageRecord
from nasoa.scratch import ScratchFolder


class FileSet(Protocol):
    """A set of files. Implementations are thread-safe and can be pickled."""

    @property
    def paths(self) -> Sequence[str]:
        """Paths of the files, with `/` between parts."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file for reading."""

    def stamp(self, paths: Sequence[str]) -> str | None:
        """Return a text that changes whenever one of these files changes; see `ImageSource`."""


class FileSource:
    """Image files and their classes; see `ImageSource`.

    Args:
        files: the files.
        name: short name of the data set.
        data: DATA, for messages.
        config: limits.
        scratch: temporary folder that holds the files, to be kept while they are read.
        table: path of the table with the labels; empty to detect where the classes come from.

    Raises:
        DataError: the classes cannot be determined from folders or a table.
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
        # The names of hundreds of thousands of files take seconds to interpret.
        read = partial(read_records, files.paths, self._read, data, config, table)
        self.records: Sequence[ImageRecord] = list(in_time(read, config.check_time).values())
        self.class_names: Sequence[str] = sorted({r.class_name for r in self.records})
        self._scratch = scratch

    def stamp(self) -> str | None:
        """See `ImageSource`."""
        if self._scratch is not None:  # a temporary copy is new each time
            return None
        return self._files.stamp([record.path for record in self.records])

    @contextmanager
    def header(self, index: int) -> Iterator[Image.Image]:
        """See `ImageSource`."""
        with self._files.open(self.records[index].path) as file, open_image(file) as image:
            yield image

    def open(self, index: int) -> Image.Image:
        """See `ImageSource`."""
        # Read it completely: image files are small, and Pillow seeks in them.
        return open_image(io.BytesIO(self._read(self.records[index].path)))

    def content(self, index: int) -> tuple[bytes, str]:
        """Return the bytes of a record's file and its suffix, such as `.jpg`."""
        path = self.records[index].path
        return self._read(path), suffix_of(path)

    def _read(self, path: str) -> bytes:
        with self._files.open(path) as file:
            return read_bounded(file, path, self._max_file_bytes)
