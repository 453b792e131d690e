"""Write a text file atomically: completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.partial_file import refused, whole_file


@contextmanager
def answers_file(path: Path) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes text; the text becomes the file if the block succeeds.

    Until then it is in a temporary file in the same folder, and an existing file does not change.

    Args:
        path: path of the file.

    Raises:
        InvalidInput: the file cannot be opened, written or renamed.
    """
    target = Path(os.path.realpath(path))  # Path.resolve raises for links without an end
    if os.path.exists(target) and not os.path.isfile(target):
        raise InvalidInput(f"expected a file to write to, but {target} is not one")
    with ExitStack() as stack:
        with refused(target):
            partial = stack.enter_context(whole_file(target))
            file = stack.enter_context(partial.open("w", encoding="utf-8", newline=""))

        def write(text: str) -> None:
            with refused(target):
                file.write(text)

        yield write
        with refused(target):
            stack.close()
