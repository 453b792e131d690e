"""The shell of every page, and the tables in it.

A page is self-contained: its style is inline, and it has no script and loads nothing from outside,
so it looks the same in a sandboxed frame, in an email and from disk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #566072; --line: #d5dae3;
  --paper: #ffffff; --accent: #2459c4; --second: #a84b12; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf1; --soft: #a9b3c4;
  --line: #3a4252; --paper: #161a22; --accent: #7da7ff; --second: #f0a46c; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 66rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
p { max-width: 46rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem;
  overflow-wrap: normal; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td { min-width: 6.5rem; max-width: 13rem; overflow-wrap: break-word; }
.facts td { max-width: 36rem; } .facts th { min-width: 8rem; }
th { color: var(--soft); font-weight: 600; }
thead th { vertical-align: bottom; }
.number { text-align: right; min-width: 0; } td.number { white-space: nowrap; }
.wide { overflow-x: auto; } .soft { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr));
  gap: 1.4rem; }
figure { margin: 0; } figcaption { font-size: .9rem; color: var(--soft); }
svg { display: block; width: 100%; max-width: 28rem; height: auto; }
svg.large { max-width: 46rem; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .grid { stroke: var(--line); } svg .diagonal { stroke: var(--soft); stroke-dasharray: 2 4; }
svg .curve { stroke: var(--accent); fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .dot { fill: var(--accent); fill-opacity: .75; } svg .best { fill: var(--accent);
  stroke: var(--paper); stroke-width: 1.5; }
svg .pale { fill: var(--soft); fill-opacity: .45; } svg .other { fill: var(--second); }
svg .limit { stroke: var(--second); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg text.mark { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg text.limit-mark { fill: var(--second); paint-order: stroke; stroke: var(--paper);
  stroke-width: 4px; stroke-dasharray: none; }
.confusion { font-size: .8rem; }
.confusion caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
.confusion th { font-weight: 500; padding: .2rem .5rem .2rem 0; border: 0; color: var(--ink); }
.confusion tbody th { max-width: 12rem; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; vertical-align: middle; }
.confusion thead th span { writing-mode: vertical-rl; transform: rotate(180deg);
  max-height: 9rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  line-height: 1.3; }
.confusion thead th { text-align: center; padding: .3rem 0; }
.confusion td { text-align: center; padding: .2rem .3rem; min-width: 2.1rem; height: 1.9rem;
  vertical-align: middle; border: 1px solid var(--line); overflow-wrap: normal; }
.confusion td.sum { border: 0; padding-left: .7rem; color: var(--soft); white-space: nowrap; }
"""

# A wide table scrolls on its own, also with the keyboard.
SCROLLED = '<div class="wide" role="region" aria-label="table" tabindex="0">'


def document(title: str, body: str) -> str:
    """Return a whole HTML document; `body` is HTML, `title` is text."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def html_table(
    header: Sequence[str], rows: Sequence[Sequence[object]], numbers: Collection[str] = ()
) -> str:
    """Return a table of text; the columns whose header is in `numbers` are aligned to the right."""

    def kind(column: int) -> str:
        return ' class="number"' if header[column] in numbers else ""

    head = "".join(f'<th scope="col"{kind(i)}>{escape(cell)}</th>' for i, cell in enumerate(header))
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{kind(i)}>{escape(str(cell))}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"{SCROLLED}<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"


def facts_table(facts: Sequence[tuple[str, object]]) -> str:
    """Return a table of names and values, one fact per row."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in facts
    )
    return f'{SCROLLED}<table class="facts"><tbody>{rows}</tbody></table></div>'


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown; characters that would break it are escaped."""

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(markdown_text(str(cell)) for cell in cells) + " |"

    return "\n".join([line(header), "|" + " --- |" * len(header), *map(line, rows)])


def markdown_text(text: str) -> str:
    """Return text on one line that Markdown shows unchanged; HTML in it stays text."""
    plain = " ".join(text.split())
    for char in "\\`*_[]|~#":
        plain = plain.replace(char, "\\" + char)
    # Entities, because Markdown may contain HTML and not every parser accepts "\\<".
    return escape(plain, quote=False)
