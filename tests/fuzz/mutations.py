"""Mutations that any kind of input can have: of bytes, numbers, and text."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

# What names and texts should not do to a terminal, a path, a parser, or a number.
ODD_TEXTS = (
    "",
    " ",
    ".",
    "..",
    "../up",
    "/abs",
    "C:/x",
    "a\\b",
    "a//b",
    "~",
    "-",
    "--",
    "-1",
    "0",
    "1e999",
    "nan",
    "inf",
    "None",
    "null",
    "true",
    "\0",
    "a\0b",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "line\nbreak",
    "\r",
    "tab\t",
    "\x7f",
    "\x85",
    "\x9b31m",
    "\u2028",
    "\u202eevil",
    "\u061c",
    "\ufeffbom",
    "\ud800",
    "\udcff",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "\u0661\u0662",  # decimal digits, but not ASCII
    "\u00b2",  # a digit to str.isdigit, not to int
    "\u0130",  # longer in lower case
    "%s%n{0}{x}",
    "$(id)",
    "`id`",
    "'; drop",
    "=1+1",
    "x" * 255,
    "x" * 256,
    "x" * 5000,
    "9" * 20,
    "9" * 400,
    "9" * 5000,  # more digits than Python converts
    "(" * 300,
    "[" * 5000,
    "a/" * 300,
    "CON",
    "Thumbs.db",
    "__MACOSX/x",
    ".hidden",
)
ODD_INTS = (
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 127, 128, 255, 256, 511, 512, 4095, 4096),
    *(32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1),
    *(2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30, -1, -2, -128, -(2**31), -(2**63)),
)


def number(rng: Random, bits: int) -> int:
    """An unsigned number of so many bits: at an edge, small, or any."""
    most = (1 << bits) - 1
    if rng.random() < 0.7:
        return rng.choice(ODD_INTS) & most
    return rng.getrandbits(bits) >> rng.randrange(bits)


def odd_text(rng: Random) -> str:
    """Text that is trouble somewhere."""
    text = rng.choice(ODD_TEXTS)
    if rng.random() < 0.3:
        text = rng.choice(ODD_TEXTS)[:300] + text
    return text


def often(rng: Random, mean: float = 1.6) -> range:
    """A range to repeat something in, at least once and about so many times."""
    count = 1
    while rng.random() < 1 - 1 / mean and count < 12:
        count += 1
    return range(count)


def damaged(rng: Random, raw: bytes) -> bytes:
    """The bytes, changed anywhere in one or a few ways."""
    out = bytearray(raw)
    for _ in often(rng):
        _CHANGES[rng.randrange(len(_CHANGES))](rng, out)
    return bytes(out)


def damaged_text(rng: Random, text: str) -> str:
    """The text, changed anywhere in one or a few ways."""
    for _ in often(rng):
        at = rng.randrange(len(text) + 1)
        until = min(len(text), at + rng.choice((0, 0, 1, 1, 2, 5, 50)))
        choice = rng.random()
        if choice < 0.2:
            new = odd_text(rng)
        elif choice < 0.5:
            new = chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x250))))
        elif choice < 0.7:
            new = ""
        elif choice < 0.8:
            new = text[at:until] * rng.choice((2, 3, 50))
        else:
            new = rng.choice("0123456789.,;:-_/\\'\"[]{}()") * rng.choice((1, 1, 1, 2, 9))
        text = text[:at] + new + text[until:]
    return text


def some(rng: Random, items: Sequence[T]) -> T:
    """One of the items."""
    return items[rng.randrange(len(items))]


# A few repetitions of repetitions would take more memory than nasoa may.
MOST_ITEMS = 3000


def reordered(rng: Random, items: list[T]) -> None:
    """Leave out, repeat, move, or exchange some of a list, in place."""
    if not items:
        return
    at = rng.randrange(len(items))
    choice = rng.randrange(5)
    if choice == 0:
        del items[at]
    elif choice == 1:
        items.insert(rng.randrange(len(items) + 1), items[at])
    elif choice == 2:
        items.insert(rng.randrange(len(items)), items.pop(at))
    elif choice == 3:
        other = rng.randrange(len(items))
        items[at], items[other] = items[other], items[at]
    else:
        items[at:] = items[at:] * rng.choice((2, 3, 20))
        del items[MOST_ITEMS:]


def _flip_bit(rng: Random, out: bytearray) -> None:
    if out:
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _set_byte(rng: Random, out: bytearray) -> None:
    if out:
        out[rng.randrange(len(out))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def _set_number(rng: Random, out: bytearray) -> None:
    size = rng.choice((2, 4, 8))
    if len(out) >= size:
        at = rng.randrange(len(out) - size + 1)
        order = "little" if rng.random() < 0.5 else "big"
        out[at : at + size] = number(rng, 8 * size).to_bytes(size, order)  # type: ignore[arg-type]


def _delete(rng: Random, out: bytearray) -> None:
    at = rng.randrange(len(out) + 1)
    del out[at : at + rng.choice((1, 1, 2, 4, 16, 100, 512))]


def _insert(rng: Random, out: bytearray) -> None:
    at = rng.randrange(len(out) + 1)
    filler = rng.choice((b"\0", b"\xff", rng.randbytes(4), b" ", b"\n"))
    out[at:at] = filler * rng.choice((1, 1, 2, 16, 512))


def _cut(rng: Random, out: bytearray) -> None:
    del out[rng.randrange(len(out) + 1) :]


def _copy(rng: Random, out: bytearray) -> None:
    if out:
        at, to = rng.randrange(len(out)), rng.randrange(len(out))
        size = rng.choice((1, 4, 16, 64, 512))
        piece = out[at : at + size]
        if rng.random() < 0.5:
            out[to : to + len(piece)] = piece
        else:
            out[to:to] = piece


_CHANGES = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_number,
    _set_number,
    _delete,
    _insert,
    _cut,
    _copy,
)
