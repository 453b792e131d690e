"""Output of the verbs: a JSON document or text, and progress bars."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import msgspec

from nasoa.home_path import expanded
from nasoa.partial_file import refused
from nasoa.plain_text import escaped_lines
from nasoa.whole_number import whole_number
from nasoa.work_progress import progress_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from tqdm import tqdm

REFRESH_S = 1.0
WORK_DELAY_S = 1.0
LEAST_COLUMN = 8  # characters of a column of text in a narrow table
SEEDS = 2**32  # limit for NumPy and torch, and for products of a seed and an iteration
Subparsers = argparse._SubParsersAction  # type of the result of add_subparsers


def show(arguments: argparse.Namespace, document: object, text: str) -> None:
    """Print `document` as JSON with `--json`, and `text` otherwise."""
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
        sys.stdout.write("\n")
    else:
        sys.stdout.write(escaped_lines(text.rstrip("\n")) + "\n")


def seed(text: str) -> int:
    """Parse a random seed; as an `argparse` type.

    Raises:
        ArgumentTypeError: it is not a whole number from 0 to 2**32 - 1.
    """
    number = whole_number(text, SEEDS - 1)
    if number is None:
        raise argparse.ArgumentTypeError(
            f"expected a whole number from 0 to {SEEDS - 1}, got {text!r}"
        )
    return number


def user_path(text: str) -> Path:
    """Return a path with `~` expanded, because a shell does not expand that of `--out=~/x`."""
    return Path(expanded(text))


def write_page(path: Path, page: str) -> None:
    """Write an HTML page.

    Raises:
        InvalidInput: the file cannot be written.
    """
    with refused(path):
        path.write_text(page, encoding="utf-8")


def terminal_width() -> int | None:
    """Return the columns of the terminal that standard output is, or None if it is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(header: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None) -> str:
    """Format rows as columns under a header, with numbers aligned right.

    Args:
        header: names of the columns.
        rows: their cells.
        width: characters in which the table shall fit; by default those of the terminal, if
            standard output is one. Columns of text are wrapped, widest first.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(header))
    ]
    if width is None:
        width = terminal_width()
    if width is not None:
        widths = _narrowed(widths, right, width)

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()

    wrapped = (row for cells_of_row in [header, *cells] for row in _wrapped(cells_of_row, widths))
    return "\n".join(map(line, wrapped))


def _narrowed(widths: Sequence[int], fixed: Sequence[bool], most: int) -> list[int]:
    """Make the widest columns that are not fixed narrower until all fit, or none can be."""
    narrowed = list(widths)
    while sum(narrowed) + 2 * (len(narrowed) - 1) > most:
        wide = [i for i, n in enumerate(narrowed) if not fixed[i] and n > LEAST_COLUMN]
        if not wide:
            break
        narrowed[max(wide, key=narrowed.__getitem__)] -= 1
    return narrowed


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Return the lines of a row whose cells may be wider than their columns."""
    if all(len(cell) <= width for cell, width in zip(cells, widths, strict=True)):
        return [list(cells)]
    columns = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(cells, widths, strict=True)
    ]
    return [list(lines) for lines in zip_longest(*columns, fillvalue="")]


def show_count(bar: tqdm[NoReturn], done: int, total: int) -> None:
    """Show on a bar of `counting_bar` that `done` of `total` are done; either may have changed."""
    if bar.total != total:
        bar.reset(total)
    bar.update(done - bar.n)


@contextmanager
def work_bars() -> Iterator[None]:
    """Show a bar on standard error for the work in the block that reports its progress.

    Each kind of work has its own bar, one after another; what is done within a second shows none.
    Nothing is shown unless standard error is a terminal.
    """
    if not sys.stderr.isatty():
        yield
        return
    bars: list[tuple[str, tqdm[NoReturn]]] = []  # empty, or what is counted now and its bar

    def close() -> None:
        while bars:
            bars.pop()[1].close()

    def update(unit: str, done: int, total: int) -> None:
        if not bars or bars[0][0] != unit or done < bars[0][1].n:
            close()
            bars.append((unit, counting_bar(total, unit, delay_s=WORK_DELAY_S)))
        show_count(bars[0][1], done, total)

    with progress_to(update):
        try:
            yield
        finally:
            close()


@contextmanager
def step_line(limit_s: float | None = None) -> Iterator[Callable[[str], None]]:
    """Show what runs now, and for how long, in one line on standard error.

    The block receives a function that is called with the name of what begins. Nothing is shown
    unless standard error is a terminal.

    Args:
        limit_s: time limit in seconds, if there is one; the line then has a bar that fills as it is
            used.
    """
    from tqdm import tqdm  # noqa: PLC0415

    began_s = time.monotonic()
    ended = Event()
    with tqdm(
        total=limit_s,
        file=sys.stderr,
        leave=False,
        disable=not sys.stderr.isatty(),
        dynamic_ncols=True,
        bar_format="{desc}, {elapsed} since the start"
        if limit_s is None
        else "{desc} {bar}| {n:.0f} of {total:.0f} s",
        desc="starting",
    ) as line:

        def keep_time() -> None:
            while not ended.wait(REFRESH_S):
                if limit_s is not None:
                    line.n = min(time.monotonic() - began_s, limit_s)
                line.refresh()

        ticking = Thread(target=keep_time, daemon=True)
        ticking.start()
        try:
            yield line.set_description_str
        finally:
            ended.set()
            ticking.join()


def counting_bar(
    total: int | None, unit: str, done: int = 0, delay_s: float = 0.0
) -> tqdm[NoReturn]:
    """Return a bar on standard error that counts things, with rate and time left.

    It is shown only if standard error is a terminal.

    Args:
        total: their number; None if it is unknown, which hides the time left.
        unit: what they are, like "images".
        done: how many are done already.
        delay_s: seconds after which the bar is first shown.
    """
    from tqdm import tqdm  # noqa: PLC0415

    known = f"{{l_bar}}{{bar}}| {{n_fmt}} of {{total_fmt}} {unit}, {{rate_fmt}}, "
    known += "{remaining} left{postfix}"
    return tqdm(
        total=total,
        initial=done,
        file=sys.stderr,
        leave=False,
        disable=not sys.stderr.isatty(),
        delay=delay_s,
        unit=f" {unit}",
        dynamic_ncols=True,
        bar_format=f"{{n_fmt}} {unit}, {{rate_fmt}}" if total is None else known,
    )
