"""Records from their JSON form."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nasoa.errors import CorruptRecord
from nasoa.records import CurvePoint, from_json, to_json

THREADS = """
import sys, threading
from dataclasses import make_dataclass
from nasoa.records import from_json

sys.setswitchinterval(1e-6)
for number in range(25):
    inner = make_dataclass(f"Inner{number}", [(f"x{i}", int) for i in range(10)])
    outer = make_dataclass(f"Outer{number}", [("inner", inner)])
    raw = '{"inner": {' + ", ".join(f'"x{i}": {i}' for i in range(10)) + "}}"
    start = threading.Barrier(8)

    def work():
        start.wait()
        assert from_json(raw, outer).inner.x9 == 9

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_read_the_first_record_at_once() -> None:
    """They crashed the process: seen when experiences were read by several threads."""
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_record_is_read_as_it_was_written_or_named() -> None:
    point = CurvePoint(iteration=3, elapsed_s=1.5, train_loss=0.25, val_accuracy=0.5)
    assert from_json(to_json(point), CurvePoint) == point
    for raw in (b"", b"{}", b"[1", b"\xff", to_json(point).replace(b"3", b'"three"')):
        with pytest.raises(CorruptRecord, match="some/key"):
            from_json(raw, CurvePoint, "some/key")
