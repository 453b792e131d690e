"""One `nasoa` command under bad conditions: python -m tests.stress.trial CONDITIONS ARGUMENTS.

CONDITIONS is a JSON object of the fields of `Conditions`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Conditions:
    """What is bad about a trial.

    `disk_bytes_per_s`: how fast a file is synced; 0 for as fast as the disk is. `request_s` and
    `store_bytes_per_s`: what a request to the store takes, and how fast it takes bytes.
    `step_times`: what the predicted seconds of regimes are multiplied by.
    """

    disk_bytes_per_s: float = 0.0
    request_s: float = 0.0
    store_bytes_per_s: float = 0.0
    step_times: float = 1.0


def impose(conditions: Conditions) -> None:
    """Change this process so that the conditions hold."""
    if conditions.disk_bytes_per_s:
        _slow_disk(conditions.disk_bytes_per_s)
    if conditions.request_s:
        _slow_store(conditions.request_s, conditions.store_bytes_per_s)
    if conditions.step_times != 1.0:
        _wrong_times(conditions.step_times)


def _slow_disk(bytes_per_s: float) -> None:
    sync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(os.fstat(descriptor).st_size / bytes_per_s)
        sync(descriptor)

    os.fsync = slow


def _slow_store(request_s: float, bytes_per_s: float) -> None:
    from nasoa.store import opening
    from nasoa.store.local import LocalStore
    from nasoa.store.retrying import PatientStore

    class SlowStore(PatientStore):
        """No folder to those who ask, as a bucket is none."""

        def put(self, key: str, data: bytes) -> None:
            time.sleep(request_s + len(data) / bytes_per_s)
            super().put(key, data)

        def put_if_absent(self, key: str, data: bytes) -> bool:
            time.sleep(request_s + len(data) / bytes_per_s)
            return super().put_if_absent(key, data)

        def get(self, key: str) -> bytes:
            data = super().get(key)
            time.sleep(request_s + len(data) / bytes_per_s)
            return data

        def list(self, prefix: str = "", after: str = "") -> list[str]:
            time.sleep(request_s)
            return super().list(prefix, after)

    def slow(folder: Path) -> SlowStore:
        return SlowStore(LocalStore(folder), 1.0)

    opening.LocalStore = slow  # type: ignore[misc,assignment]


def _wrong_times(factor: float) -> None:
    from nasoa.online.regimes.task_times import TaskTimes

    cost = TaskTimes._cost

    def wrong(*arguments: object) -> tuple[float, float, float]:
        fixed_s, step_s, error = cost(*arguments)  # type: ignore[arg-type]
        return factor * fixed_s, factor * step_s, error

    TaskTimes._cost = wrong  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    impose(Conditions(**json.loads(sys.argv[1])))
    from nasoa.cli import command

    sys.argv = ["nasoa", *sys.argv[2:]]
    command()
