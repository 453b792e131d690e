"""Whether a model can be saved where the user wants it, before anything is trained."""

from __future__ import annotations

import uuid
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.partial_file import partial_file
from nasoa.store import open_store
from nasoa.store.local import LocalStore


def check_out(out: str) -> None:
    """Write where a model is to be saved, and remove it again.

    Args:
        out: a folder, which need not exist, or an `s3://` prefix; "" is checked by nothing.

    Raises:
        InvalidInput: it cannot be written.
    """
    if not out:
        return
    target = open_store(out)
    if isinstance(target, LocalStore):
        folder = Path(target.uri).absolute()
        # What is not there yet is made when the model is: a refused command leaves no folder.
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        try:
            with partial_file(existing) as file:
                file.write(b"x")
                file.flush()
        except OSError as error:
            raise InvalidInput(
                f"expected a folder to save the model in, but {folder} cannot be written: "
                f"{error.strerror or error}; name another with --out"
            ) from None
        return
    key = f"write-test-{uuid.uuid4().hex}"
    target.put(key, b"x")
    target.delete(key)
