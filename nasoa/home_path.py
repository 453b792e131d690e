"""Paths that begin with a home folder."""

from __future__ import annotations

import os


def expanded(path: str) -> str:
    """Replace `~` or `~user` at the start of a path by the home folder.

    A text that cannot be a path, as it has a NUL or is not Unicode, is returned unchanged; using it
    fails like any other path that does not exist.
    """
    try:
        return os.path.expanduser(path)
    except ValueError:
        return path
