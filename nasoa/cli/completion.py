"""`nasoa completion`: the script that completes the command line in a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping

from nasoa.cli.output import Subparsers, show
from nasoa.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish")
FOLDERS = {"DIR", "MODEL_DIR"}
FILES = {"DATA", "FILE", "FILE.html", "FILE.parquet", "IMAGE", "TABLE"}
FILE_ARGUMENTS = {"data", "folder", "store", "weights"}  # those that have no such metavar


def add_verbs(
    verbs: Subparsers[Parser],
    shared: Parser,
    build: Callable[[], argparse.ArgumentParser],
) -> None:
    """Add `completion`.

    Args:
        verbs: the verbs of the command.
        shared: options of every verb.
        build: makes the parser of all verbs.
    """
    verb = verbs.add_parser(
        "completion",
        parents=[shared],
        help="print the script for completion in a shell",
        description="Print a script with which a shell completes verbs, options, choices and "
        "files. Write it to the file that the example names, and start a new shell. For zsh, the "
        "folder must be in fpath before compinit is called.",
    )
    verb.add_argument("shell", choices=SHELLS)
    verb.set_defaults(run=lambda arguments: run_completion(arguments, build()))


def run_completion(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Print the script that completes the command line of `parser`."""
    import shtab  # noqa: PLC0415  (only needed here)

    _complete_files(parser, shtab.FILE, shtab.DIRECTORY)
    script = shtab.complete(parser, shell=arguments.shell)
    if arguments.json:
        show(arguments, {"shell": arguments.shell, "script": script}, "")
    else:
        sys.stdout.write(f"{script}\n")


def _complete_files(
    parser: argparse.ArgumentParser, files: Mapping[str, object], folders: Mapping[str, object]
) -> None:
    """Mark the arguments that shtab shall complete with names of files or folders."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                _complete_files(verb, files, folders)
        elif action.metavar in FOLDERS:
            action.complete = folders  # type: ignore[attr-defined]
        elif action.metavar in FILES or action.dest in FILE_ARGUMENTS:
            action.complete = files  # type: ignore[attr-defined]
