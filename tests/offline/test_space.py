"""The spaces of section 3.1: members are valid and canonical, and mutations stay inside."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasoa.arch import ArchSpec, build_network, measure_cost, parse
from nasoa.arch.spec import MAX_SKIPS, BlockSpec, Operator
from nasoa.errors import InvalidInput
from nasoa.offline.canonical import canonical, canonical_block, canonical_skips, possible_skips
from nasoa.offline.mutation import BLOCK_MUTATIONS, MACRO_MUTATIONS, MULTIPLIERS
from nasoa.offline.space import BlockSpace, MacroSpace, SearchSpace

BASIC = parse("020- 64 1-2-2-2").block
CELLS = (BASIC, parse("011- 64 1-2-2-2").block, parse("2- 64 1-2-2-2").block)
SPACES = {
    "block paper": BlockSpace.paper(),
    "block small": BlockSpace.small(),
    "macro paper": MacroSpace.paper(CELLS),
    "macro small": MacroSpace.small(CELLS),
}
TINY_MACRO = MacroSpace(
    cells=CELLS[:2], blocks=(4, 6), first_channels=(16, 32), last_channels=(64, 128)
)
FIXED_DEPTH = MacroSpace(cells=(BASIC,), blocks=(6, 6), first_channels=(16,), last_channels=(64,))


def everything(space: MacroSpace) -> set[ArchSpec]:
    """Return every member of a small macro space, by trying all texts."""
    found = set()
    for count in range(space.blocks[0], space.blocks[1] + 1):
        cuts = [c for c in product(range(1, count), repeat=3) if c[0] < c[1] < c[2]]
        for numbers, cut in product(product(MULTIPLIERS, repeat=count), cuts):
            ends = [0, *cut, count]
            stages = tuple(tuple(numbers[a:b]) for a, b in pairwise(ends))
            for cell, first in product(space.cells, space.first_channels):
                spec = space.valid(ArchSpec(cell, first, stages))
                if spec is not None:
                    found.add(spec)
    return found


def neighbours(space: SearchSpace, spec: ArchSpec) -> set[ArchSpec]:
    """Return every network that one mutation of `spec` can give."""
    found = (space.valid(moved) for kind in space.mutations.values() for moved in kind(space, spec))
    return {moved for moved in found if moved is not None and moved != spec}


def reached(space: SearchSpace, start: ArchSpec) -> set[ArchSpec]:
    seen, todo = {start}, [start]
    while todo:
        fresh = neighbours(space, todo.pop()) - seen
        seen |= fresh
        todo += fresh
    return seen


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_sample_and_its_mutations_are_valid_canonical_and_different(
    space: SearchSpace, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    spec = space.sample(rng)
    for _ in range(4):
        assert space.valid(spec) == spec == canonical(spec)
        assert parse(str(spec)) == spec
        moved = space.mutate(spec, rng)
        assert moved != spec
        spec = moved


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_sampling_and_mutation_are_functions_of_the_seed(space: SearchSpace) -> None:
    def walk() -> list[ArchSpec]:
        rng = np.random.default_rng(7)
        specs = [space.sample(rng) for _ in range(10)]
        return specs + [space.mutate(spec, rng) for spec in specs]

    assert walk() == walk()
    assert len(set(walk())) > 10


@pytest.mark.slow
def test_every_block_can_be_reached_from_every_other() -> None:
    space = BlockSpace(
        stages=((1,), (2,), (2,), (1,)), first_channels=(16, 32), max_operators=2, max_skips=1
    )
    members = set(space.all())
    assert len(members) > 500
    assert reached(space, next(iter(members))) == members


@pytest.mark.slow
@pytest.mark.parametrize("space", [TINY_MACRO, FIXED_DEPTH], ids=["two ranges", "fixed depth"])
def test_every_macro_structure_can_be_reached_from_every_other(space: MacroSpace) -> None:
    members = everything(space)
    assert len(members) > 90
    assert reached(space, next(iter(members))) == members
    # A step can be undone, so one start is enough for all.
    assert all(
        spec in neighbours(space, near)
        for spec in [*members][:5]
        for near in neighbours(space, spec)
    )


@pytest.mark.parametrize("space", [TINY_MACRO, FIXED_DEPTH], ids=["two ranges", "fixed depth"])
def test_macro_structures_are_as_many_as_the_formula_says(space: MacroSpace) -> None:
    assert space.count() == len(everything(space))


@pytest.mark.slow
def test_samples_reach_every_member_of_a_small_space() -> None:
    rng = np.random.default_rng(0)
    assert {FIXED_DEPTH.sample(rng) for _ in range(20_000)} == everything(FIXED_DEPTH)


def test_three_operators_and_skips_are_as_many_as_the_paper_says() -> None:
    """Five kinds, five ratios except for the last, three skips of 12 (6 node pairs, 2 kinds)."""
    kinds, ratios = 5, 5
    skips = len(possible_skips(3)) + 1  # the paper also counts copies of the residual
    assert skips == 12
    assert kinds**3 * ratios**2 * skips**3 == 5_400_000


def test_canonical_skips_are_few_of_all_sequences() -> None:
    sequences = canonical_skips(3, MAX_SKIPS)
    assert len(sequences) == len(set(sequences))
    block = BlockSpec((Operator(0, 2), Operator(0, 2), Operator(0)))
    assert all(
        canonical_block(BlockSpec(block.operators, skips)).skips == skips for skips in sequences
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("02031-a02a02", "02031-a02"),
        ("02031-a03", "02031-"),
        ("02031-a12a02", "02031-a02a12"),
        ("02031-c12a01", "02031-a01c12"),
        ("02031-c02c12c02", "02031-c02c12"),
    ],
)
def test_texts_of_one_network_have_one_form(text: str, same: str) -> None:
    macro = " 64 1-2-2-2"
    assert canonical(parse(text + macro)) == canonical(parse(same + macro))


@pytest.mark.parametrize(
    ("one", "other"), [("02031-a02c12", "02031-c12a02"), ("02031-c02c12", "02031-c12c02")]
)
def test_an_order_that_matters_is_kept(one: str, other: str) -> None:
    macro = " 64 1-2-2-2"
    assert canonical(parse(one + macro)) != canonical(parse(other + macro))


def test_reordered_skips_build_networks_of_the_same_cost() -> None:
    costs = {
        measure_cost(build_network(parse(f"{block} 16 1-2-2-2"), 10), 64)
        for block in ("02031-a12a02", "02031-a02a12")
    }
    assert len(costs) == 1


def test_each_kind_of_mutation_of_the_paper_is_there() -> None:
    block = parse("02031-a02 64 1-2-2-2")
    space = BlockSpace(stages=block.stages, first_channels=(64,))
    assert {str(m.block) for m in BLOCK_MUTATIONS["remove skip"](space, block)} == {"02031-"}
    assert "01031-a02" in {str(m.block) for m in BLOCK_MUTATIONS["change ratio"](space, block)}
    assert "22031-a02" in {str(m.block) for m in BLOCK_MUTATIONS["replace operator"](space, block)}
    macro = parse("020- 64 11-21-21-21")
    big = MacroSpace(cells=(BASIC,), blocks=(4, 50), last_channels=(512,), first_channels=(64,))
    assert "11-21-21-211" in {m.macro for m in MACRO_MUTATIONS["add a 1"](big, macro)}
    assert "1-21-21-21" in {m.macro for m in MACRO_MUTATIONS["remove a 1"](big, macro)}
    swapped = {m.macro for m in MACRO_MUTATIONS["swap adjacent numbers"](big, macro)}
    assert {"12-11-21-21", "11-12-21-21"} <= swapped


@pytest.mark.parametrize(
    "make",
    [
        lambda: BlockSpace(first_channels=()),
        lambda: BlockSpace(first_channels=(63,)),
        lambda: BlockSpace(stages=((1,), (2,))),
        lambda: BlockSpace(max_operators=4),
        lambda: MacroSpace(cells=()),
        # Its text is that of three operators.
        lambda: MacroSpace(cells=(BlockSpec((Operator(0, 2), Operator(224)), ()),)),
        lambda: MacroSpace(cells=CELLS, blocks=(3, 9)),
        lambda: MacroSpace(cells=CELLS, blocks=(12, 9)),
        lambda: MacroSpace(cells=CELLS, first_channels=(48,), last_channels=(512,)),
        lambda: MacroSpace(cells=CELLS, first_channels=(1024,), last_channels=(512,)),
        lambda: MacroSpace(
            cells=(parse("3- 64 1-2-2-2").block,), first_channels=(2,), last_channels=(8,)
        ).sample(np.random.default_rng(0)),
    ],
)
def test_parameters_that_admit_no_architecture_are_refused(make: object) -> None:
    with pytest.raises(InvalidInput, match=r"expected|encoding"):
        make()  # type: ignore[operator]


@pytest.mark.slow
def test_uniform_samples_take_each_member_alike() -> None:
    space = BlockSpace(
        stages=((1,), (1,), (1,), (1,)),
        first_channels=(8, 12),
        max_operators=2,
        max_skips=1,
        sampling="uniform",
    )
    members = set(space.all())
    rng = np.random.default_rng(0)
    draws = 20 * len(members)
    counts = Counter(space.sample(rng) for _ in range(draws))
    assert set(counts) == members
    # Chi-square: its mean is the number of members, its standard deviation the root of twice that.
    spread = sum((counts[member] - 20) ** 2 / 20 for member in members)
    assert abs(spread - len(members)) < 5 * (2 * len(members)) ** 0.5


def test_samples_by_size_take_each_number_of_operators_alike() -> None:
    rng = np.random.default_rng(0)
    by_size, uniform = BlockSpace.small(), BlockSpace(sampling="uniform")
    short = [len(by_size.sample(rng).block.operators) == 1 for _ in range(400)]
    assert 0.2 < np.mean(short) < 0.5
    assert sum(len(uniform.sample(rng).block.operators) == 3 for _ in range(100)) > 90
    with pytest.raises(InvalidInput, match="by_size or uniform, got 'even'"):
        BlockSpace(sampling="even")


def test_the_paper_varies_the_first_channel_of_its_blocks() -> None:
    rng = np.random.default_rng(0)
    space = BlockSpace.paper()
    assert {space.sample(rng).first_channel for _ in range(100)} == set(space.first_channels)
    assert len(space.first_channels) > 1


def test_the_paper_s_block_space_has_resnet50_and_the_widths_of_figure_10() -> None:
    space = BlockSpace.paper()
    resnet50 = parse("10001- 64 411-2111-211111-211")
    assert space.valid(resnet50) == canonical(resnet50)
    assert resnet50.widths[0][0] == 256
    widths = [ArchSpec(BASIC, first, space.stages).widths[0][0] for first in space.first_channels]
    assert widths == [64, 128, 192, 256, 320]
