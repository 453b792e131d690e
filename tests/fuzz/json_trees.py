"""Mutations of JSON documents that know the tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from tests.fuzz.mutations import ODD_INTS, damaged, odd_text, often, reordered, some

Place = tuple[Any, Any]  # a list or mapping, and where in it
# Values that are written as they stand, as JSON has no way to say them in Python.
_RAW = (
    *("1e999", "-1e999", "NaN", "Infinity", "1E400", "0.1e-999", "9" * 400, "-" + "9" * 5000),
    *("[" * 900, "[" * 5000, '{"a":' * 2000, '"\\ud800"', '"\\u0000"', "tru", "0x10", "01", "-0"),
)
_MARK = "@raw@"


def places(tree: Any) -> Iterator[Place]:
    """Every value below the top."""
    stack = [tree]
    while stack:
        found = stack.pop()
        keys = range(len(found)) if isinstance(found, list) else list(found)
        for key in keys:
            yield found, key
            if isinstance(found[key], dict | list):
                stack.append(found[key])


def mutated(rng: Random, tree: Any) -> str:
    """The text of a tree that was changed in one or a few ways."""
    for _ in often(rng):
        _mutate(rng, tree)
    text = json.dumps(tree, ensure_ascii=rng.random() < 0.7)
    while f'"{_MARK}"' in text:
        text = text.replace(f'"{_MARK}"', some(rng, _RAW), 1)
    return text


def to_bytes(rng: Random, text: str) -> bytes:
    """As UTF-8, damaged some of the time."""
    raw = text.encode("utf-8", "surrogatepass")
    return damaged(rng, raw) if rng.random() < 0.2 else raw


def _mutate(rng: Random, tree: Any) -> None:
    found = list(places(tree))
    if not found:
        return
    holder, key = some(rng, found)
    choice = rng.randrange(8)
    if choice <= 2:
        holder[key] = _value(rng, holder[key])
    elif choice == 3:
        del holder[key]
    elif choice == 4 and isinstance(holder, dict):
        holder[odd_text(rng)] = holder.pop(key) if rng.random() < 0.5 else holder[key]
    elif choice == 5 and isinstance(holder, list):
        reordered(rng, holder)
    elif choice == 6:
        other, at = some(rng, found)
        # Not into itself: the tree would have no end.
        if not isinstance(holder[key], dict | list) and at in _keys(other):
            other[at] = holder[key]
    else:
        holder[key] = rng.choice(([holder[key]] * 3, {"a": 1}, {}, [], None))
        if isinstance(holder[key], list):
            holder[key] = json.loads(json.dumps(holder[key]))


def _keys(holder: Any) -> Any:
    return range(len(holder)) if isinstance(holder, list) else holder


def _value(rng: Random, value: Any) -> Any:
    if isinstance(value, str) and rng.random() < 0.5:
        return odd_text(rng)
    if isinstance(value, bool | int | float) and rng.random() < 0.6:
        near = (value + 1, -value, value * 1e9, value / 3, 0, -1, 1e308, 5e-324, 2**53, 1.5)
        return rng.choice((*near, some(rng, ODD_INTS)))
    return rng.choice((None, True, False, 0, 1, "", "x", [], {}, _MARK, some(rng, ODD_INTS)))
