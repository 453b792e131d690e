"""Failed runs are reported to a webhook: once, without secrets, and whatever the webhook does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nasoa.steps import alerting
from nasoa.steps.record_failure import failed_runs, record_failure
from tests.pipelines.http_server import Answer, Fault, Request, answer, serving

# Addresses of chats hold a key in their path.
PATH = "/services/T00/B00/k3y-in-the-path"


class Webhook:
    """Takes whatever comes."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []

    def handle(self, request: Request) -> Answer:
        return answer(200, {"ok": True})


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    server = Webhook()
    with serving(server) as address:
        monkeypatch.setenv("NASOA_ALERT_URL", f"{address}{PATH}")
        yield server


def fail(store: Path, message: str = "step 'finetune': OOMKilled", state: str = "FAILED") -> str:
    return record_failure(str(store), "run-1", "finetune-task", "s3://b/flowers", state, message)


def test_a_failed_run_is_reported_once(tmp_path: Path, webhook: Webhook) -> None:
    for _ in range(2):  # as by a step that is tried again, or by `nasoa pipeline reconcile`
        assert fail(tmp_path) == "failure/run-1.json"
    (request,) = webhook.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "run_id": "run-1",
        "pipeline": "finetune-task",
        "subject": "s3://b/flowers",
        "state": "FAILED",
        "message": "step 'finetune': OOMKilled",
        "text": "nasoa: finetune-task of s3://b/flowers failed (run run-1): "
        "step 'finetune': OOMKilled",
    }


def test_a_cancelled_run_and_one_that_failed_unnoticed(tmp_path: Path, webhook: Webhook) -> None:
    record_failure(str(tmp_path), "run-1", "build-zoo", "", "CANCELED", "")
    record_failure(str(tmp_path), "run-2", "build-zoo", "", "RUNNING", None)
    cancelled, unnoticed = (json.loads(request.body) for request in webhook.requests)
    assert cancelled["text"] == "nasoa: build-zoo was cancelled (run run-1)"
    assert unnoticed["state"] == "FAILED"
    assert "ended without reporting to KFP" in unnoticed["message"]


def test_a_success_is_not_reported(tmp_path: Path, webhook: Webhook) -> None:
    assert fail(tmp_path, state="SUCCEEDED") == ""
    assert webhook.requests == []


def test_secrets_stay_here(
    tmp_path: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASOA_S3_SECRET_ACCESS_KEY", "c4nary-of-the-store")
    message = "got http://me:hunter2@host/x with c4nary-of-the-store, token=abcdef123"
    record_failure(str(tmp_path), "r", "meta-train", "https://u:pw1234@h/d", "FAILED", message)
    (request,) = webhook.requests
    for secret in (b"c4nary", b"hunter2", b"abcdef123", b"pw1234"):
        assert secret not in request.body
    assert json.loads(request.body)["subject"] == "https://***@h/d"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(".", answer(500, {})), "it answered 500"),
        (Fault(".", answer(403, {})), "it answered 403"),
        (Fault(".", Answer(302, b"", headers={"Location": "/elsewhere"})), "it answered 302"),
        (Fault(".", delay_s=1.0), "TimeoutError"),
    ],
    ids=["fails", "refuses", "sends elsewhere", "is silent"],
)
def test_a_failing_webhook_fails_nothing(
    tmp_path: Path,
    webhook: Webhook,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    said: str,
) -> None:
    monkeypatch.setattr(alerting, "TIMEOUT_S", 0.2)
    webhook.faults = [fault]
    started = time.monotonic()
    assert fail(tmp_path) == "failure/run-1.json"
    assert time.monotonic() - started < 30
    assert [failed.run_id for failed in failed_runs(str(tmp_path))] == ["run-1"]
    (line,) = caplog.messages
    assert line == f"the failed run run-1 was not reported to 127.0.0.1 (NASOA_ALERT_URL): {said}"
    assert len(webhook.requests) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://", "its host (NASOA_ALERT_URL): expected an address like https://host/path"),
        ("file:/etc/passwd", "expected an address like https://host/path"),
        ("hooks.example.com/k3y", "expected an address like https://host/path"),
        ("http://[::1/k3y", "its host (NASOA_ALERT_URL): ValueError"),
        ("http://127.0.0.1:1/k3y", "127.0.0.1 (NASOA_ALERT_URL): ConnectionRefusedError"),
        ("http://127.0.0.1:1/k 3y", "127.0.0.1 (NASOA_ALERT_URL): InvalidURL"),
        ("http://me:hunter2@127.0.0.1:1/k3y", "127.0.0.1 (NASOA_ALERT_URL): "),
    ],
)
def test_an_address_that_cannot_be_used_is_logged_without_its_key(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
    said: str,
) -> None:
    monkeypatch.setenv("NASOA_ALERT_URL", url)
    assert fail(tmp_path) == "failure/run-1.json"
    (line,) = caplog.messages
    assert said in line
    assert "3y" not in line
    assert "hunter2" not in line
