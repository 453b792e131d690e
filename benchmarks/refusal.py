"""Errors of a benchmark's arguments and data in one line, as the command line of nasoa has them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nasoa.errors import InvalidInput, NasoaError


@contextmanager
def in_one_line(parser: argparse.ArgumentParser) -> Iterator[None]:
    """End the process with the message of a `NasoaError`: exit code 2 for invalid input, else 1."""
    try:
        yield
    except InvalidInput as error:
        parser.error(str(error))
    except NasoaError as error:
        sys.exit(f"{parser.prog}: {error}")
