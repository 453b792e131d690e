"""The progress bar of a fine-tune in Python."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nasoa.steps.limit_bar import limit_bar

if TYPE_CHECKING:
    from tqdm import tqdm

    from nasoa.training.run import Progress


@contextmanager
def progress_bar(
    limit_s: float, elapsed_s: Callable[[], float], show: bool | None
) -> Iterator[Callable[[Progress], None] | None]:
    """Show a bar that fills as a time limit is used; the block receives its callback.

    Args:
        limit_s: time limit in seconds.
        elapsed_s: function that returns the seconds of it that are used.
        show: whether to show it; None for only in a notebook or on a terminal.
    """
    notebook = is_notebook()
    if not (notebook or sys.stderr.isatty() if show is None else show):
        yield None
        return
    with limit_bar(limit_s, elapsed_s, _notebook_bar() if notebook else None) as update:
        yield update


def _notebook_bar() -> type[tqdm[Any]]:
    """Return the kind of bar for a notebook: of text, if ipywidgets is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm as auto  # noqa: PLC0415
    return auto


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return ipython is not None and "IPKernelApp" in ipython.config
