"""`nasoa predict`: classify any number of images with a saved model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nasoa.cli.answers import FORMATS, Batches, as_table
from nasoa.cli.answers_file import answers_file
from nasoa.cli.output import Subparsers, counting_bar, show, terminal_width, user_path
from nasoa.errors import InvalidInput, NasoaError

if TYPE_CHECKING:
    from nasoa.data.image_paths import FoundImages
    from nasoa.steps.classifying import Answer

SUFFIXES = {".jsonl": "jsonl", ".csv": "csv", ".json": "json", ".txt": "table"}


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `predict`."""
    predict = verbs.add_parser(
        "predict",
        parents=[shared],
        help="classify images",
        description="Classify images with a saved model. The exit code is 1 if an image could not "
        "be read; its row gives the reason.",
    )
    predict.add_argument(
        "model_dir", metavar="MODEL_DIR", help="folder in which finetune saved the model"
    )
    predict.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a file, a folder (all image files below it), a quoted pattern like 'photos/*.jpg', "
        "or - for paths on standard input, one per line",
    )
    predict.add_argument(
        "--format",
        choices=("jsonl", "csv"),
        help="one line per image, for programs (default: a table, or by the extension of FILE)",
    )
    predict.add_argument(
        "-o", "--out", type=user_path, metavar="FILE", help="write the answers to FILE"
    )
    predict.set_defaults(run=run_predict)


def run_predict(arguments: argparse.Namespace) -> None:
    """Classify images, and print or write the answers batch by batch.

    Raises:
        InvalidInput: there is no model or no image, or the file cannot be written.
        NasoaError: some images could not be read.
    """
    format_name = _format(arguments)
    from nasoa.data import find_images  # noqa: PLC0415  (torch takes a second)

    found = find_images(arguments.images, sys.stdin.buffer)
    if arguments.out is None:
        counts = _classify(arguments, found, format_name, _print)
    else:
        with answers_file(arguments.out) as write:
            counts = _classify(arguments, found, format_name, write)
        document = {"file": str(arguments.out), "images": counts.images, "failed": counts.failed}
        show(arguments, document, f"Wrote the answers for {counts} to {arguments.out}.")
    if counts.failed:
        raise NasoaError(f"{counts.failed} of {counts} could not be read; see the row of each")


def _format(arguments: argparse.Namespace) -> str:
    """Return the name of the output format in `FORMATS`."""
    path: Path | None = arguments.out
    if path is None:
        if arguments.json and arguments.format:
            raise InvalidInput(
                f"expected --json or --format {arguments.format}, got both; leave one out, or add "
                "-o FILE for the lines"
            )
        return "json" if arguments.json else arguments.format or "table"
    chosen = arguments.format or SUFFIXES.get(path.suffix) or ("json" if arguments.json else None)
    if chosen is None:
        raise InvalidInput(
            f"expected a file that ends in {', '.join(SUFFIXES)}, or --format, got -o {path}"
        )
    return str(chosen)


class _Counts:
    """Number of images so far, and of those that could not be read."""

    def __init__(self) -> None:
        self.images = 0
        self.failed = 0

    def __str__(self) -> str:
        return "1 image" if self.images == 1 else f"{self.images} images"


def _classify(
    arguments: argparse.Namespace,
    found: FoundImages,
    format_name: str,
    write: Callable[[str], object],
) -> _Counts:
    from nasoa.steps.classifying import predict  # noqa: PLC0415

    counts = _Counts()
    batches = predict(arguments.model_dir, found.paths)
    with counting_bar(found.count, "images") as bar:

        def counted(answers_of_batches: Batches) -> Iterator[list[Answer]]:
            for answers in answers_of_batches:
                counts.images += len(answers)
                counts.failed += sum(1 for answer in answers if answer.error)
                yield answers
                bar.update(len(answers))

        for text in _format_function(format_name, arguments.out)(counted(batches)):
            bar.clear()
            write(text)
            bar.refresh()
    return counts


def _format_function(name: str, out: Path | None) -> Callable[[Batches], Iterator[str]]:
    """Return the function that formats answers; only a table on a terminal has to fit it."""
    if name == "table" and out is None:
        return partial(as_table, width=terminal_width())
    return FORMATS[name]


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
