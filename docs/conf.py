"""Settings of the documentation site, which `make docs` builds with Sphinx.

Guides are read in a checkout too, so their links lead to files outside `docs/`, which the site does
not have; and docstrings are in Markdown, which Sphinx does not read. Both are adapted here.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nasoa

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))  # for command_line.py

project = "nasoa"
release = version = nasoa.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_argparse_cli",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["**/.*"]
highlight_language = "none"  # indented blocks are mostly shell commands
smartquotes_action = "D"  # dashes between words; options are code
myst_heading_anchors = 4

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"  # system fonts only, so a page requests nothing from the network
html_title = f"nasoa {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False

# Files outside docs/ that are pages of the site: a file in docs/project/ reserves the place.
PAGES = {
    "project/changelog": "CHANGELOG.md",
    "project/collected-runs": "nasoa/online/collecting/experience/CARD.md",
    "project/contributing": "CONTRIBUTING.md",
    "project/images": "images/README.md",
    "project/manifests": "manifests/README.md",
}
# Pages that long benchmarks write: until one is there, links to it are words, and the navigation
# leaves it out. The navigation finds further pages of searches by their name.
AWAITED = ("search-comparison", "search-signals", "transfer")
COLON = "\ue000"  # stands for a colon while napoleon reads
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)(?=(\w?))")
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")


def adapted(text: str, origin: Path, page: Path) -> str:
    """Return a page's Markdown with its links as the site needs them.

    Links lead to a page of the site if the target is one, and otherwise to a copy of the file. A
    folder cannot be copied, so it is only named. So is a page of `AWAITED` that is not there, and
    lines of the navigation that name it are left out.

    Args:
        text: Markdown of a page.
        origin: file that the text was written in; its links are relative to it.
        page: file in `docs/` that stands for the page.
    """
    pages = {(ROOT / path).resolve(): DOCS / f"{name}.md" for name, path in PAGES.items()}
    absent = [file for name in AWAITED if not (file := DOCS / f"{name}.md").exists()]

    def link(match: re.Match[str]) -> str:
        words, target = match[1], match[2]
        path, mark, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        file = (origin.parent / path).resolve()
        if file in absent:
            return words
        if file.is_dir():
            return f"{words} (`{file.relative_to(ROOT)}/`)"
        leads_to = os.path.relpath(pages.get(file, file), page.parent)
        return f"[{words}]({leads_to}{mark}{anchor})"

    for file in absent:
        text = text.replace(f"\n{file.stem}\n", "\n")
    return LINK.sub(link, text)


def read_page(app: Sphinx, name: str, content: list[str]) -> None:
    """Adapt a page before it is parsed; a page of the project is read from its own file."""
    page = DOCS / f"{name}.md"
    origin = page
    if name in PAGES:
        origin = ROOT / PAGES[name]
        content[0] = origin.read_text(encoding="utf-8")
        app.env.note_dependency(str(origin))
    content[0] = adapted(content[0], origin, page)


def read_docstring(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Turn a docstring's Markdown into reStructuredText: code spans, and indented code blocks."""
    found: list[str] = []
    above = ""  # the last line that is not empty
    for line in lines:
        is_code = line.startswith("    ") and found and not found[-1] and above[:1] not in ("", " ")
        if is_code:
            found += ["::", ""]
        if line.strip():
            above = line
        found.append(CODE.sub(lambda code: f"``{code[1]}``" + ("\\ " if code[2] else ""), line))
    # In a property's first line, napoleon takes what stands before a colon for its type.
    lines[:] = [line.replace(":", COLON) for line in found] if what == "property" else found


def put_colons_back(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Undo what `read_docstring` did to colons."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def setup(app: Sphinx) -> None:
    """Register what is done before a page or a docstring is parsed."""
    app.connect("source-read", read_page)
    # Before and after napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", read_docstring, priority=400)
    app.connect("autodoc-process-docstring", put_colons_back, priority=600)
