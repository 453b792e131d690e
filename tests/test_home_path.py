"""Paths that begin with a home folder, and texts that are not paths."""

from __future__ import annotations

import pytest

from nasoa.home_path import expanded


def test_a_home_folder_is_put_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/me")
    assert expanded("~/x") == "/srv/me/x"
    assert expanded("x/~") == "x/~"
    assert expanded("~nobody-of-this-name/x") == "~nobody-of-this-name/x"


@pytest.mark.parametrize("text", ["~a\0b", "~\ud800", "~\udcff/x", "a\0b"])
def test_what_cannot_be_a_path_is_unchanged(text: str) -> None:
    assert expanded(text) == text
