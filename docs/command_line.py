"""The command line's parser as the documentation site shows it."""

from __future__ import annotations

import argparse
import re

from nasoa.cli.main import build_parser

SPECIAL = re.compile(r"([*`|\\]|_\b)")
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


def described_parser() -> argparse.ArgumentParser:
    """Return the parser, with its texts as reStructuredText: no markup but of options, as code.

    Epilogs are examples, which are shown as they are.
    """
    parser = build_parser()
    _escape(parser)
    return parser


def _escape(parser: argparse.ArgumentParser) -> None:
    parser.description = _plain(parser.description)
    for action in parser._actions:
        action.help = _plain(action.help)
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                choice.help = _plain(choice.help)
            for verb in set(action.choices.values()):
                _escape(verb)


def _plain(text: str | None) -> str | None:
    return text and OPTION.sub(r"``\1``", SPECIAL.sub(r"\\\1", text))
