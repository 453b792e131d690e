"""The parser of the command line: errors in one line that suggest similar names."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from nasoa.errors import InvalidInput, UnknownName

CHOICE = re.compile(
    r"argument (?P<name>.*?): invalid choice: '(?P<given>.*?)' \(choose from (.*)\)"
)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a text that has several, such as examples, and wraps others."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser that reports errors in one line, and suggests similar verbs, options and choices.

    Args:
        shared: for the parser of a whole command, the options that all of its verbs have; they may
            also be given before the verb.
    """

    def __init__(
        self, *args: Any, shared: argparse.ArgumentParser | None = None, **settings: Any
    ) -> None:
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(*args, **settings)
        self._shared = shared

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Check the options of a verb first, so that a misspelt one is not reported as missing."""
        if self._shared is not None:
            args = options_after_verbs(self, self._shared, sys.argv[1:] if args is None else args)
        if args is not None and self._subparsers is None:
            self._check_options(args)
        return super().parse_known_args(args, namespace)

    def _check_options(self, args: Sequence[str]) -> None:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        for arg in args:
            if arg == "--":
                return
            name = arg.partition("=")[0]
            if not name.startswith("--") or " " in name:
                continue
            if not any(option.startswith(name) for option in known):
                raise UnknownName(f"option of {self.prog}", name, known)

    def error(self, message: str) -> NoReturn:
        """Raise `InvalidInput`; for an unknown verb or choice, similar ones are suggested."""
        choice = CHOICE.match(message)
        if choice:
            name = choice["name"].rpartition("/")[2]
            known = re.findall(r"[\w.-]+", choice[3])
            raise UnknownName("verb" if name == "VERB" else name, choice["given"], known)
        raise InvalidInput(f"{message}; see {self.prog} --help")


def verbs_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of a parser's verbs, by name; none for a verb itself."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def options_after_verbs(
    root: argparse.ArgumentParser, shared: argparse.ArgumentParser, args: Sequence[str]
) -> list[str]:
    """Move the options of every verb that are given before the verb to the place behind it.

    argparse would take the value of such an option for the verb.

    Args:
        root: parser of the command.
        shared: parser with the options of every verb.
        args: arguments of the command.

    Raises:
        InvalidInput: another option is given before the verb.
    """
    verbs: list[str] = []
    moved: list[str] = []
    rest, parser = list(args), root
    while known := verbs_of(parser):
        while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
            if _matching(parser, rest[0]):  # --help, --version
                return [*verbs, *rest]
            count = _count(parser, shared, rest)
            moved += rest[:count]
            del rest[:count]
        if not rest or rest[0] not in known:
            return [*verbs, *rest]
        verbs.append(rest.pop(0))
        parser = known[verbs[-1]]
    return [*verbs, *moved, *rest]


def _count(
    parser: argparse.ArgumentParser, shared: argparse.ArgumentParser, args: Sequence[str]
) -> int:
    """Return how many of the arguments are the option that they begin with, and its value."""
    name, equals, _value = args[0].partition("=")
    matching = _matching(shared, name)
    if matching:
        return 1 if equals or matching[0].nargs == 0 else 2
    if any(_matching(verb, name) for verb in _all_verbs(parser)):
        raise InvalidInput(
            f"expected a verb before {name}, which is an option of verbs; put it after the verb, "
            f"like: {parser.prog} VERB {name}"
        )
    known = [*parser._option_string_actions, *shared._option_string_actions]
    raise UnknownName(f"option of {parser.prog}", name, [n for n in known if n.startswith("--")])


def _matching(parser: argparse.ArgumentParser, arg: str) -> list[argparse.Action]:
    """Return the options that an argument names, or begins the names of."""
    name = arg.partition("=")[0]
    if not name.startswith("--"):
        name = name[:2]  # -h
    options = parser._option_string_actions
    return (
        [options[name]]
        if name in options
        else [
            action
            for option, action in options.items()
            if len(name) > 2 and option.startswith(name)
        ]
    )


def _all_verbs(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for verb in verbs_of(parser).values():
        yield verb
        yield from _all_verbs(verb)
