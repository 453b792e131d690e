"""Check that a built documentation site needs nothing outside its folder.

    python -m scripts.check_site build/docs

Scripts, styles, fonts and images must come from the site itself, so that it can be read from a disk
and requests nothing from others; and every link within the site must lead somewhere. Links that a
reader follows to other sites are allowed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes whose address a browser loads by itself.
LOADED = {
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("video", "poster"),
    ("video", "src"),
}
NOT_LOADED = {"author", "canonical", "help", "index", "license", "next", "prev", "search", "up"}
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")
# An address in a script, of something that it could load.
IN_SCRIPTS = re.compile(r"""["'`]((?:https?:)?//[^"'`\s]+\.(?:m?js|css|woff2?|ttf|json))["'`]""")


@dataclass
class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    in_style: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and the id of an element."""
        values = {name: value or "" for name, value in attrs}
        kinds = set(values.get("rel", "").split())
        for name, value in values.items():
            if (tag, name) in LOADED and not (tag == "link" and kinds & NOT_LOADED):
                parts = value.split(",") if name == "srcset" else [value]
                self.loads += [part.split()[0] for part in parts if part.split()]
        self.loads += IN_STYLES.findall(values.get("style", ""))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}
        self.in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        self.in_style = False

    def handle_data(self, data: str) -> None:
        """Note the addresses in a style sheet."""
        if self.in_style:
            self.loads += IN_STYLES.findall(data)


def findings(site: Path) -> Iterator[str]:
    """Yield one line for each thing that is outside the site, or not there.

    Args:
        site: folder of the built site.
    """
    pages = {path.resolve(): _page(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no pages"
    for path, page in pages.items():
        for address in page.loads:
            yield from _missing(site, path, address, f"loads {address}")
        for address in page.links:
            if not _is_elsewhere(address):
                yield from _missing(site, path, address, f"links to {address}", pages)
    for path in sorted(site.rglob("*.css")):
        for address in IN_STYLES.findall(path.read_text(encoding="utf-8")):
            yield from _missing(site, path, address, f"loads {address}")
    for path in sorted(site.rglob("*.js")):
        for address in IN_SCRIPTS.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: loads {address}, which is not of this site"


def _page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).scheme) or address.startswith("//")


def _missing(
    site: Path, path: Path, address: str, told: str, pages: dict[Path, Page] | None = None
) -> Iterator[str]:
    """Yield a line if an address, relative to a file, is not in the site."""
    where = path.resolve().relative_to(site.resolve())
    if address.startswith(("data:", "blob:")) or (address.startswith("#") and pages is None):
        return
    if _is_elsewhere(address):
        yield f"{where}: {told}, which is not of this site"
        return
    parts = urlsplit(address)
    place = unquote(parts.fragment)
    file = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    file = file / "index.html" if file.is_dir() else file
    if not file.is_file() or site.resolve() not in file.parents:
        yield f"{where}: {told}, which is not there"
    elif pages and place and place not in pages[file].places:
        yield f"{where}: {told}, but that page has no such place"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the findings; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    site = parser.parse_args(argv).site
    found = list(findings(site))
    for line in found:
        sys.stderr.write(line + "\n")
    if not found:
        sys.stdout.write(f"ok: {len(list(site.rglob('*.html')))} pages in {site}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
