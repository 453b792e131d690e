"""A text file that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nasoa.errors import InvalidInput
from nasoa.partial_file import refused, whole_file


@contextmanager
def answers_file(path: Path) -> Iterator[Callable[[str], None]]:
    """Give what writes text; it becomes the file at a path if the block succeeds.

    Until then it has another name in the same folder, and an earlier file at the path stays as it
    is.

    Args:
        path: of the file.

    Raises:
        InvalidInput: the file cannot be written there; when it is opened, written, or renamed.
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
