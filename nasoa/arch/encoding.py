"""Parse and check encodings `"{block} {first channel} {macro}"` (appendix 7.1.3, Tables 8 to 10).

`_` is accepted instead of spaces. `str(spec)` gives the encoding of a spec.
"""

from __future__ import annotations

import re

from nasoa.arch.block_plan import GroupsError, plan_block
from nasoa.arch.spec import (
    MAX_OPERATORS,
    MAX_SKIPS,
    NUM_STAGES,
    OPERATOR_NAMES,
    RATIOS,
    ArchSpec,
    BlockSpec,
    Operator,
    Skip,
)
from nasoa.errors import EncodingError
from nasoa.whole_number import whole_number

MAX_CHANNELS = 65536
MAX_BLOCKS = 1000
_EXAMPLE = 'write it like "011- 64 21-211-121-11111121"'


def parse(text: str) -> ArchSpec:
    """Parse an encoding.

    Raises:
        EncodingError: the text is malformed or the network cannot be built; the message names the
            position.
    """
    plain = text.replace("_", " ")
    parts = [(match.start(), match.group()) for match in re.finditer(r"[^ ]+", plain)]
    if len(parts) != 3:
        at = parts[3][0] if len(parts) > 3 else len(text)
        raise EncodingError(
            text,
            at,
            f"expected 3 parts (block, first channel, macro), got {len(parts)}; {_EXAMPLE}",
        )
    block = _parse_block(text, *parts[0])
    first_channel = _parse_first_channel(text, *parts[1])
    stages = _parse_macro(text, *parts[2])
    spec = ArchSpec(block, first_channel, stages)
    _check_buildable(text, spec, positions=[start for start, _ in parts])
    return spec


def parse_block(text: str) -> BlockSpec:
    """Parse the block part of an encoding, like "020-" or "02031-a02".

    Raises:
        EncodingError: the text is malformed; the message names the position.
    """
    return _parse_block(text, 0, text)


def check(spec: ArchSpec) -> None:
    """Raise `EncodingError` if the channels of a spec cannot be built."""
    text = str(spec)
    starts = [0, text.index(" ") + 1, text.rindex(" ") + 1]
    _check_buildable(text, spec, positions=starts)


def _digit(text: str, position: int, choices: int, what: str) -> int:
    char = text[position]
    if char not in "0123456789"[:choices]:
        raise EncodingError(text, position, f"expected {what} 0 to {choices - 1}, got {char!r}")
    return int(char)


def _parse_block(text: str, start: int, part: str) -> BlockSpec:
    dash = part.find("-")
    if dash < 0:
        raise EncodingError(
            text, start + len(part), "expected '-' between the operators and the skips"
        )
    if dash not in range(1, 2 * MAX_OPERATORS, 2):
        raise EncodingError(
            text,
            start,
            f"expected 1, 3 or 5 digits for 1 to {MAX_OPERATORS} operators, got {dash}",
        )
    operators = []
    for position in range(start, start + dash, 2):
        kind = _digit(text, position, len(OPERATOR_NAMES), "an operator")
        is_last = position == start + dash - 1
        ratio = None if is_last else _digit(text, position + 1, len(RATIOS), "a ratio")
        operators.append(Operator(kind, ratio))
    skips = _parse_skips(text, start + dash + 1, part[dash + 1 :], num_nodes=len(operators))
    return BlockSpec(tuple(operators), skips)


def _parse_skips(text: str, start: int, part: str, num_nodes: int) -> tuple[Skip, ...]:
    if len(part) > 3 * MAX_SKIPS:
        raise EncodingError(text, start + 3 * MAX_SKIPS, f"expected at most {MAX_SKIPS} skips")
    skips = []
    for position in range(start, start + len(part), 3):
        triple = text[position : min(position + 3, start + len(part))]
        if triple[0] not in "ac":
            raise EncodingError(
                text, position, f"expected a skip 'a' (add) or 'c' (concat), got {triple[0]!r}"
            )
        if len(triple) < 3:
            raise EncodingError(
                text, position + len(triple), f"skip {triple!r} lacks a node; write it like 'a02'"
            )
        source = _digit(text, position + 1, num_nodes + 1, "a node")
        target = _digit(text, position + 2, num_nodes + 1, "a node")
        if source >= target:
            raise EncodingError(
                text,
                position + 1,
                f"skip {triple!r} must go from an earlier node to a later one",
            )
        skips.append(Skip(triple[0], source, target))
    return tuple(skips)


def _parse_first_channel(text: str, start: int, part: str) -> int:
    if not (part.isascii() and part.isdigit()):
        raise EncodingError(text, start, f"expected the first channel as a number, got {part!r}")
    channel = whole_number(part, MAX_CHANNELS)
    if channel is None or channel < 2 or channel % 2:
        raise EncodingError(
            text,
            start,
            f"expected an even first channel from 2 to {MAX_CHANNELS} (the stem halves it), "
            f"got {part}",
        )
    return channel


def _parse_macro(text: str, start: int, part: str) -> tuple[tuple[int, ...], ...]:
    stages: list[list[int]] = [[]]
    for position, char in enumerate(part, start=start):
        if char == "-":
            stages.append([])
        elif char in "123456789":
            stages[-1].append(int(char))
        else:
            raise EncodingError(
                text, position, f"expected a width multiplier 1 to 9 or '-', got {char!r}"
            )
    if len(stages) != NUM_STAGES:
        raise EncodingError(
            text, start, f"expected {NUM_STAGES} stages separated by '-', got {len(stages)}"
        )
    position = start
    for index, stage in enumerate(stages, start=1):
        if not stage:
            raise EncodingError(text, position, f"stage {index} has no block")
        position += len(stage) + 1
    _check_number(text, start, sum(map(len, stages)))
    return tuple(map(tuple, stages))


def _check_number(text: str, start: int, num_blocks: int) -> None:
    if num_blocks > MAX_BLOCKS:
        raise EncodingError(text, start, f"expected at most {MAX_BLOCKS} blocks, got {num_blocks}")


def _check_buildable(text: str, spec: ArchSpec, positions: list[int]) -> None:
    """Check every distinct (input, width, stride) of the macro once."""
    _check_number(text, positions[2], spec.num_blocks)
    seen: set[tuple[int, int, int]] = set()
    channels, at = spec.first_channel, positions[2]
    for index, widths in enumerate(spec.widths):
        for block, width in enumerate(widths):
            if width > MAX_CHANNELS:
                raise EncodingError(text, at, f"{width} channels are more than {MAX_CHANNELS}")
            key = (channels, width, 2 if index and not block else 1)
            if key not in seen:
                seen.add(key)
                _check_block(text, spec, key, positions[0])
            channels, at = width, at + 1
        at += 1


def _check_block(text: str, spec: ArchSpec, key: tuple[int, int, int], start: int) -> None:
    width = key[1]
    for index, operator in enumerate(spec.block.operators):
        if operator.ratio is not None and width * 2**operator.ratio % 4:
            raise EncodingError(
                text,
                start + 2 * index + 1,
                f"ratio {operator.ratio} gives a fraction of a channel at block width {width}",
            )
    try:
        plan_block(spec.block, *key)
    except GroupsError as error:
        raise EncodingError(
            text,
            start + 2 * error.operator,
            f"operator {error.operator + 1} is invalid in a block of {key[0]} to {width} "
            f"channels: {error}",
        ) from None
