"""Parse the command line, run the verb and report errors."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from nasoa import __version__
from nasoa.cli import (
    arch,
    completion,
    data,
    doctor,
    export,
    meta_train,
    pipeline,
    predict,
    predictor,
    report,
    search,
    serve,
    store,
    task,
    zoo,
)
from nasoa.cli.colour import RED, coloured
from nasoa.cli.examples import add_examples
from nasoa.cli.parser import Parser
from nasoa.cli.process_end import (
    INTERRUPTED,
    SIGTERM_EXIT_CODE,
    ToldToEnd,
    end,
    open_closed_streams,
    own_process,
)
from nasoa.errors import InvalidInput, NasoaError
from nasoa.logs import log_to_stderr
from nasoa.plain_text import escaped
from nasoa.redaction import redacted
from nasoa.scratch import sweep
from nasoa.store import default_store

# Errors of a full or failing disk or a busy machine, which any verb may raise.
OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EFBIG),
}
GROUPS = (
    arch,
    zoo,
    data,
    task,
    predict,
    export,
    serve,
    predictor,
    search,
    meta_train,
    report,
    store,
    pipeline,
    doctor,
)


def build_parser() -> Parser:
    """Return the parser of all verbs; the namespace has the verb's function in `run`."""
    shared = Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document")
    shared.add_argument(
        "--store",
        default=default_store(),
        help="folder or s3://bucket/prefix (default: NASOA_STORE, else ./.nasoa)",
    )
    shared.add_argument("--verbose", action="store_true", help="show logs on standard error")
    parser = Parser(
        prog="nasoa",
        description="Fine-tune the best image classifier that a time limit allows.\n\nEvery verb "
        "takes --json, --store and --verbose, which may also stand before it.",
        shared=shared,
    )
    parser.add_argument("--version", action="version", version=f"nasoa {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)
    for group in GROUPS:
        group.add_verbs(verbs, shared)
    completion.add_verbs(verbs, shared, build_parser)
    add_examples(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, and return its exit code."""
    try:
        arguments = build_parser().parse_args(argv)
        log_to_stderr(logging.INFO if arguments.verbose else logging.WARNING)
        sweep()
        arguments.run(arguments)
    except (NasoaError, KeyboardInterrupt, ToldToEnd, OSError) as error:
        return _ended_by(error)
    return 0


def _ended_by(error: BaseException) -> int:
    """Print in one line what ended a command, and return its exit code."""
    code, text = 1, ""
    if isinstance(error, BrokenPipeError):
        # The reader of the output is gone: write nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    if isinstance(error, InvalidInput):
        code = 2
    elif isinstance(error, KeyboardInterrupt):
        code, text = INTERRUPTED, "interrupted"
    elif isinstance(error, ToldToEnd):
        code, text = SIGTERM_EXIT_CODE, "terminated by SIGTERM"
    elif isinstance(error, OSError):
        if "No usable temporary directory" in str(error):  # of a library that wants one at once
            code = 2
            text = "expected a writable folder for temporary files; set TMPDIR to one"
        elif error.errno not in OF_THE_MACHINE:
            raise error
        text = text or _of_the_output() or of_the_machine(error)
    sys.stderr.write(f"{coloured('nasoa:', RED, sys.stderr)} {one_line(error, text)}\n")
    return code


def _of_the_output() -> str:
    """Return the message if standard output cannot be written; nothing more is written then."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return f"standard output cannot be written: {error.strerror or error}"
    return ""


def command() -> NoReturn:
    """The `nasoa` command: run `main`, then end the process without delay."""
    open_closed_streams()
    own_process()
    end(main())


def of_the_machine(error: OSError) -> str:
    """Return the message for an error of the disk or the operating system."""
    where = error.filename or "standard output, or a temporary file,"
    return (
        f"{where} cannot be written or read: {error.strerror or error}; check free space and "
        "permissions, or use another disk"
    )


def one_line(error: BaseException, text: str = "") -> str:
    """Return an error's text, or `text`, with its notes, without line breaks and secrets."""
    parts = [text or str(error), *getattr(error, "__notes__", ())]
    return escaped(redacted(" ".join("; ".join(parts).split())))
