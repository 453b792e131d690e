"""What a documentation site loads from elsewhere, and what it links to in vain, is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_site import findings, main

PAGE = """<!doctype html><html><head>
<link rel="stylesheet" href="_static/style.css?v=1"><link rel="canonical" href="https://a.example/">
<style>p {{ background: url("data:image/png;base64,AAAA") }}</style></head>
<body><h1 id="top">Title</h1><a href="https://elsewhere.example/">out</a>
<a href="other.html#part">in</a><a href="#top">up</a><img src="_static/a.png" alt="">{more}</body>
</html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of two pages that needs nothing from elsewhere."""
    folder = tmp_path / "site"
    (folder / "_static").mkdir(parents=True)
    (folder / "_static" / "style.css").write_text("p { background: url(a.png) }")
    (folder / "_static" / "a.png").write_bytes(b"png")
    (folder / "_static" / "code.js").write_text('// see "https://elsewhere.example/licence"\n')
    (folder / "index.html").write_text(PAGE.format(more=""))
    (folder / "other.html").write_text('<h2 id="part">Part</h2>')
    return folder


def test_a_site_of_its_own(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(findings(site)) == []
    assert main([str(site)]) == 0
    assert "2 pages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<link rel="preconnect" href="https://fonts.example">', "loads https://fonts.example"),
        ('<img src="//cdn.example/a.png">', "loads //cdn.example/a.png"),
        ('<img srcset="_static/a.png 1x, http://b.example/a.png 2x">', "loads http://b.example"),
        ("<style>@import 'https://fonts.example/a.css';</style>", "loads https://fonts.example"),
        ('<p style="background: url(http://c.example/a.png)">', "loads http://c.example/a.png"),
        ('<img src="_static/b.png">', "loads _static/b.png, which is not there"),
        ('<a href="gone.html">', "links to gone.html, which is not there"),
        ('<a href="../outside.html">', "links to ../outside.html, which is not there"),
        ('<a href="other.html#gone">', "links to other.html#gone, but that page has no such"),
        ('<a href="#gone">', "links to #gone, but that page has no such place"),
    ],
)
def test_what_is_not_there_is_told(
    site: Path, more: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.parent / "outside.html").write_text("")
    (site / "index.html").write_text(PAGE.format(more=more))
    (line,) = findings(site)
    assert line.startswith("index.html: ")
    assert told in line
    assert main([str(site)]) == 1
    assert told in capsys.readouterr().err


def test_styles_and_scripts_are_read(site: Path) -> None:
    (site / "_static" / "style.css").write_text("p { src: url(https://f.example/a.woff2) }")
    (site / "_static" / "code.js").write_text('load("https://cdn.example/mathjax.js")')
    assert sorted(findings(site)) == [
        "_static/code.js: loads https://cdn.example/mathjax.js, which is not of this site",
        "_static/style.css: loads https://f.example/a.woff2, which is not of this site",
    ]


def test_an_empty_folder_is_no_site(tmp_path: Path) -> None:
    assert list(findings(tmp_path)) == [f"{tmp_path}: no pages"]
