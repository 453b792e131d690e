"""The log as text and as JSON."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nasoa.cli import main
from nasoa.errors import StoreFailed
from nasoa.logs import JsonFormatter, log_event, log_fields
from nasoa.steps import run_task as running
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.step_log import StepLog
from nasoa.store import keys, open_store
from nasoa.store.counted_retry import CountedRetry

DIGITS = "sklearn:digits:classes=0,1,2,3:per_class=60"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """A function that returns the JSON lines logged so far."""
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in caplog.text.splitlines()]

    return read


def test_a_line_tells_time_level_and_what_it_belongs_to(lines: Any) -> None:
    logger = logging.getLogger("nasoa.test")
    with log_fields(task_id="t1", step="describe"):
        logger.warning("a name\x1b[31m\nin two lines")
        with log_fields(step="choose"):
            log_event(logger, "progress", "half", progress=0.5)
    logger.info("later")
    first, second, third = lines()
    assert (first["level"], first["logger"]) == ("warning", "nasoa.test")
    assert first["message"] == "a name\\x1b[31m\nin two lines"
    assert (first["task_id"], first["step"]) == ("t1", "describe")
    assert first["time"].endswith("+00:00")
    assert second["step"] == "choose"
    assert (second["event"], second["progress"]) == ("progress", 0.5)
    assert "task_id" not in third


def test_a_step_tells_how_it_ended_and_how_long_it_took(lines: Any) -> None:
    log = StepLog()
    with log.step("describe"):
        pass
    with pytest.raises(StoreFailed), log.step("finetune", "t1"):
        raise StoreFailed("the store at http://me:hunter22@x does not answer")
    events = [(line["event"], line["step"]) for line in lines()]
    assert events == [
        ("step_began", "describe"),
        ("step_ended", "describe"),
        ("step_began", "finetune"),
        ("step_failed", "finetune"),
    ]
    failed = lines()[-1]
    assert failed["reason"] == "StoreFailed"
    assert failed["task_id"] == "t1"
    assert failed["duration_s"] == log.durations_s["finetune"] >= 0.0
    assert "hunter22" not in json.dumps(failed)


def test_another_form_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASOA_LOG", "xml")
    assert main(["arch", "stats", "020- 8 1-2-1-2"]) == 2
    assert capsys.readouterr().err == "nasoa: expected NASOA_LOG to be text or json, got 'xml'\n"


@pytest.mark.slow
def test_a_task_as_an_operator_sees_it(tmp_path: Path) -> None:
    """Every line on standard error is JSON, and the store has the metrics."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "nasoa", "finetune", DIGITS, "--time-limit", "25s"),
            *("--store", str(tmp_path), "--json"),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NASOA_LOG": "json"},
    )
    result = json.loads(done.stdout)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    ended = {line["step"]: line for line in lines if line.get("event") == "step_ended"}
    assert list(ended) == ["describe", "choose", "finetune", "learn"]
    assert {ended[step]["task_id"] for step in ("choose", "finetune", "learn")} == {
        result["task_id"]
    }
    assert sum(line["duration_s"] for line in ended.values()) <= result["elapsed_s"] + 1.0
    progress = [line["progress"] for line in lines if line.get("event") == "progress"]
    assert progress == sorted(progress)
    text = StoreMetrics(open_store(str(tmp_path))).text()
    for figure in (
        'nasoa_steps_ended_total{step="finetune"} 1',
        "nasoa_tasks_late_total 0",
        "nasoa_store_retries_total 0",
    ):
        assert figure in text.splitlines()


@pytest.mark.slow
def test_a_task_that_fails_leaves_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise StoreFailed("the store does not answer")

    monkeypatch.setattr("nasoa.steps.finetune.tune", fail)
    session = running.TaskSession(open_store(str(tmp_path)), clock="steps")
    with pytest.raises(StoreFailed):
        running.run_task(session, running.Request(data=DIGITS, time_limit="60s"))
    (key,) = (k for k in session.store.list(keys.TASKS) if k.endswith("/outcome.json"))
    assert json.loads(session.store.get(key))["reason"] == "StoreFailed"
    text = StoreMetrics(session.store).text()
    assert 'nasoa_tasks_failed_total{reason="StoreFailed"} 1' in text.splitlines()


def test_what_happens_to_the_store_meanwhile_is_counted(tmp_path: Path) -> None:
    """Retries of `PatientStore` and of the S3 client are counted."""
    from nasoa.store.retrying import PatientStore
    from tests.store.finished import experience

    class Failing:
        uri = "s3://b"
        left = 2

        def get(self, key: str) -> bytes:
            self.left -= 1
            if self.left >= 0:
                raise StoreFailed("busy")
            return b"x"

    log = StepLog()
    store: Any = PatientStore(Failing(), 10.0, sleep=lambda _s: None)  # type: ignore[arg-type]
    assert store.get("k") == b"x"
    again = CountedRetry(total=3).increment("GET", "/x", error=OSError("reset"))
    assert isinstance(again, CountedRetry)
    outcome = log.outcome(experience("t", 0.5).task, 1.0)
    assert outcome.store_retries == 3


IN_POD = """
import logging
from nasoa.logs import log_in_pod
log_in_pod()
logging.getLogger("nasoa.steps").info("token=abcdef123")
"""


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
        ({"NASOA_LOG": "json"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "NASOA_LOG": "text"}, False),  # at WARNING
        ({}, False),
    ],
)
def test_steps_of_pipelines_log_json_in_a_pod(environment: dict[str, str], shown: bool) -> None:
    names = ("KUBERNETES_SERVICE_HOST", "NASOA_LOG")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", IN_POD],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **environment},
    )
    assert bool(done.stderr) == shown
    if shown:
        assert json.loads(done.stderr)["message"] == "token=***"
