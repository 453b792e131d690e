"""A temporary folder that exists as long as an object does."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from nasoa.errors import InvalidInput


class ScratchFolder:
    """A temporary folder at `path`, removed together with this object or when the process exits.

    A copy of the object in a worker process does not remove it.

    Raises:
        InvalidInput: no folder for temporary files is writable.
    """

    def __init__(self) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="nasoa-"))
        except OSError as error:
            raise InvalidInput(
                "expected a writable folder for temporary files, got "
                f"{error.strerror or error}; set TMPDIR to one"
            ) from None
        weakref.finalize(self, _remove, self.path, os.getpid())


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
