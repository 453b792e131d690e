"""Encodings to specs and back, and the positions of errors in malformed encodings."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nasoa.arch import ArchSpec, BlockSpec, Operator, Skip, parse
from nasoa.arch.encoding import check
from nasoa.errors import EncodingError


@st.composite
def blocks(draw: st.DrawFn) -> BlockSpec:
    count = draw(st.integers(1, 3))
    kinds = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    ratios = [*draw(st.lists(st.integers(0, 4), min_size=count - 1, max_size=count - 1)), None]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count + 1)]
    skip = st.builds(
        lambda kind, pair: Skip(kind, *pair), st.sampled_from("ac"), st.sampled_from(pairs)
    )
    skips = draw(st.lists(skip, max_size=3))
    return BlockSpec(tuple(map(Operator, kinds, ratios)), tuple(skips))


@st.composite
def specs(draw: st.DrawFn) -> ArchSpec:
    """Generate specs that can be built."""
    stage = st.lists(st.sampled_from([1, 1, 2]), min_size=1, max_size=3).map(tuple)
    stages = draw(st.tuples(stage, stage, stage, stage))
    spec = ArchSpec(draw(blocks()), draw(st.sampled_from([16, 32, 64])), stages)
    try:
        check(spec)
    except EncodingError:
        assume(False)
    return spec


@given(specs())
def test_printing_what_was_parsed_gives_the_text(spec: ArchSpec) -> None:
    text = str(spec)
    assert parse(text) == spec
    assert str(parse(text)) == text
    assert parse(text.replace(" ", "_")) == spec


@pytest.mark.parametrize(
    "text",
    [
        "020- 64 11-21-21-21",
        "020- 64 111-2111-211111-211",
        "10001- 64 411-2111-211111-211",
        "11011- 64 411-2111-211111-211",
        "23311-a02c12 64 211-2111-21111111111111111111111-211",
    ],
)
def test_published_texts_come_back(text: str) -> None:
    assert str(parse(text)) == text


def test_the_stride_goes_to_the_first_operator_that_is_not_conv1x1() -> None:
    assert parse("10001- 64 411-2111-211111-211").block.strided_operator == 1
    assert parse("11110- 64 1-1-1-1").block.strided_operator == 2
    assert parse("111- 64 1-1-1-1").block.strided_operator == 1


BAD = [
    ("", 0, "3 parts"),
    ("020- 64", 7, "3 parts"),
    ("020- 64 11-21-21-21 9", 20, "3 parts"),
    ("020 64 11-21-21-21", 3, "'-' between"),
    ("720- 64 11-21-21-21", 0, "an operator 0 to 4"),
    ("050- 64 11-21-21-21", 1, "a ratio 0 to 4"),
    ("02- 64 11-21-21-21", 0, "1, 3 or 5 digits"),
    ("0202020- 64 11-21-21-21", 0, "1, 3 or 5 digits"),
    ("- 64 11-21-21-21", 0, "1, 3 or 5 digits"),
    ("020-a03 64 11-21-21-21", 6, "a node 0 to 2"),
    ("020-a20 64 11-21-21-21", 5, "earlier node to a later"),
    ("020-a11 64 11-21-21-21", 5, "earlier node to a later"),
    ("020-b01 64 11-21-21-21", 4, "'a' (add) or 'c' (concat)"),
    ("020-a0 64 11-21-21-21", 6, "lacks a node"),
    ("020-a01a01a01a01 64 11-21-21-21", 13, "at most 3 skips"),
    ("020- x 11-21-21-21", 5, "first channel as a number"),
    ("020- 0 11-21-21-21", 5, "even first channel"),
    ("020- 63 11-21-21-21", 5, "even first channel"),
    ("020- ٦٤ 11-21-21-21", 5, "first channel as a number"),
    ("020- 64 11-21-21", 8, "4 stages"),
    ("020- 64 11-21-21-21-1", 8, "4 stages"),
    ("020- 64 11--21-21", 11, "stage 2 has no block"),
    ("020- 64 11-01-21-21", 11, "width multiplier 1 to 9"),
    ("020- 64 11-2x-21-21", 12, "width multiplier 1 to 9"),
    ("020- 64 99999-99999-1-1", 11, "channels are more than"),
    ("3- 2 1-1-1-1", 0, "4 groups do not divide 2 input"),
    ("000- 2 1-1-1-1", 1, "a fraction of a channel"),
    (f"020- {'9' * 5000} 1-1-1-1", 5, "even first channel from 2 to 65536"),
    (f"020- 64 {'1' * 100_000}-1-1-1", 8, "at most 1000 blocks, got 100003"),
    (f"020- 64 {'9' * 100_000}-1-1-1", 8, "at most 1000 blocks, got 100003"),
]


@pytest.mark.parametrize(("text", "position", "problem"), BAD)
def test_a_malformed_text_is_named_with_its_position(
    text: str, position: int, problem: str
) -> None:
    with pytest.raises(EncodingError) as error:
        parse(text)
    assert error.value.position == position
    assert problem in error.value.problem
    assert "\n" not in str(error.value)


@given(st.text(alphabet="01234 -acx_9", max_size=30))
def test_any_text_is_parsed_or_named(text: str) -> None:
    try:
        spec = parse(text)
    except EncodingError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse(str(spec)) == spec
