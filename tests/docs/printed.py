"""What a page says that a command prints, compared with what it prints."""

from __future__ import annotations

import doctest
import re

PROGRAMS = ("docker", "echo", "export", "keys_of", "kubectl", "make", "mc", "nasoa", "python")
# What differs from run to run, and what stands for it.
_VARYING = (
    (re.compile(r"https?://[\w.:-]+"), "HOST"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\([0-9a-f]{4}\.\.\.\)|\(ID\)"), "(ID)"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\+00:00)?"), "TIME"),
    (re.compile(r"\b(?:[0-9a-f]{12}|[0-9a-f]{6})\b"), "HEX"),
)


def told(page: str, command: str) -> str:
    """The lines that a page prints under the first command line that begins so."""
    lines = iter(page.splitlines())
    line = next(line for line in lines if re.match(rf" {{4,}}{re.escape(command)}", line))
    indentation = re.match(" *", line)
    while line.endswith("\\"):
        line = next(lines)
    found = []
    for line in lines:
        text = line.removeprefix(indentation[0] if indentation else "")
        if text == line or text.split(" ", 1)[0] in PROGRAMS:
            break
        found.append(text)
    assert found, f"the page prints nothing under {command!r}"
    return "\n".join(found)


def block(page: str, beginning: str) -> str:
    """The indented lines of a page from one that begins so to the next empty one."""
    found = re.search(rf"(?m)^ +{re.escape(beginning)}.*(?:\n +\S.*)*", page)
    assert found, f"no line of the page begins with {beginning!r}"
    return "\n".join(line.strip() for line in found[0].splitlines())


def difference(said: str, printed: str) -> str:
    """How they differ but for spaces, names and times of one run, and what `...` stands for."""
    want, got = (plain(text.strip()) + "\n" for text in (said, printed))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if doctest.OutputChecker().check_output(want, got, flags):
        return ""
    return f"the page has\n{want}\nbut it prints\n{got}"


def plain(text: str) -> str:
    """A text with a word in place of what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return text
