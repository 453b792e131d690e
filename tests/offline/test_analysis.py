"""Section 7.4.1 on evaluations with known ground truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nasoa.arch import parse
from nasoa.errors import InvalidInput
from nasoa.offline.analysis import (
    PAPER_BLOCK,
    PAPER_MACRO,
    PAPER_R_SQUARED,
    efficiency_scores,
    regress,
    step_time_correlations,
)
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.records import Evaluation, from_json

Make = Callable[..., Evaluation]


def test_scores_are_ranks_standardised_and_turned_round(make_evaluation: Make) -> None:
    evaluations = [
        make_evaluation("0- 8 1-2-1-1", 1.0, 0.5),
        make_evaluation("1- 8 1-2-1-1", 2.0, 0.5),
        make_evaluation("2- 8 1-2-1-1", 3.0, 0.5),
        make_evaluation("3- 8 1-2-1-1", 3.0, None, "diverged"),
    ]
    good, scores = efficiency_scores(evaluations)
    assert len(good) == 3
    assert scores == pytest.approx([1.2247, 0.0, -1.2247], abs=1e-4)


def test_a_term_that_costs_efficiency_has_a_negative_coefficient(make_evaluation: Make) -> None:
    """Step time grows only with concatenations; accuracy is the same for all."""
    space, rng = BlockSpace.small(), np.random.default_rng(0)
    evaluations = []
    for spec in {space.sample(rng): None for _ in range(200)}:
        concats = sum(skip.kind == "c" for skip in spec.block.skips)
        evaluations.append(make_evaluation(str(spec), 1.0 + concats, 0.3))
    found = regress(evaluations, "block")
    by_name = {term.name: term for term in found.terms}
    assert set(by_name) == set(PAPER_BLOCK)
    assert by_name["num_skip_concat"].coefficient < 0
    assert by_name["num_skip_concat"].p_value < 0.01
    assert max(by_name.values(), key=lambda term: abs(term.t_value)).name == "num_skip_concat"


def test_macro_terms_tell_stages_apart(make_evaluation: Make) -> None:
    space = MacroSpace.small((parse("020- 64 1-2-2-2").block,))
    rng = np.random.default_rng(0)
    evaluations = [
        make_evaluation(str(spec), 1.0 + len(spec.stages[0]), 0.3)
        for spec in {space.sample(rng): None for _ in range(200)}
    ]
    found = regress(evaluations, "macro")
    by_name = {term.name: term for term in found.terms}
    assert found.n == len(evaluations)
    assert set(by_name) | set(found.left_out) == set(PAPER_MACRO)
    assert by_name["blocks_stage_1"].coefficient < -0.3
    assert by_name["blocks_stage_1"].t_value == min(term.t_value for term in found.terms)


def test_the_papers_coefficients_are_those_of_its_table(shared: Path) -> None:
    table = from_json((shared / "paper" / "tables.json").read_bytes(), dict)
    signs = table["table11_regression_signs"]
    for ours, level in ((PAPER_BLOCK, "block"), (PAPER_MACRO, "macro")):
        theirs = {k: v for k, v in signs[level].items() if k not in ("n", "r_squared")}
        assert ours == theirs
        assert PAPER_R_SQUARED[level] == signs[level]["r_squared"]


def test_step_time_correlates_with_what_it_follows(make_evaluation: Make) -> None:
    evaluations = [make_evaluation(f"0- {8 * i} 1-2-1-1", float(i), 0.5) for i in range(1, 9)]
    found = step_time_correlations(
        evaluations  # whose inference time is a third of the step time
    )
    assert found["inference_ms"] == pytest.approx(1.0)


def test_too_little_to_analyse_is_refused(make_evaluation: Make) -> None:
    one = [make_evaluation("0- 8 1-2-1-1", 1.0, 0.5)]
    with pytest.raises(InvalidInput, match="two fronts"):
        regress(one, "block")
    with pytest.raises(InvalidInput, match="block or macro"):
        regress(one, "cell")
    with pytest.raises(InvalidInput, match="at least 3"):
        step_time_correlations(one)


def test_terms_that_cannot_be_told_apart_are_left_out(make_evaluation: Make) -> None:
    """Without a conv3x3, the fractions of the other kinds sum to 1."""
    evaluations = [
        make_evaluation(f"{kind}- {channels} 1-2-1-1", kind * channels + 1.0, 0.3)
        for kind in (1, 2, 3, 4)
        for channels in (8, 16, 32, 64, 128)
    ]
    found = regress(evaluations, "block")
    assert [term.name for term in found.terms] == [
        "output_channel",
        "conv1x1",
        "conv3x3_group2",
        "conv3x3_group4",
    ]
    assert "separable_conv3x3" in found.left_out
    assert all(np.isfinite(term.standard_error) for term in found.terms)


def test_architectures_that_differ_in_no_term_are_refused(make_evaluation: Make) -> None:
    evaluations = [make_evaluation("0- 8 1-2-1-1", float(i), 0.5) for i in range(1, 30)]
    with pytest.raises(InvalidInput, match="differ in at least one term"):
        regress(evaluations, "block")
