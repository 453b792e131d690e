"""Write a page about what searches found, its plots and its figures, from their evaluations.

    python -m benchmarks.search_report [--table benchmarks/results/search.jsonl.gz]
    python -m benchmarks.search_report --table benchmarks/results/search_2.jsonl.gz \
        --page search-results-2 --pool-random

The page is docs/PAGE.md, its figures are benchmarks/results/PAGE.json with underscores, and the
plots stand beside the page. The site shows every page whose name begins with `search-`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import RESULTS, code_version
from benchmarks.run_log import Row
from benchmarks.search_commands import commands
from benchmarks.search_figures import figures
from benchmarks.search_rows import evaluation, hardware_in_words, on_an_idle_machine, value
from benchmarks.search_sections import PAGE, SHOWN_TIMES, page, plot_file, results_file
from nasoa.offline.search import SearchConfig
from nasoa.offline.signal_columns import signal_columns
from nasoa.records import from_json, to_json
from nasoa.report.search_page import scatter
from nasoa.report.style import STYLE

TABLE = RESULTS / "search.jsonl.gz"
OTHER_PAGES = ("search-signals", "search-comparison")  # of other benchmarks
COMMAND = "python -m benchmarks.search_report"


def main() -> None:
    """Read the table, write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--page", type=_page_name, default=PAGE, help="its name without .md")
    parser.add_argument(
        "--pool-random",
        action="store_true",
        help="fit Table 11 to the random architectures of a study, too",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    if arguments.page == PAGE and arguments.table != TABLE:
        parser.error(f"expected --page with another table, as docs/{PAGE}.md is about {TABLE.name}")
    command = COMMAND
    if arguments.table != TABLE:
        command += f" --table benchmarks/results/{arguments.table.name}"
    if arguments.page != PAGE:
        command += f" --page {arguments.page}"
    if arguments.pool_random:
        command += " --pool-random"
    searches, rows = read_table(arguments.table)
    found = {
        name: figures(own_rows(rows, name), config, pools_random=arguments.pool_random)
        for name, config in searches.items()
    }
    document = {
        "command": command,
        "code_version": code_version(),
        "table": arguments.table.name,
        "hardware": hardware_in_words(rows),
        "searches": found,
    }
    results = RESULTS / results_file(arguments.page)
    results.write_text(json.dumps(document, indent=1) + "\n")
    for name, config in searches.items():
        drawn = plot(config, own_rows(rows, name))
        (arguments.output / plot_file(arguments.page, name)).write_text(drawn)
    text = page(document, searches, commands(searches, rows), arguments.page)
    (arguments.output / f"{arguments.page}.md").write_text(text)
    sys.stdout.write(text)


def _page_name(text: str) -> str:
    """Return the name of a page.

    Raises:
        ArgumentTypeError: the site would not show a page of this name, or it has another one.
    """
    if not re.fullmatch(r"search-[a-z0-9-]+", text) or text in OTHER_PAGES:
        raise argparse.ArgumentTypeError(
            f"expected a name like search-results-2, of small letters, digits and -, not "
            f"{' nor '.join(OTHER_PAGES)}, got {text!r}"
        )
    return text


def read_table(path: Path) -> tuple[dict[str, SearchConfig], list[Row]]:
    """Return the configurations of the searches of a table by name, and its other lines."""
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    searches = {
        row["search"]: from_json(to_json(row["settings"]), SearchConfig)
        for row in rows
        if "settings" in row
    }
    return searches, on_an_idle_machine([row for row in rows if "settings" not in row])


def own_rows(rows: Sequence[Row], search: str) -> list[Row]:
    """Return the lines of one search."""
    return [row for row in rows if row["search"] == search]


def plot(config: SearchConfig, rows: Sequence[Row]) -> str:
    """Draw the evaluations of a search beside known blocks (Figure 10)."""
    column = signal_columns(config.evaluate.signal)[0]
    slowest = SHOWN_TIMES * (config.max_step_time_ms or float("inf"))
    known = [
        (row["name"], row["step_time_ms"], value(column, row))
        for row in rows
        if row["kind"] == "references" and row["accuracy"] and row["step_time_ms"] <= slowest
    ]
    evolved = [evaluation(row) for row in rows if row["kind"] == "evolved"]
    return standalone(scatter(evolved, known, column))


def standalone(svg: str) -> str:
    """Return a plot with its style inside, as a separate file."""
    light = STYLE.split("@media")[0] + "svg " + STYLE.split("\nsvg ", 1)[1].split(".confusion")[0]
    begin = svg.index(">") + 1
    head = svg[:begin].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f"{head}<style>{light}</style>{svg[begin:]}\n"


if __name__ == "__main__":
    main()
