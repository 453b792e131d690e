"""What makes a network efficient to train (section 7.4.1): efficiency scores and their regression.

The score of an architecture is the rank of its front, standardised and negated, so that the first
front has the highest: `s = -(R - mean(R)) / std(R)`. It is regressed on terms of the encoding with
ordinary least squares (statsmodels), as in Table 11. As there, a coefficient of a multivariate
regression is the effect of one standard deviation of its variable, except for the kinds of
operators, which are fractions of the block's operators with conv3x3 as the reference.

The paper leaves the following open; here:

- Blocks of one operator have no first ratio, and those of two have no second one; the ratio of a
  missing operator counts as 1 (the block's own width).
- The kind of an operator is a nominal variable of the block; a block of several operators has a
  fraction of each kind.
- Positions of doublings are fractions of the depth, and a '4' counts as two doublings at its
  position; networks with fewer than five doublings have the missing ones at the end.
- The rank is by the step time and accuracy that the search measured.
- A term that is the same for all architectures, or a linear combination of the terms before it
  (such as the last kind if no operator is a conv3x3), has no coefficient and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray

from nasoa.arch import ArchSpec, parse
from nasoa.arch.spec import NUM_STAGES
from nasoa.errors import InvalidInput
from nasoa.offline.front import successful
from nasoa.offline.pareto import non_dominated_rank
from nasoa.records import Evaluation

Array = NDArray[np.float64]

KINDS = {1: "conv1x1", 2: "conv3x3_group2", 3: "conv3x3_group4", 4: "separable_conv3x3"}
NUM_POSITIONS = 5
COSTS = ("macs", "activations", "params", "inference_ms", "train_memory_bytes")

SIGNIFICANT_P = 0.05

# Table 11 of the paper: coefficients and R².
PAPER_BLOCK = {
    "op1_ratio": -0.183,
    "op2_ratio": -0.168,
    "num_skip_add": -0.272,
    "num_skip_concat": -0.362,
    "output_channel": -0.539,
    "conv1x1": -0.037,
    "conv3x3_group2": 0.190,
    "conv3x3_group4": 0.295,
    "separable_conv3x3": -0.200,
}
PAPER_MACRO = {
    "channel_size": -0.210,
    "double_position_1": -0.110,
    "double_position_2": 0.035,
    "double_position_3": -0.016,
    "double_position_4": 0.224,
    "double_position_5": 0.036,
    "blocks_stage_1": -0.562,
    "blocks_stage_2": -0.139,
    "blocks_stage_3": 0.044,
    "blocks_stage_4": -0.010,
}
PAPER_R_SQUARED = {"block": 0.56, "macro": 0.71}


@dataclass(frozen=True, kw_only=True)
class Term:
    """One row of the regression; `paper` is the coefficient of Table 11."""

    name: str
    coefficient: float
    standard_error: float
    t_value: float
    p_value: float
    paper: float

    @property
    def is_significant(self) -> bool:
        """Whether the coefficient differs from 0 with p < 0.05."""
        return self.p_value < SIGNIFICANT_P

    @property
    def has_paper_sign(self) -> bool:
        """Whether the coefficient has the sign that it has in the paper."""
        return self.coefficient * self.paper > 0


@dataclass(frozen=True, kw_only=True)
class Regression:
    """The efficiency score regressed on terms of the encodings of `n` architectures.

    `paper_r_squared` is R² of the same regression in the paper; `left_out` names the terms whose
    coefficient these architectures do not determine.
    """

    level: str
    n: int
    r_squared: float
    paper_r_squared: float
    terms: tuple[Term, ...]
    left_out: tuple[str, ...]


def efficiency_scores(evaluations: Sequence[Evaluation]) -> tuple[list[Evaluation], Array]:
    """Return the evaluations that did not fail, and the `(n,)` score of each.

    Raises:
        InvalidInput: there are fewer than two fronts, so no architecture is more efficient than
            another.
    """
    good, points = successful(evaluations)
    ranks = non_dominated_rank(points).astype(np.float64)
    if len(good) < 2 or ranks.std() == 0:
        raise InvalidInput(
            f"expected evaluated architectures on at least two fronts, got {len(good)} on one"
        )
    return good, -(ranks - ranks.mean()) / ranks.std()


def regress(evaluations: Sequence[Evaluation], level: str) -> Regression:
    """Fit the regression of Table 11.

    Args:
        evaluations: evaluations of one search.
        level: "block" or "macro".

    Raises:
        InvalidInput: the level is unknown; there are fewer architectures than twice the terms; all
            are on one front; or the architectures do not differ in any term.
    """
    levels = {"block": (_block_terms, PAPER_BLOCK), "macro": (_macro_terms, PAPER_MACRO)}
    if level not in levels:
        raise InvalidInput(f"expected the level block or macro, got {level!r}")
    describe, paper = levels[level]
    trained = len(successful(evaluations)[0])
    if trained < 2 * len(paper):
        raise InvalidInput(
            f"expected at least {2 * len(paper)} trained architectures on at least two fronts to "
            f"regress on, got {trained}; evaluate more with nasoa search run --max-evaluations"
        )
    good, scores = efficiency_scores(evaluations)
    rows = [describe(parse(evaluation.encoding)) for evaluation in good]
    columns = {name: np.array([row[name] for row in rows]) for name in paper}
    varying, design = _independent(columns)
    fitted = sm.OLS(scores, design).fit()
    terms = tuple(
        Term(
            name=name,
            coefficient=float(fitted.params[i]),
            standard_error=float(fitted.bse[i]),
            t_value=float(fitted.tvalues[i]),
            p_value=float(fitted.pvalues[i]),
            paper=paper[name],
        )
        for i, name in enumerate(varying, start=1)
    )
    return Regression(
        level=level,
        n=len(good),
        r_squared=float(fitted.rsquared),
        paper_r_squared=PAPER_R_SQUARED[level],
        terms=terms,
        left_out=tuple(name for name in paper if name not in varying),
    )


def step_time_correlations(evaluations: Sequence[Evaluation]) -> dict[str, float]:
    """Return Pearson's correlation of step time with each other cost that varies."""
    costs = [evaluation.costs for evaluation in evaluations if evaluation.costs.step_time_ms > 0]
    if len(costs) < 3:
        raise InvalidInput(f"expected at least 3 measured architectures, got {len(costs)}")
    times = np.array([cost.step_time_ms for cost in costs])
    columns = {name: np.array([getattr(cost, name) for cost in costs]) for name in COSTS}
    return {
        name: float(np.corrcoef(times, column)[0, 1])
        for name, column in columns.items()
        if column.std() > 0 and times.std() > 0
    }


def _independent(columns: Mapping[str, Array]) -> tuple[list[str], Array]:
    """Return the terms that vary and are not a linear combination of earlier ones, and the design.

    The design matrix has a column of ones, then one column for each of these terms.
    """
    names: list[str] = []
    design = np.ones((len(next(iter(columns.values()))), 1))
    for name, column in columns.items():
        if column.std() == 0:
            continue
        wider = np.column_stack([design, _scaled(name, column)])
        if np.linalg.matrix_rank(wider) == wider.shape[1]:
            names, design = [*names, name], wider
    if not names:
        raise InvalidInput(
            "expected architectures that differ in at least one term of the regression, "
            "got the same values for all"
        )
    return names, design


def _scaled(name: str, column: Array) -> Array:
    """Express a column in standard deviations, except for fractions of operator kinds."""
    if name in KINDS.values():
        return column
    scaled: Array = (column - column.mean()) / column.std()
    return scaled


def _block_terms(spec: ArchSpec) -> Mapping[str, float]:
    operators, skips = spec.block.operators, spec.block.skips
    ratios = [0.0 if o.ratio is None else float(o.ratio - 2) for o in operators] + [0.0, 0.0]
    return {
        "op1_ratio": ratios[0],  # log2 of the change of channels
        "op2_ratio": ratios[1],
        "num_skip_add": sum(skip.kind == "a" for skip in skips),
        "num_skip_concat": sum(skip.kind == "c" for skip in skips),
        "output_channel": np.log2(spec.widths[-1][-1]),
        **{
            name: sum(o.kind == kind for o in operators) / len(operators)
            for kind, name in KINDS.items()
        },
    }


def _macro_terms(spec: ArchSpec) -> Mapping[str, float]:
    numbers = [number for stage in spec.stages for number in stage]
    positions = [
        position / len(numbers)
        for position, number in enumerate(numbers)
        for _ in range(number.bit_length() - 1)
    ]
    positions = (positions + [1.0] * NUM_POSITIONS)[:NUM_POSITIONS]
    return {
        "channel_size": np.log2(spec.first_channel),
        **{f"double_position_{i}": position for i, position in enumerate(positions, start=1)},
        **{f"blocks_stage_{i + 1}": len(spec.stages[i]) for i in range(NUM_STAGES)},
    }
