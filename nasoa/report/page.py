"""The shell of every page, and the tables in it.

A page is self-contained: its style is inline, and it has no script and loads nothing from outside,
so it looks the same in a sandboxed frame, in an email and from disk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

from nasoa.report.style import STYLE

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
    """Return a table of text; the columns whose header is in `numbers` are aligned to the right.

    Each cell repeats its header, which narrow screens show beside it.
    """
    names = [escape(name) for name in header]
    kinds = [' class="number"' if name in numbers else "" for name in header]
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>' for name, kind in zip(names, kinds, strict=True)
    )
    openings = [f'<td{kind} data-label="{name}">' for name, kind in zip(names, kinds, strict=True)]
    body = "\n".join(
        "<tr>"
        + "".join(
            f"{opening}{escape(str(cell))}</td>"
            for opening, cell in zip(openings, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'{SCROLLED}<table class="rows"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def facts_table(facts: Sequence[tuple[str, object]]) -> str:
    """Return a table of names and values, one fact per row."""
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>'
        for name, value in facts
    )
    return f'{SCROLLED}<table class="facts"><tbody>{rows}</tbody></table></div>'


def figures(values: Sequence[tuple[str, str]]) -> str:
    """Return panels, each with a short value above its name; `values` are (name, value)."""
    panels = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values
    )
    return f'<dl class="figures">{panels}</dl>'


def chart(drawing: str, caption: str) -> str:
    """Return a figure: a chart (SVG) with its caption, which is text."""
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def charts(drawings: Sequence[str]) -> str:
    """Return figures side by side, as many in a row as there is room for."""
    return f'<div class="charts">{"".join(drawings)}</div>'


def paragraph(text: str, *, soft: bool = False) -> str:
    """Return a paragraph of text, in a weaker colour if `soft`."""
    kind = ' class="soft"' if soft else ""
    return f"<p{kind}>{escape(text)}</p>"


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
