"""`nasoa search analyse`: analyse what makes architectures efficient to train."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nasoa.cli.output import Subparsers, show, table, work_bars

if TYPE_CHECKING:
    from nasoa.offline.analysis import Regression
    from nasoa.steps.analyse_search import SearchAnalysis

HEADER = ("term", "coefficient", "std error", "t", "p", "paper")


def add_verb(
    verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser, default: str
) -> None:
    """Add `search analyse`; `default` is the default name of the search."""
    analyse = verbs.add_parser(
        "analyse",
        parents=[shared],
        help="analyse what makes architectures efficient to train",
        description="Regress the efficiency of the search's architectures on their encodings "
        "(Table 11 of the paper), and correlate step time with other costs.",
    )
    analyse.add_argument(
        "name",
        nargs="?",
        default=default,
        metavar="NAME",
        help=f"name of the search (default: {default})",
    )
    analyse.set_defaults(run=run_analyse)


def run_analyse(arguments: argparse.Namespace) -> None:
    """Print the regression and the correlations."""
    from nasoa.steps.analyse_search import analyse_search  # noqa: PLC0415  (statsmodels: a second)

    with work_bars():
        analysis = analyse_search(arguments.store, arguments.name)
    show(arguments, analysis, _text(analysis))


def _text(analysis: SearchAnalysis) -> str:
    regression = analysis.regression
    rows = [
        (
            term.name,
            f"{term.coefficient:+.3f}",
            f"{term.standard_error:.3f}",
            f"{term.t_value:+.2f}",
            f"{term.p_value:.3f}",
            f"{term.paper:+.3f}",
        )
        for term in regression.terms
    ]
    correlations = ", ".join(
        f"{name} {value:.2f}" for name, value in analysis.step_time_correlations.items()
    )
    lines = [
        f"{analysis.search}: the efficiency of {regression.n} trained architectures, regressed on "
        f"their encodings; R² {regression.r_squared:.2f} (paper: {regression.paper_r_squared:.2f})",
        table(HEADER, rows),
        "A positive coefficient makes an architecture more efficient.",
        _signs(regression),
    ]
    if regression.left_out:
        lines.append(
            "Left out, because these architectures do not determine them separately: "
            f"{', '.join(regression.left_out)}."
        )
    lines.append(f"Correlation of step time with other costs: {correlations or 'none varies'}.")
    trend = analysis.block_trend
    if analysis.no_block_trend:
        lines.append(
            "Not tested whether small models have simple blocks and large ones complex blocks: "
            f"{analysis.no_block_trend}."
        )
    if trend is not None:
        finding = "confirmed" if trend.is_confirmed else "not confirmed"
        lines.append(
            "Small models have simple blocks and large ones complex blocks, as in the paper: "
            f"{finding} on the front of {trend.n}; Spearman {trend.spearman:+.2f}, "
            f"p {trend.p_value:.3f}, {trend.small:.1f} operators and skips in its smaller half, "
            f"{trend.large:.1f} in the larger."
        )
    return "\n".join(lines)


def _signs(regression: Regression) -> str:
    significant = [term for term in regression.terms if term.is_significant]
    same = ", ".join(term.name for term in significant if term.has_paper_sign)
    other = ", ".join(term.name for term in significant if not term.has_paper_sign)
    return (
        f"Of the terms with p < 0.05, these have the sign of the paper: {same or 'none'}; "
        f"these have the opposite sign: {other or 'none'}."
    )
