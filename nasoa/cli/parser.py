"""The parser of the command line: errors in one line that suggest similar names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
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
    """A parser that reports errors in one line, and suggests similar verbs, options and choices."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings.setdefault("formatter_class", HelpFormatter)
        super().__init__(*args, **settings)

    def parse_known_args(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        namespace: argparse.Namespace | None = None,
    ) -> tuple[argparse.Namespace, list[str]]:
        """Check the options of a verb first, so that a misspelt one is not reported as missing."""
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
