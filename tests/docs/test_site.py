"""How pages and docstrings are adapted for the documentation site."""

from __future__ import annotations

import fnmatch
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture
def conf(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The site's settings as a module."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("docs_conf", DOCS / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("written_in", "page", "link", "adapted"),
    [
        ("docs/cluster.md", "cluster", "[a](data.md#images)", "[a](data.md#images)"),
        ("docs/cluster.md", "cluster", "[a](#sizes)", "[a](#sizes)"),
        ("docs/cluster.md", "cluster", "[a](https://b.example)", "[a](https://b.example)"),
        ("docs/cluster.md", "cluster", "[a](../NOTICE)", "[a](../NOTICE)"),
        (
            "docs/cluster.md",
            "cluster",
            "[a](../manifests/README.md#what-to-set)",
            "[a](project/manifests.md#what-to-set)",
        ),
        ("docs/cluster.md", "cluster", "[a](../examples/parameters)", "a (`examples/parameters/`)"),
        (
            "manifests/README.md",
            "project/manifests",
            "[a](../docs/cluster.md)",
            "[a](../cluster.md)",
        ),
        ("CONTRIBUTING.md", "project/contributing", "[a](docs/paper.md)", "[a](../paper.md)"),
        ("CONTRIBUTING.md", "project/contributing", "[a](LICENSE)", "[a](../../LICENSE)"),
    ],
)
def test_links_lead_to_pages_of_the_site(
    conf: Any, written_in: str, page: str, link: str, adapted: str
) -> None:
    assert conf.adapted(link, ROOT / written_in, DOCS / f"{page}.md") == adapted


def test_pages_from_elsewhere_have_a_place_and_are_there(conf: Any) -> None:
    for page, path in conf.PAGES.items():
        assert (ROOT / path).is_file()
        assert path in (DOCS / f"{page}.md").read_text(encoding="utf-8")


def test_docstrings_become_what_sphinx_reads(conf: Any) -> None:
    lines = [
        "Return `(n,)` ranks of `point`s.",
        "",
        "    a = b",
        "",
        "    c = d",
        "",
        "Args:",
        "    a: text that",
        "        goes on.",
        "",
        "    >>> no_code",
    ]
    conf.read_docstring(None, "function", "f", None, None, lines)
    of_property = ["The regime: model and rate."]
    conf.read_docstring(None, "property", "p", None, None, of_property)
    assert ":" not in of_property[0]
    conf.put_colons_back(None, "property", "p", None, None, of_property)
    assert of_property == ["The regime: model and rate."]
    assert lines[:6] == ["Return ``(n,)`` ranks of ``point``\\ s.", "", "::", "", "    a = b", ""]
    assert lines.count("::") == 1


def test_each_page_is_in_the_navigation_once(conf: Any) -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = re.findall(
        r"```\{toctree\}\n(.*?)```",
        conf.adapted(text, DOCS / "index.md", DOCS / "index.md"),
        flags=re.DOTALL,
    )
    named = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    pages = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in DOCS.rglob("*.md")
        if path.parent.name != "decisions"
    }
    found = [page for pattern in named for page in fnmatch.filter(pages, pattern)]
    assert sorted(found) == sorted(pages - {"index"})
    assert all(fnmatch.filter(pages, pattern) for pattern in named)


def test_pages_that_benchmarks_have_not_written_yet_are_no_dead_links(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "DOCS", tmp_path)
    page = tmp_path / "index.md"
    text = "[figures](transfer.md#front) and [more](gone.md)\n\nresults\ntransfer\nlimits\n"
    adapted = conf.adapted(text, page, page)
    assert adapted == "figures and [more](gone.md)\n\nresults\nlimits\n"
    (tmp_path / "transfer.md").touch()
    assert conf.adapted(text, page, page) == text
    # Each is linked from a guide.
    guides = "".join((DOCS / f"{name}.md").read_text() for name in ("searching", "pretraining"))
    assert all(f"]({name}.md)" in guides for name in conf.AWAITED)


def test_the_command_line_is_shown_with_its_stars() -> None:
    spec = importlib.util.spec_from_file_location("command_line", DOCS / "command_line.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    helps = module.described_parser().format_help()
    assert "finetune" in helps
    assert module._plain("at `0 3 * * *`, a_b c_ d|e") == r"at \`0 3 \* \* \*\`, a_b c\_ d\|e"
    assert module._plain("like --to URI, or -o") == "like ``--to`` URI, or -o"
