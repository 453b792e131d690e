"""Secrets are redacted in messages and in the log."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.cli import main
from nasoa.errors import StoreUnavailable
from nasoa.logs import JsonFormatter, TextFormatter
from nasoa.redaction import redacted
from nasoa.store import open_store

SECRET = "wJalr/XUtnFEMI+K7MDENG=bPxRfiCY"
SIGNED = (
    "https://store:9000/nasoa/a.json?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
    f"AKIAIOSFODNN7EXAMPLE%2F20260101%2Fus-east-1&X-Amz-Security-Token={SECRET}"
    "&X-Amz-Signature=5d672d79c15b13162d9279b0855cfba6&partNumber=1"
)


@pytest.mark.parametrize(
    "text",
    [
        SIGNED,
        f"http://nasoa:{SECRET}@store:9000",
        f"s3://key:{SECRET}@bucket/prefix",
        f"Authorization: Bearer {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}', 'Host': 'store'}}",
        f"AWS4-HMAC-SHA256 Credential={SECRET}/20260101/us-east-1, SignedHeaders=host, Signature=1",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"secret_key='{SECRET}', region='x'",
        f'{{"SecretAccessKey": "{SECRET}", "Expiration": "2026"}}',
        f"<SecretKey>{SECRET}</SecretKey>",
        f"password: {SECRET}1",
        f"?token={SECRET}&x=1",
        "AKIAIOSFODNN7EXAMPLE is not known",
        "session eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    ],
)
def test_what_is_secret_is_hidden(text: str) -> None:
    shown = redacted(text)
    assert "***" in shown
    for part in (SECRET, SECRET[:10], "AKIAIOSFODNN7EXAMPLE", "5d672d79", "eyJzdWIi"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "expected a token in the file token.txt: one line of ASCII",
        "check the keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
        "the secret nasoa-s3 has NASOA_S3_ACCESS_KEY_ID, NASOA_S3_SECRET_ACCESS_KEY",
        "expected NASOA_S3_ENDPOINT to be like http://minio.example:9000, got ''",
        "data.zip is encrypted: expected a zip without a password",
        "the signature of s3://b/a@b/c.json is wrong: me@example.org",
        "no object 'predictor/v000001.json' in s3://nasoa/prefix",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_values_of_the_environment_are_hidden_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NASOA_S3_SECRET_ACCESS_KEY", "correcthorse")
    monkeypatch.setenv("NASOA_KFP_TOKEN_FILE", "/run/token-file")
    assert redacted("it said correcthorsebattery") == "it said ***battery"
    assert redacted("no file /run/token-file") == "no file /run/token-file"


def test_the_folder_that_a_shell_is_in_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "OLDPWD"):
        monkeypatch.setenv(name, "/srv/me/photos")
    assert redacted("no file /srv/me/photos/x") == "no file /srv/me/photos/x"
    monkeypatch.setenv("pwd", "correcthorse")
    assert redacted("correcthorse") == "***"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_is_redacted_once_stays_and_nothing_fails(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


@given(st.text(alphabet="abcdefgh0123456789/+", min_size=8, max_size=40))
def test_no_password_of_a_url_is_shown(password: str) -> None:
    assert f":{password}@" not in redacted(f"cannot reach http://user:{password}@host:1/x")


def line_of(formatter: logging.Formatter) -> str:
    record = logging.LogRecord("nasoa", logging.WARNING, "x.py", 1, "GET %s", (SIGNED,), None)
    return formatter.format(record)


def test_lines_of_the_log_and_errors_show_no_secrets() -> None:
    for formatter in (TextFormatter("%(message)s"), JsonFormatter()):
        line = line_of(formatter)
        assert "X-Amz-Signature=***" in line
        assert SECRET not in line
    assert "X-Amz-Signature=***" in str(StoreUnavailable(SIGNED))
    try:
        raise ValueError(SIGNED)
    except ValueError as error:
        record = logging.LogRecord(
            "nasoa", logging.ERROR, "x.py", 1, "failed", (), (ValueError, error, None)
        )
    for formatter in (TextFormatter("%(message)s"), JsonFormatter()):
        shown = formatter.format(record)
        assert SECRET not in shown
        assert "ValueError" in shown
    assert json.loads(JsonFormatter().format(record))["message"] == "failed"


def test_a_store_that_cannot_be_reached_or_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some users put a password into the endpoint."""
    monkeypatch.setenv("NASOA_S3_ENDPOINT", "http://me:hunter2222@127.0.0.1:9/path")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nasoa-finetune-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    assert main(["predictor", "show", "--store", "s3://bucket/x"]) == 2
    err = capsys.readouterr().err
    assert "http://***@127.0.0.1:9" in err
    assert "hunter2222" not in err


def test_what_an_s3_server_answers_shows_no_keys(
    s3_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server gets keys that it does not know."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nasoa-unknown-key")
    for name in ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StoreUnavailable) as caught:
        open_store("s3://nasoa/redaction").put("a.json", b"{}")
    assert SECRET not in str(caught.value)
    assert "nasoa-unknown-key" not in str(caught.value)


@pytest.mark.parametrize(
    "piece",
    ["a", "a.", "a-", "a://", "a://b:", "://a:", "secret", "token", "token=", "<secret>", "@"],
)
def test_no_text_takes_long(piece: str) -> None:
    """A name in an archive may have 65,535 characters."""
    began_s = time.process_time()
    redacted(piece * (65_535 // len(piece)))
    assert time.process_time() - began_s < 2.0
