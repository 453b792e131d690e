"""A temporary folder that lives as long as the object that stands for it."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from nasoa.errors import InvalidInput


class ScratchFolder:
    """An empty folder at `path`, removed with this object, or at the end of the process.

    A copy in a worker process removes nothing.

    Raises:
        InvalidInput: no folder for temporary files can be written.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="nasoa-"))
        except OSError as error:
            raise InvalidInput(
                "expected a folder for temporary files that can be written, got "
                f"{error.strerror or error}; set TMPDIR to one"
            ) from None
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
