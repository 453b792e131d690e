"""The shell and the tables are escaped, in HTML and in Markdown."""

from __future__ import annotations

from nasoa.report.page import document, facts_table, html_table, markdown_table, markdown_text


def test_a_title_is_text(evil: str) -> None:
    page = document(evil, "<p>body</p>")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
    assert "<p>body</p>" in page


def test_tables_hold_text(evil: str) -> None:
    # A cell of a table of rows repeats its header.
    for table, times in ((html_table((evil,), [(evil,)]), 3), (facts_table([(evil, evil)]), 2)):
        assert "<script" not in table
        assert table.count("&lt;script&gt;") == times


def test_columns_of_numbers_are_aligned() -> None:
    table = html_table(("name", "count"), [("a", 1)], numbers=("count",))
    assert '<td class="number" data-label="count">1</td>' in table
    assert '<td data-label="name">a</td>' in table


def test_markdown_shows_odd_text_as_it_is() -> None:
    assert markdown_text("a|b\n*c* <i> & `d`") == "a\\|b \\*c\\* &lt;i&gt; &amp; \\`d\\`"


def test_a_markdown_table_keeps_its_columns(evil: str) -> None:
    table = markdown_table(("one", "two"), [(evil, "a\nb"), (1, 2)])
    lines = table.splitlines()
    assert len(lines) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in lines)
    assert lines[-1] == "| 1 | 2 |"
