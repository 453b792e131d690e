"""Write docs/search-results.md, what the searches found, and its plots from their evaluations.

python -m benchmarks.search_report [--table benchmarks/results/search.jsonl.gz] [-o docs]
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau, spearmanr

from benchmarks.machine import RESULTS
from benchmarks.run_log import Row
from benchmarks.search_commands import commands
from nasoa.errors import InvalidInput
from nasoa.offline.analysis import Regression, regress, step_time_correlations
from nasoa.offline.block_complexity import block_trend
from nasoa.offline.front import WORST_ERROR, front, objectives, successful
from nasoa.offline.pareto import hypervolume
from nasoa.offline.search import SearchConfig
from nasoa.offline.signal_columns import Column, signal_columns
from nasoa.records import ArchCosts, Evaluation, from_json, to_json
from nasoa.report.search_page import scatter
from nasoa.report.style import STYLE

SHOWN_TIMES = 2  # known blocks slower than this many times the limit would squeeze the plot


def main() -> None:
    """Read the table, write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=RESULTS / "search.jsonl.gz")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    lines = gzip.decompress(arguments.table.read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    searches = {
        row["search"]: from_json(to_json(row["settings"]), SearchConfig)
        for row in rows
        if "settings" in row
    }
    rows = on_an_idle_machine([row for row in rows if "settings" not in row])
    made = commands(searches, rows)
    parts = [HEAD.format(table=f"benchmarks/results/{arguments.table.name}", commands=made)]
    for name, config in searches.items():
        own = [row for row in rows if row["search"] == name]
        level = "block" if config.block else "macro"
        column = signal_columns(config.evaluate.signal)[0]
        plot = f"search-{name}.svg"
        parts += section(name, level, config, own, plot)
        evolved = [evaluation(row) for row in own if row["kind"] == "evolved"]
        slowest = SHOWN_TIMES * (config.max_step_time_ms or float("inf"))
        known = [
            row
            for row in own
            if row["kind"] == "references" and row["accuracy"] and row["step_time_ms"] <= slowest
        ]
        others = [(r["name"], r["step_time_ms"], value(column, r)) for r in known]
        svg = scatter(evolved, others, column)
        (arguments.output / plot).write_text(standalone(svg))
    text = "\n\n".join(parts) + "\n"
    (arguments.output / "search-results.md").write_text(text)
    sys.stdout.write(text)


def on_an_idle_machine(rows: Sequence[Row]) -> list[Row]:
    """Replace the step times of random architectures and known blocks by those remeasured."""
    again = {
        (row["search"], row["encoding"]): row["step_time_ms"]
        for row in rows
        if row["kind"] == "remeasured"
    }
    return [
        {
            **row,
            "first_step_time_ms": row.get("step_time_ms"),
            "step_time_ms": again.get((row["search"], row["encoding"]), row.get("step_time_ms")),
        }
        if row["kind"] in ("random", "references")
        else row
        for row in rows
    ]


HEAD = """# Results of a search

`python -m benchmarks.search_report` writes this page and its plots from
`{table}`, which holds every evaluation of searches that ran on two
CPU cores. These commands produced the table:

{commands}

These are small searches among small networks: the results hold for such networks on a CPU, and need
not hold on a V100. Accuracies are measured on a few classes after a short training, so they are
noisy. The noise is measured below."""


def section(
    name: str, level: str, config: SearchConfig, rows: Sequence[Row], plot: str
) -> list[str]:
    """Describe one search."""
    settings = config.evaluate
    columns = signal_columns(settings.signal)
    names = " | ".join(column.name for column in columns)
    evolved = [evaluation(row) for row in rows if row["kind"] == "evolved"]
    good = successful(evolved)[0]
    slow = sum(e.failure == "too slow" for e in evolved)
    hours = sum(e.elapsed_s for e in evolved) / 3600
    members = front(evolved)
    table = [
        f"| architecture | {names} | step ms | MMAC | Mparam |",
        "| --- | --- | --- | --- |" + " --- |" * len(columns),
    ]
    table += [
        f"| `{e.encoding}` | {' | '.join(c.text(e) for c in columns)} | {e.costs.step_time_ms:.1f} "
        f"| {e.costs.macs / 1e6:.1f} | {e.costs.params / 1e6:.2f} |"
        for e in members
    ]
    fraction = settings.stop_share
    epochs = settings.epochs * fraction
    parts = [
        f"## The {level} search",
        f"The search evaluated {len(evolved)} architectures in "
        f"{max(r.get('generation', 0) for r in rows)} generations of {config.num_children}: "
        f"{len(good)} were trained, {slow} were not because a step takes more than "
        f"{config.max_step_time_ms:g} ms, and {len(evolved) - len(good) - slow} failed. "
        f"Training took {hours:.1f} core-hours. Each architecture was trained on "
        f"{settings.num_classes} classes of the proxy data set at {settings.resolution} px for "
        f"{epochs:g} epochs (early stopping after {fraction:.0%} of {settings.epochs} epochs). "
        f"Step times are for batches of {settings.step_batch_size} images on one thread. "
        "The front:",
        f"![{columns[0].name.capitalize()} against step time]({plot})",
        "\n".join(table),
    ]
    parts += against_random(rows, config)
    parts += references(rows, members, columns[0])
    parts += regression(evolved, level)
    parts += reseeded(rows, columns)
    parts += early_stop(rows, columns)
    parts += remeasured(rows)
    return parts


def against_random(rows: Sequence[Row], config: SearchConfig) -> list[str]:
    """Compare hypervolumes of evolved and random architectures after equally many trainings."""
    trained = [r for r in rows if r["kind"] == "evolved" and r["accuracy"] is not None]
    drawn = [r for r in rows if r["kind"] == "random" and r["accuracy"] is not None]
    if not drawn:
        return []
    count = min(len(drawn), len(trained))
    column = signal_columns(config.evaluate.signal)[0]
    slowest = config.max_step_time_ms or max(r["step_time_ms"] for r in rows)

    def volume(chosen: Sequence[Row]) -> float:
        points = np.array([objectives(evaluation(row)) for row in chosen])
        return hypervolume(points, (slowest, WORST_ERROR)) / float(slowest * WORST_ERROR)

    return [
        "### Against random sampling",
        "The normalised hypervolume is the fraction of the rectangle between 0 and "
        f"{slowest:g} ms and between {column.name} 0 and 1 that the front dominates.",
        "\n".join(
            [
                f"| architectures | trainings | normalised hypervolume | best {column.name} |",
                "| --- | --- | --- | --- |",
                *(
                    f"| {name} | {len(chosen)} | {volume(chosen):.4f} "
                    f"| {max(value(column, row) for row in chosen):.3f} |"
                    for name, chosen in (
                        ("evolved, the first", trained[:count]),
                        ("evolved, all", trained),
                        ("random", drawn),
                    )
                ),
            ]
        ),
    ]


def references(rows: Sequence[Row], members: Sequence[Evaluation], column: Column) -> list[str]:
    """Compare known blocks with the front (the red dots of Figure 10)."""
    known = [row for row in rows if row["kind"] == "references"]
    if not known:
        return []
    lines = [
        f"| block | architecture | step ms | {column.name} "
        f"| best {column.name} on the front at this speed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in known:
        faster = [
            column.value(e) or 0.0 for e in members if e.costs.step_time_ms <= row["step_time_ms"]
        ]
        reached = column.text(evaluation(row))
        lines.append(
            f"| {row['name']} | `{row['encoding']}` | {row['step_time_ms']:.1f} "
            f"| {reached or row['failure']} | {max(faster, default=0.0):.3f} |"
        )
    note = (
        f"The last column is the best {column.name} among architectures of the front that are at "
        "least as fast. The plot shows the known blocks as diamonds, without those that take more "
        f"than {SHOWN_TIMES} times the limit."
    )
    return ["### Against known blocks", "\n".join(lines), note]


def regression(evolved: Sequence[Evaluation], level: str) -> list[str]:
    """Fit Table 11 to this search."""
    found: Regression = regress(evolved, level)
    lines = [
        "| term | coefficient | standard error | p | paper |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {t.name} | {t.coefficient:+.3f} | {t.standard_error:.3f} | {t.p_value:.3f} "
        f"| {t.paper:+.3f} |"
        for t in found.terms
    ]
    sure = [t for t in found.terms if t.is_significant]
    same = [t.name for t in sure if t.has_paper_sign]
    other = [t.name for t in sure if not t.has_paper_sign]
    correlations = step_time_correlations(evolved)
    told = ", ".join(f"{name} {value:.2f}" for name, value in correlations.items())
    left = found.left_out
    return [
        "### What makes a network efficient (Table 11)",
        f"The table shows a linear regression of the efficiency score on the encoding, with n = "
        f"{found.n} and R² = {found.r_squared:.2f} (the paper: {found.paper_r_squared:.2f}).",
        "\n".join(lines),
        "Of the terms with p < 0.05, these have the same sign as in the paper: "
        f"{', '.join(same) or 'none'}. These have the opposite sign: {', '.join(other) or 'none'}."
        + (f" These are omitted because they depend on others: {', '.join(left)}." if left else ""),
        f"Correlation coefficients with the step time: {told}.",
        *(trend(evolved) if level == "block" else []),
    ]


def trend(evolved: Sequence[Evaluation]) -> list[str]:
    """Test whether small models of the front have simple blocks (7.4.1)."""
    try:
        found = block_trend(evolved)
    except InvalidInput:
        return []
    finding = "confirmed" if found.is_confirmed else "not confirmed"
    return [
        "Small models have simple blocks and large ones complex blocks, as in the paper: "
        f"{finding} on the front of {found.n}. Spearman's rank correlation of step time with the "
        f"number of operators and skips is {found.spearman:+.2f} (p {found.p_value:.3f}); the "
        f"smaller half has {found.small:.1f} on average, the larger {found.large:.1f}.",
    ]


def reseeded(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Check whether other seeds rank the same architectures alike."""
    again = [row for row in rows if row["kind"] == "reseeded" and row["accuracy"] is not None]
    if not again:
        return []
    column = columns[0]
    searched_rows = [r for r in rows if r["kind"] == "evolved" and r["accuracy"] is not None]
    first = {r["encoding"]: value(column, r) for r in searched_rows}
    lines = ["| architecture | search | other seeds |", "| --- | --- | --- |"]
    means, searched, spreads = [], [], []
    for encoding, group in groupby(
        sorted(again, key=lambda r: r["encoding"]), lambda r: r["encoding"]
    ):
        values = [value(column, row) for row in group]
        means.append(float(np.mean(values)))
        searched.append(first[encoding])
        spreads.append(float(np.std([first[encoding], *values], ddof=1)))
        told = ", ".join(f"{one:.3f}" for one in values)
        lines.append(f"| `{encoding}` | {first[encoding]:.3f} | {told} |")
    rho = spearmanr(searched, means).statistic
    tau = kendalltau(searched, means).statistic
    return [
        "### Does the ranking hold with other seeds?",
        "\n".join(lines),
        f"Spearman's rank correlation between the {column.name} in the search and its mean with "
        f"other seeds is {rho:.2f} (Kendall's tau: {tau:.2f}). The standard deviation of the "
        f"{column.name} between seeds is {np.mean(spreads):.3f}. On average, that in the search "
        f"differs by {np.mean(np.array(searched) - np.array(means)):+.3f} from the mean of the "
        "other seeds. A positive difference is selection bias: the front favours lucky trainings.",
    ]


def early_stop(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Check whether the short training ranks like the full one (7.3.1)."""
    full = [row for row in rows if row["kind"] == "full" and row["accuracy"] is not None]
    if not full:
        return []
    stopped = {r["encoding"]: r for r in rows if r["kind"] == "evolved"}
    correlations = {}
    for column in columns:
        short = [value(column, stopped[row["encoding"]]) for row in full]
        correlations[column.name] = spearmanr(short, [value(column, row) for row in full]).statistic
    told = ", ".join(f"{rho:.2f} by {name}" for name, rho in correlations.items())
    return [
        "### Early stop against full training",
        f"{len(full)} architectures from the whole range of the search were trained for all "
        "epochs. Spearman's rank correlation between training with and without early stopping is "
        f"{told} (the paper, by accuracy on 103 architectures: 0.966).",
    ]


def remeasured(rows: Sequence[Row]) -> list[str]:
    """Report remeasured step times as ratios to the first ones."""
    again = {row["encoding"]: row["step_time_ms"] for row in rows if row["kind"] == "remeasured"}
    if not again:
        return []
    told = []
    for kind in ("evolved", "random"):
        ratios = [
            again[row["encoding"]] / row.get("first_step_time_ms", row["step_time_ms"])
            for row in rows
            if row["kind"] == kind and row["encoding"] in again
        ]
        low, middle, high = np.quantile(ratios, (0.1, 0.5, 0.9))
        told.append(f"| {kind} | {len(ratios)} | {low:.2f} | {middle:.2f} | {high:.2f} |")
    return [
        "### Remeasured step times",
        "The machine was busy during the search, and busier while the random architectures and "
        "known blocks were trained. Step times were measured again on an idle machine. The ratio "
        "of the second to the first measurement:",
        "\n".join(
            [
                "| architectures | number | 10th percentile | median | 90th percentile |",
                "| --- | --- | --- | --- | --- |",
                *told,
            ]
        ),
        "For random architectures and known blocks, the results above use the second measurement. "
        "However, the first one decided which random architectures were trained, so some that are "
        "fast enough on an idle machine are missing.",
    ]


def value(column: Column, row: Row) -> float:
    """Return a value of a line of the table whose architecture was trained."""
    found = column.value(evaluation(row))
    assert found is not None
    return found


def evaluation(row: Row) -> Evaluation:
    """Return a line of the table as the search's own record."""
    return Evaluation(
        encoding=row["encoding"],
        costs=ArchCosts(
            encoding=row["encoding"],
            resolution=64,
            batch_size=64,
            step_time_ms=row.get("step_time_ms", 0.0),
            inference_ms=row.get("inference_ms", 0.0),
            train_memory_bytes=row.get("train_memory_bytes", 0),
            macs=row.get("macs", 0),
            params=row.get("params", 0),
            activations=row.get("activations", 0),
            hardware="",
        ),
        accuracy=row["accuracy"],
        score=row.get("score"),
        failure=row["failure"],
        detail="",
        seed=row["seed"],
        curve=(),
        elapsed_s=row.get("elapsed_s", 0.0),
        hardware="",
        config_hash="",
        code_version="",
        created_at="",
    )


def standalone(svg: str) -> str:
    """Return a plot with its style inside, as a separate file."""
    light = STYLE.split("@media")[0] + "svg " + STYLE.split("\nsvg ", 1)[1].split(".confusion")[0]
    begin = svg.index(">") + 1
    head = svg[:begin].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{head}<style>{light}</style>{svg[begin:]}\n"


if __name__ == "__main__":
    main()
