"""Commands and programs in Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

BEGINS_PYTHON = re.compile(r"(from|import) \w")


@dataclass(frozen=True)
class Code:
    """A block of code of a page; `language` is "" for an indented block."""

    language: str
    text: str

    @property
    def is_python(self) -> bool:
        """Whether it is a program and no commands."""
        return self.language == "python" or bool(BEGINS_PYTHON.match(self.text))

    @property
    def lines(self) -> list[str]:
        """The lines, with continued ones joined, without comments and empty ones."""
        whole = re.sub(r"\\\n +", "", self.text)
        lines = (re.sub(r"\s{2,}#.*", "", line).strip() for line in whole.splitlines())
        return [line for line in lines if line]


@cache
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(MarkdownIt().enable("table").parse(text))


def blocks(text: str) -> list[Code]:
    """The blocks of code of a page, in order; directives of the site's navigation are left out."""
    return [
        Code(token.info, token.content)
        for token in _tokens(text)
        if token.type in ("fence", "code_block") and not token.info.startswith("{")
    ]


def quoted(text: str) -> list[str]:
    """The code in the lines of a page."""
    return list(_quoted(text))


def _quoted(text: str) -> Iterator[str]:
    for token in _tokens(text):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content
