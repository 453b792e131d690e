"""The sections of a page about searches, from their figures (`benchmarks.search_figures`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.results_files import table
from benchmarks.run_log import Row
from nasoa.offline.search import SearchConfig
from nasoa.offline.signal_columns import signal_columns

PAGE = "search-results"  # the page of the first table
SHOWN_TIMES = 2  # known blocks slower than this many times the limit would squeeze the plot


def results_file(page_name: str) -> str:
    """Return the name of the file with a page's figures."""
    return f"{page_name.replace('-', '_')}.json"


def plot_file(page_name: str, search: str) -> str:
    """Return the name of a search's plot; a page of another name has plots of its own."""
    return f"search-{search}.svg" if page_name == PAGE else f"{page_name}-{search}.svg"


HEAD = """# {title}

`{command}` writes this page and its plots from
`benchmarks/results/{table}`, which holds every evaluation of searches that ran on {hardware}, and
its figures to [{results}](../benchmarks/results/{results}). These commands produced the table:

{commands}

These are small searches among small networks: the results hold for such networks on this hardware,
and need not hold on a V100. Accuracies are measured on a few classes after a short training, so
they are noisy. The noise is measured below."""


def page(document: Row, searches: Mapping[str, SearchConfig], made_by: str, page_name: str) -> str:
    """Return the page in Markdown.

    Args:
        document: its figures.
        searches: configurations by name.
        made_by: the commands that made the table.
        page_name: name of the page.
    """
    results = results_file(page_name)
    title = "Results of a search"
    if page_name != PAGE:
        title += f": {page_name.removeprefix('search-')}"
    parts = [HEAD.format(**document, title=title, results=results, commands=made_by)]
    for name, config in searches.items():
        parts += section(config, document["searches"][name], plot_file(page_name, name))
    return "\n\n".join(parts) + "\n"


def section(config: SearchConfig, found: Row, plot_name: str) -> list[str]:
    """Describe one search.

    Args:
        config: its configuration.
        found: its `figures`.
        plot_name: file of its plot.
    """
    settings = config.evaluate
    names = [column.name for column in signal_columns(settings.signal)]
    members = [
        (
            f"`{one['encoding']}`",
            *(f"{one[name]:.3f}" for name in names),
            f"{one['step_time_ms']:.1f}",
            f"{one['macs'] / 1e6:.1f}",
            f"{one['params'] / 1e6:.2f}",
        )
        for one in found["front"]
    ]
    fraction = settings.stop_share
    parts = [
        f"## The {found['level']} search",
        f"The search evaluated {found['evaluated']} architectures in {found['generations']} "
        f"generations of {config.num_children}: {found['trained']} were trained, "
        f"{found['too_slow']} were not because a step takes more than "
        f"{config.max_step_time_ms:g} ms, and {found['failed']} failed. "
        f"The trainings took {found['hours']:.1f} hours one after another. Each architecture was "
        f"trained on {settings.num_classes} classes of the proxy data set at "
        f"{settings.resolution} px for {settings.epochs * fraction:g} epochs (early stopping after "
        f"{fraction:.0%} of {settings.epochs} epochs). Step times are for batches of "
        f"{settings.step_batch_size} images on {found['hardware']}. The front:",
        f"![{names[0].capitalize()} against step time]({plot_name})",
        _table(("architecture", *names, "step ms", "MMAC", "Mparam"), members),
    ]
    studies: dict[str, Callable[[Any], list[str]]] = {
        "hypervolumes": lambda own: against_random(own, names[0]),
        "references": lambda own: references(own, names[0]),
        "regression": regression,
        "reseeded": lambda own: reseeded(own, names[0]),
        "early_stop": early_stop,
        "remeasured": remeasured,
    }
    for study, told in studies.items():
        parts += told(found[study]) if study in found else []
    return parts


def against_random(found: Row, name: str) -> list[str]:
    """Compare evolved and random architectures."""
    rows = [
        (row["name"], row["trainings"], f"{row['hypervolume']:.4f}", f"{row['best']:.3f}")
        for row in found["architectures"]
    ]
    return [
        "### Against random sampling",
        "The normalised hypervolume is the fraction of the rectangle between 0 and "
        f"{found['slowest_ms']:g} ms and between {name} 0 and 1 that the front dominates.",
        _table(("architectures", "trainings", "normalised hypervolume", f"best {name}"), rows),
    ]


def references(found: Sequence[Row], name: str) -> list[str]:
    """Compare known blocks with the front (the red dots of Figure 10)."""
    rows = [
        (
            row["name"],
            f"`{row['encoding']}`",
            f"{row['step_time_ms']:.1f}",
            row["failure"] if row["value"] is None else f"{row['value']:.3f}",
            f"{row['best_as_fast']:.3f}",
        )
        for row in found
    ]
    best = f"best {name} on the front at this speed"
    return [
        "### Against known blocks",
        _table(("block", "architecture", "step ms", name, best), rows),
        f"The last column is the best {name} among architectures of the front that are at "
        "least as fast. The plot shows the known blocks as diamonds, without those that take more "
        f"than {SHOWN_TIMES} times the limit.",
    ]


def regression(found: Row) -> list[str]:
    """Tell what makes a network efficient, beside the paper."""
    rows = [
        (
            term["name"],
            f"{term['coefficient']:+.3f}",
            f"{term['standard_error']:.3f}",
            f"{term['p_value']:.3f}",
            f"{term['paper']:+.3f}",
        )
        for term in found["terms"]
    ]
    sure = [term for term in found["terms"] if term["is_significant"]]
    same = [term["name"] for term in sure if term["has_paper_sign"]]
    other = [term["name"] for term in sure if not term["has_paper_sign"]]
    told = ", ".join(f"{name} {rho:.2f}" for name, rho in found["step_time_correlations"].items())
    left = found["left_out"]
    drawn = f", {found['num_random']} of them sampled at random" if found["num_random"] else ""
    return [
        "### What makes a network efficient (Table 11)",
        f"The table shows a linear regression of the efficiency score on the encoding, with n = "
        f"{found['n']}{drawn} and R² = {found['r_squared']:.2f} (the paper: "
        f"{found['paper_r_squared']:.2f}).",
        _table(("term", "coefficient", "standard error", "p", "paper"), rows),
        "Of the terms with p < 0.05, these have the same sign as in the paper: "
        f"{', '.join(same) or 'none'}. These have the opposite sign: {', '.join(other) or 'none'}."
        + (f" These are omitted because they depend on others: {', '.join(left)}." if left else ""),
        f"Correlation coefficients with the step time: {told}.",
        *(_trend(found["block_trend"]) if "block_trend" in found else []),
    ]


def _trend(found: Row) -> list[str]:
    """Tell whether small models of the front have simple blocks (7.4.1)."""
    return [
        "Small models have simple blocks and large ones complex blocks, as in the paper: "
        f"{'confirmed' if found['is_confirmed'] else 'not confirmed'} on the front of "
        f"{found['n']}. Spearman's rank correlation of step time with the number of operators and "
        f"skips is {found['spearman']:+.2f} (p {found['p_value']:.3f}); the smaller half has "
        f"{found['small']:.1f} on average, the larger {found['large']:.1f}.",
    ]


def reseeded(found: Row, name: str) -> list[str]:
    """Tell whether other seeds rank the same architectures alike."""
    rows = [
        (
            f"`{one['encoding']}`",
            f"{one['search']:.3f}",
            ", ".join(f"{other:.3f}" for other in one["others"]),
        )
        for one in found["architectures"]
    ]
    return [
        "### Does the ranking hold with other seeds?",
        _table(("architecture", "search", "other seeds"), rows),
        f"Spearman's rank correlation between the {name} in the search and its mean with "
        f"other seeds is {found['spearman']:.2f} (Kendall's tau: {found['kendall']:.2f}). The "
        f"standard deviation of the {name} between seeds is {found['standard_deviation']:.3f}. On "
        f"average, that in the search differs by {found['bias']:+.3f} from the mean of the other "
        "seeds. A positive difference is selection bias: the front favours lucky trainings.",
    ]


def early_stop(found: Row) -> list[str]:
    """Tell whether the short training ranks like the full one (7.3.1)."""
    told = ", ".join(f"{rho:.2f} by {name}" for name, rho in found["spearman"].items())
    return [
        "### Early stop against full training",
        f"{found['architectures']} architectures from the whole range of the search were trained "
        "for all epochs. Spearman's rank correlation between training with and without early "
        f"stopping is {told} (the paper, by accuracy on 103 architectures: 0.966).",
    ]


def remeasured(found: Sequence[Row]) -> list[str]:
    """Report remeasured step times as ratios to the first ones."""
    rows = [
        (row["kind"], row["number"], *(f"{quantile:.2f}" for quantile in row["quantiles"]))
        for row in found
    ]
    header = ("architectures", "number", "10th percentile", "median", "90th percentile")
    return [
        "### Remeasured step times",
        "Step times were measured again later, alone on the machine, because other work can slow "
        "the first measurement down. The ratio of the second to the first measurement:",
        _table(header, rows),
        "For random architectures and known blocks, the results above use the second measurement. "
        "However, the first one decided which random architectures were trained, so some that are "
        "fast enough may be missing.",
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    return table(header, rows).rstrip()
