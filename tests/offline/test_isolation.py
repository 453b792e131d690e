"""Work in a separate process: results, failures, and a new process after each death."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator

import pytest

from nasoa.errors import DataError, InvalidInput, StoreFailed, TrainingFailed
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.worker_log import LogOnce

_prepared: list[int] = []


def prepare(number: int) -> None:
    _prepared.append(number)


def prepared_in() -> tuple[list[int], int]:
    return _prepared, os.getpid()


def fail(text: str) -> None:
    raise ValueError(text)


def warn(text: str) -> None:
    logging.getLogger("nasoa.data").warning("%s is odd", text)


def refuse(text: str) -> None:
    raise DataError(text)


def lose_the_store(text: str) -> None:
    raise StoreFailed(text)


def die(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


@pytest.fixture
def worker() -> Iterator[IsolatedWorker]:
    with IsolatedWorker(prepare, (7,)) as found:
        yield found


def test_one_process_does_all_the_work(worker: IsolatedWorker) -> None:
    first = worker.call(prepared_in, timeout_s=60)
    second = worker.call(prepared_in, timeout_s=60)
    assert first == second
    assert first.value is not None
    assert first.value[0] == [7]
    assert first.value[1] != os.getpid()


def test_what_goes_wrong_is_a_result(worker: IsolatedWorker) -> None:
    raised = worker.call(fail, "no\nluck", timeout_s=60)
    assert (raised.failure, raised.detail) == ("crashed", "ValueError: no luck")
    alive = worker.call(prepared_in, timeout_s=60).value
    killed = worker.call(die, signal.SIGKILL, timeout_s=60)
    assert killed.failure == "out of memory"
    crashed = worker.call(die, signal.SIGSEGV, timeout_s=60)
    assert crashed.failure == "crashed"
    started = time.monotonic()
    hung = worker.call(time.sleep, 60, timeout_s=4)
    assert hung.failure == "timeout"
    assert time.monotonic() - started < 30
    anew = worker.call(prepared_in, timeout_s=60).value
    assert alive is not None
    assert anew is not None
    assert alive[1] != anew[1]


def test_warnings_of_workers_are_logged_here_and_once(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    log = LogOnce()
    with IsolatedWorker(prepare, (7,), log) as first, IsolatedWorker(prepare, (8,), log) as second:
        for worker in (first, second):
            assert worker.call(warn, "this", timeout_s=60).failure == ""
        with pytest.raises(InvalidInput, match="no images"):
            second.call(refuse, "no images", timeout_s=60)
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("nasoa.data", "WARNING", "this is odd")
    ]
    assert "this is odd" not in capfd.readouterr().err


def test_a_node_that_goes_away_is_no_failure_of_the_work(worker: IsolatedWorker) -> None:
    with pytest.raises(TrainingFailed, match="told to end"):
        worker.call(die, signal.SIGTERM, timeout_s=60)
    assert worker.call(prepared_in, timeout_s=60).failure == ""


def test_a_mistake_of_the_users_is_raised(worker: IsolatedWorker) -> None:
    with pytest.raises(InvalidInput, match="expected a folder"):
        worker.call(refuse, "expected a folder", timeout_s=60)
    with pytest.raises(StoreFailed, match="no answer"):
        worker.call(lose_the_store, "no answer", timeout_s=60)
    assert worker.call(prepared_in, timeout_s=60).failure == ""


def test_a_stopped_worker_leaves_no_process(worker: IsolatedWorker) -> None:
    found = worker.call(prepared_in, timeout_s=60).value
    assert found is not None
    worker.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(found[1], 0)
