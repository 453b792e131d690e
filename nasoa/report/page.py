"""The shell of every page, and the tables in it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6577; --line: #d5dae3;
  --paper: #ffffff; --accent: #2459c4; --second: #b4571c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a3adbf;
  --line: #3a4252; --paper: #161a22; --accent: #7da7ff; --second: #f0a46c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
.wide { overflow-x: auto; } .soft { color: var(--soft); }
.charts { display: flex; flex-wrap: wrap; gap: 1.2rem; }
figure { margin: 0; } figcaption { font-size: .9rem; color: var(--soft); }
svg { max-width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } svg .curve { stroke: var(--accent); fill: none;
  stroke-width: 2; } svg .dot { fill: var(--accent); }
svg .limit { stroke: var(--second); stroke-dasharray: 4 3; }
td.cell { text-align: center; padding: .2rem .45rem; border: 1px solid var(--line); }
"""


def document(title: str, body: str) -> str:
    """A whole HTML document; `body` is HTML already, `title` is text."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def html_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of text."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The same in Markdown; what would break a table is escaped."""

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(markdown_text(str(cell)) for cell in cells) + " |"

    return "\n".join([line(header), "|" + " --- |" * len(header), *map(line, rows)])


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is."""
    plain = " ".join(text.split())
    for char in "\\`*_[]|<>":
        plain = plain.replace(char, "\\" + char)
    return plain
