"""Output of the verbs: a JSON document or text, and progress bars."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from nasoa.partial_file import refused
from nasoa.plain_text import escaped_lines
from nasoa.whole_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from tqdm import tqdm

    from nasoa.training.run import Progress

REFRESH_S = 0.25
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
    return Path(os.path.expanduser(text))


def write_page(path: Path, page: str) -> None:
    """Write an HTML page.

    Raises:
        InvalidInput: the file cannot be written.
    """
    with refused(path):
        path.write_text(page, encoding="utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format rows as columns under a header, with numbers aligned right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        for i in range(len(header))
    ]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()

    return "\n".join([line(list(header)), *map(line, cells)])


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show a bar on standard error that fills as the time limit is used."""
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(
        total=1.0,
        file=sys.stderr,
        leave=False,
        bar_format="{l_bar}{bar}| {n:.0f} of {total:.0f} s{postfix}",
        mininterval=0.0,
    ) as bar:
        shown = (0, 0.0)

        def update(progress: Progress) -> None:
            nonlocal shown
            seconds = progress.elapsed_s - shown[1]
            if seconds < REFRESH_S:
                return
            speed = (progress.iteration - shown[0]) / seconds
            shown = (progress.iteration, progress.elapsed_s)
            bar.total = progress.limit_s
            bar.n = min(progress.elapsed_s, progress.limit_s)
            bar.set_postfix_str(
                f"{progress.limit_s - progress.elapsed_s:.0f} s left, "
                f"accuracy {progress.val_accuracy:.3f}, loss {progress.train_loss:.2f}, "
                f"{progress.iteration} of about {progress.planned_iterations} steps, "
                f"{speed:.0f} per second"
            )

        yield update


def image_bar(total: int | None) -> tqdm[NoReturn]:
    """Return a bar on standard error that counts images, with rate and time left.

    It is shown only if standard error is a terminal.

    Args:
        total: number of images; None if it is unknown, which hides the time left.
    """
    from tqdm import tqdm  # noqa: PLC0415

    known = "{l_bar}{bar}| {n_fmt} of {total_fmt} images, {rate_fmt}, {remaining} left"
    return tqdm(
        total=total,
        file=sys.stderr,
        leave=False,
        disable=not sys.stderr.isatty(),
        unit=" images",
        bar_format="{n_fmt} images, {rate_fmt}" if total is None else known,
    )
