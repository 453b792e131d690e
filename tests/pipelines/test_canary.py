"""The search for a secret finds it, and no compiled pipeline has one.

The fixture `watched` searches the runs of pipelines in `test_local.py`, `test_search.py` and
`test_meta_train.py`.
"""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasoa.cli import main
from nasoa.pipelines import catalogue
from nasoa.store import open_store
from tests.pipelines.canary import leaks

SECRET = "c4nary/9f+3=secret"
PLAIN_TEXT = st.text("abc/+=", max_size=20)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=PLAIN_TEXT, after=PLAIN_TEXT, encoded=st.sampled_from(["plain", "url", "base64"]))
def test_a_secret_is_found_in_any_text(before: str, after: str, encoded: str) -> None:
    text = before + SECRET + after
    if encoded == "url":
        text = quote(text, safe="")
    elif encoded == "base64":
        text = base64.b64encode(text.encode()).decode()
    assert leaks([SECRET], text, [], []) == ["the log"]
    assert leaks(["another-secret-1"], text, [], []) == []


def test_a_secret_is_found_in_files_and_stores(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.bin").write_bytes(b"\x00" + SECRET.encode() + b"\xff")
    store = open_store(str(tmp_path / "store"))
    store.put("x/y.json", SECRET.encode())
    store.put("x/z.json", b"nothing")
    found = leaks([SECRET], "", [tmp_path / "files"], [store])
    assert found == [str(tmp_path / "files" / "a.bin"), "x/y.json"]


@pytest.mark.slow
def test_no_secret_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NASOA_KFP_TOKEN", "HF_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    assert main(["pipeline", "compile", "--all", "-o", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("*.yaml"))) == len(catalogue.PIPELINES)
    assert leaks([SECRET], "", [tmp_path], []) == []
