"""Write docs/results.md from the JSON files in benchmarks/results.

    python -m benchmarks.results_page [-o docs/results.md]

Every figure of the page comes from a file there; a test compares the page with what this writes.
README and docs/limits.md hold parts that come from the files too (`QUOTED`); what they lack is
printed.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from benchmarks import (
    final_page,
    finetune_vs_scratch_page,
    lr_frozen_grid_page,
    plain_page,
    predictor_page,
    speed_sections,
    starter_page,
    step_time_page,
    step_time_plots,
)
from benchmarks.growth_plots import PLOTS
from benchmarks.results_files import is_measured, machine_of, result, source, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
WIDTH = 105  # of lines that are written by hand
INTRODUCTION = """\
# Results

What was measured, beside the paper where it has a figure. This page is written by
`python -m benchmarks.results_page` from the files in `benchmarks/results/`, each of which names
its machine and versions, and seeds and repeats where there are any. [From the paper to the
code](paper.md) lists which of the paper's experiments were repeated, and [Limits](limits.md) what
the figures do not say.

The paper's experiments, and what repeats them:
"""
# The paper's tables and figures, the module that repeats them, and its file of results.
EXPERIMENTS = (
    ("Table 2, Figures 4, 5 and 11", "step_time", step_time_page.NAME),
    ("Table 3", "online_error", predictor_page.ONLINE_ERROR),
    ("Tables 4 and 5, Figure 6", "final", final_page.NAME),
    ("Table 6", "finetune_vs_scratch", finetune_vs_scratch_page.NAME),
    ("Table 7", "lr_frozen_grid", lr_frozen_grid_page.NAME),
)
SEARCHES = ("Figures 3 and 10, Table 11", "search_report", "[a page of its own](search-results.md)")


def introduction() -> str:
    """Return the head of the page, with the commands that repeat the paper's experiments."""
    lines = [
        [what, _command(module), source(name) if is_measured(name) else "no results yet"]
        for what, module, name in EXPERIMENTS
    ]
    what, module, page_of_searches = SEARCHES
    lines.append([what, _command(module), page_of_searches])
    return f"{INTRODUCTION}\n" + table(["in the paper", "command", "results"], lines)


def _command(module: str) -> str:
    return f"`python -m benchmarks.{module}`"


def search_quality() -> str:
    """Return the quality of the search beside pymoo and random search."""
    name = "nsga2_quality.json"
    ways = ("nasoa", "pymoo", "random")
    lines = []
    for found in result(name)["tables"]:
        ratios = [found[way]["hypervolume_ratio"] if way in found else None for way in ways]
        cells = [f"{ratio['median']:.3f}" if ratio else "" for ratio in ratios]
        lines.append([found["table"], found["budget"], *cells])
    return (
        "## The search\n\n"
        "Fraction of the best hypervolume that is reached on tables of networks whose front is "
        f"known, medians over {result(name)['seeds']} seeds ({source(name)}, {machine_of(name)}). "
        "A real search, with Figure 10 and Table 11 of the paper, has [a page of its own]"
        "(search-results.md).\n\n" + table(["table", "evaluations", *ways], lines)
    )


def _experiment(module: ModuleType) -> str:
    """Return the section of an experiment of the paper."""
    section: str = module.section(result(module.NAME))
    return section


class Section(NamedTuple):
    """A section of the page.

    Args:
        make: returns its text.
        needs: its file of results if that may not have been measured yet.
        remark: a paragraph that is written by hand; it stands at the end.
    """

    make: Callable[[], str]
    needs: str = ""
    remark: str = ""

    def text(self) -> str:
        """Return the section with its remark."""
        if not self.remark:
            return self.make()
        remark = textwrap.fill(self.remark, WIDTH, break_long_words=False, break_on_hyphens=False)
        return f"{self.make()}\n{remark}\n"


# The sections in order.
SECTIONS = (
    Section(plain_page.beside_plain_programs),
    Section(plain_page.not_below_linear, plain_page.LINEAR),
    Section(starter_page.first_tasks),
    Section(predictor_page.predictors),
    Section(predictor_page.parts_of_the_predictor),
    Section(predictor_page.features_of_a_task, predictor_page.FEATURES),
    Section(partial(_experiment, final_page), final_page.NAME),
    Section(predictor_page.left_out_families),
    Section(predictor_page.online_error),
    Section(
        search_quality,
        remark="On the published networks, random search is ahead: a mutation there goes to one of "
        "the networks of the most similar size, which is a trap for a search that follows its "
        "neighbours ([more](searching.md#the-algorithm)).",
    ),
    Section(partial(_experiment, step_time_page), step_time_page.NAME),
    Section(partial(_experiment, finetune_vs_scratch_page), finetune_vs_scratch_page.NAME),
    Section(partial(_experiment, lr_frozen_grid_page), lr_frozen_grid_page.NAME),
    Section(speed_sections.survival),
    Section(speed_sections.features),
    Section(speed_sections.training_steps),
    Section(speed_sections.training_from_files, "speed.json"),
    Section(speed_sections.speed),
    Section(speed_sections.pipeline_overhead, "pipeline_overhead.json"),
    Section(speed_sections.growth),
)


class Quoted(NamedTuple):
    """A text that another page holds as it is, but for line breaks.

    Args:
        page: path of the page from the root of the project.
        make: returns the text.
        needs: the file of results that it comes from.
    """

    page: str
    make: Callable[[], str]
    needs: str

    def is_missing(self) -> bool:
        """Return whether the file was measured and the page does not hold the text."""
        if not is_measured(self.needs):
            return False
        text = (ROOT / self.page).read_text(encoding="utf-8")
        return " ".join(self.make().split()) not in " ".join(text.split())


QUOTED = (
    Quoted("README.md", plain_page.means, plain_page.PLAIN),
    Quoted("README.md", final_page.means, final_page.NAME),
    Quoted("docs/limits.md", plain_page.behind, plain_page.PLAIN),
)


def page() -> str:
    """Return the whole page."""
    measured = (own for own in SECTIONS if not own.needs or is_measured(own.needs))
    return "\n".join([introduction(), *(own.text() for own in measured)])


def plots() -> dict[str, str]:
    """Return the plots of the page: names of files beside it, and their content."""
    grown = {
        plain_page.PLOT_FILE: plain_page.PLOT,
        **final_page.PLOTS,
        **{f"growth-{name}.svg": plot for name, plot in PLOTS.items()},
    }
    drawn = {
        name: plot.draw(result(plot.source)) for name, plot in grown.items() if plot.is_measured()
    }
    name = step_time_page.NAME
    return drawn | (step_time_plots.plots(result(name)) if is_measured(name) else {})


def main() -> None:
    """Write the page and its plots, and print what other pages lack."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    output = parser.parse_args().output
    output.write_text(page(), encoding="utf-8")
    for name, plot in plots().items():
        (output.parent / name).write_text(plot, encoding="utf-8")
    for quoted in QUOTED:
        if quoted.is_missing():
            sys.stdout.write(f"{quoted.page} lacks:\n\n{quoted.make()}\n")


if __name__ == "__main__":
    main()
