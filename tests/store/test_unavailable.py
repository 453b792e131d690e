"""A store that cannot be used gives a one-line error."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import StoreUnavailable
from nasoa.store import open_store


def message(uri: str) -> str:
    """Return the error of a write to a store."""
    with pytest.raises(StoreUnavailable) as error:
        open_store(uri).put("k", b"x")
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "to be a folder" in message(str(tmp_path / "file"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in message(str(tmp_path / "file" / "store"))


def test_a_folder_that_is_not_writable() -> None:
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    program = (
        "import os, sys\n"
        "from nasoa.store.local import LocalStore\n"
        "from nasoa.errors import StoreUnavailable\n"
        "from pathlib import Path\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: LocalStore(Path(sys.argv[1])).put('k', b'x')\n"
        "except StoreUnavailable as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "store"
        folder.mkdir()
        Path(parent).chmod(0o755)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "cannot be written: Permission denied" in done.stdout


@pytest.mark.parametrize("uri", ["ftp://somewhere/x", "", "s3://", "s3:///prefix"])
def test_no_such_kind_of_store(uri: str, s3_environment: Any) -> None:
    assert "expected a store like" in message(uri)


@pytest.mark.parametrize("endpoint", ["", "localhost:9000", "http://", "http://host/path"])
def test_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("NASOA_S3_ENDPOINT", endpoint)
    assert "NASOA_S3_ENDPOINT" in message("s3://bucket/x")


def test_keys_that_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_S3_ENDPOINT", "http://127.0.0.1:9")
    for prefix in ("NASOA_S3", "AWS"):
        monkeypatch.delenv(f"{prefix}_ACCESS_KEY_ID", raising=False)
        monkeypatch.delenv(f"{prefix}_SECRET_ACCESS_KEY", raising=False)
    assert "NASOA_S3_ACCESS_KEY_ID and NASOA_S3_SECRET_ACCESS_KEY, or AWS" in message(
        "s3://bucket/x"
    )
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in message("s3://bucket/x")


@pytest.mark.slow
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASOA_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-print-me")
    started = time.monotonic()
    for call in (
        lambda s: s.put("k", b"x"),
        lambda s: s.put_if_absent("k", b"x"),
        lambda s: s.get("k"),
        lambda s: s.list(),
    ):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as error:
            call(open_store("s3://bucket/x"))
        assert "do-not-print-me" not in str(error.value)
    assert time.monotonic() - started < 20


def test_wrong_credentials(s3_environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-print-me")
    store = open_store("s3://nasoa/x")
    for call in (
        lambda: store.put("k", b"x"),
        lambda: store.put_if_absent("k", b"x"),
        lambda: store.list(),
    ):
        with pytest.raises(StoreUnavailable, match="refuses these credentials") as error:
            call()
        assert "do-not-print-me" not in str(error.value)


def test_missing_bucket(s3_environment: Any) -> None:
    store = open_store("s3://no-such-bucket/x")
    for call in (
        lambda: store.put("k", b"x"),
        lambda: store.put_if_absent("k", b"x"),
        lambda: store.list(),
        lambda: store.get("k"),
    ):
        with pytest.raises(StoreUnavailable, match="'no-such-bucket' is not at"):
            call()
