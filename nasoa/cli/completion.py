"""`nasoa completion`: the script that completes the command line in a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from nasoa.cli.output import Subparsers, show
from nasoa.cli.parser import Parser

SHELLS = ("bash", "zsh", "fish")
FOLDERS = {"DIR", "MODEL_DIR"}
FILES = {"DATA", "FILE", "FILE.html", "FILE.parquet", "IMAGE", "TABLE"}
FILE_ARGUMENTS = {"data", "folder", "store", "weights"}  # those that have no such metavar
# Arguments that name a pipeline or a model of the package, by verb and destination.
PIPELINE_ARGUMENTS = {
    *((f"nasoa pipeline {verb}", "name") for verb in ("compile", "run", "schedule", "upload")),
    ("nasoa doctor", "pipeline"),
}
MODEL_ARGUMENTS = {
    *((verb, "model") for verb in ("nasoa recommend", "nasoa finetune", "nasoa zoo show")),
    *((verb, "models") for verb in ("nasoa zoo profile", "nasoa meta-train")),
    *((verb, "teacher") for verb in ("nasoa zoo build", "nasoa search run")),
}


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
        description="Print a script with which a shell completes verbs, options, choices, files, "
        "and the names of pipelines and models that come with nasoa. Write it to the file that the "
        "example names, and start a new shell. For zsh, the folder must be in fpath before "
        "compinit is called.",
    )
    verb.add_argument("shell", choices=SHELLS, help="shell to complete in")
    verb.set_defaults(run=lambda arguments: run_completion(arguments, build()))


def run_completion(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Print the script that completes the command line of `parser`."""
    import shtab  # noqa: PLC0415  (only needed here)

    _complete_files(parser, shtab.FILE, shtab.DIRECTORY)
    _complete_names(parser, {**_pipelines(), **_models()})
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


def _complete_names(
    parser: argparse.ArgumentParser, names: Mapping[tuple[str, str], Sequence[str]]
) -> None:
    """Set the names that shtab shall offer for arguments; `names` by verb and destination."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb in action.choices.values():
                _complete_names(verb, names)
        elif (parser.prog, action.dest) in names:
            # For the script only: the parser that reads a command line accepts other names, too.
            action.choices = names[parser.prog, action.dest]


def _pipelines() -> dict[tuple[str, str], Sequence[str]]:
    from nasoa.pipelines.catalogue import DEFINITIONS  # noqa: PLC0415  (kfp takes a second)

    names = tuple(name.replace("_", "-") for name in DEFINITIONS)
    return dict.fromkeys(PIPELINE_ARGUMENTS, names)


def _models() -> dict[tuple[str, str], Sequence[str]]:
    from nasoa.zoo.entries import packaged_zoo  # noqa: PLC0415

    return dict.fromkeys(MODEL_ARGUMENTS, tuple(sorted(packaged_zoo().entries)))
