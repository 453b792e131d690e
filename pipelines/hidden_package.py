"""Hide a package from the modules that are imported in a block."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden_package(name: str) -> Iterator[None]:
    """Let imports of a package fail in the block, as if it were not installed.

    It is for a package that another one imports only if it is there. Nothing is hidden if it was
    imported before.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # documented: the import fails
    try:
        yield
    finally:
        del sys.modules[name]
