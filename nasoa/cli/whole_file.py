"""A text file that is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import IO

from nasoa.errors import InvalidInput


class WholeFile:
    """Text that becomes the file at a path when the context ends without an error.

    Until then it has another name in the same folder, and an earlier file at the path stays as it
    is.

    Args:
        path: of the file.

    Raises:
        InvalidInput: on entering, writing, or leaving; the file cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        self._file: IO[str] | None = None

    def __enter__(self) -> WholeFile:
        if self._path.exists() and not self._path.is_file():
            raise InvalidInput(f"expected a file to write to, but {self._path} is not one")
        try:
            self._file = self._partial.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise self._refusal(error) from None
        return self

    def write(self, text: str) -> None:
        """Write some more of the file."""
        assert self._file is not None
        try:
            self._file.write(text)
        except OSError as error:
            raise self._refusal(error) from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._file is not None
        try:
            self._file.close()
            if kind is None:
                os.replace(self._partial, self._path)
        except OSError as error:
            if kind is None:
                raise self._refusal(error) from None
        finally:
            self._partial.unlink(missing_ok=True)

    def _refusal(self, error: OSError) -> InvalidInput:
        return InvalidInput(
            f"expected a file that can be written, but {self._path}: {error.strerror}"
        )
