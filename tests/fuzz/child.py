"""A process that runs cases, with bounded memory, and tells on standard output what came of them.

A line of standard input asks for some cases, `KIND FIRST COUNT`; a line of JSON answers. The case
that is running, and since when, stands in a file that the parent reads, so that it knows which one
it was if this process hangs or dies.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import struct
import sys
import time
from pathlib import Path
from typing import Any

# More than this is given to no case, on top of what the process has when it begins.
ADDRESS_BYTES = 768 * 1024**2
PROGRESS = struct.Struct("<qd")
REPORTED = 5  # faults of one key and one request
_RESTED = 200  # cases after which memory is counted anew


def main(folder: Path) -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    errors = os.open(folder / "stderr", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.dup2(errors, 2)
    os.dup2(errors, 1)
    from tests.fuzz.kinds import Kind, load
    from tests.fuzz.oracle import Oracle

    work = folder / "work"
    work.mkdir()
    oracle = Oracle(work)
    kinds: dict[str, Kind] = {}
    with (folder / "progress").open("r+b") as file:
        progress = mmap.mmap(file.fileno(), PROGRESS.size)
    for line in sys.stdin:
        name, first, count = line.split()
        if name not in kinds:
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
            kinds[name] = load(name)
            _quicken()
            for case in kinds[name].warm_up():
                verdict = oracle.judge_case(kinds[name], case, measured=False)
                if verdict.fault or not verdict.accepted:
                    raise SystemExit(f"{name}: refused {str(case)[:300]!r}: {verdict.fault}")
        _limit_memory()
        oracle.rest()
        answer = _answer(oracle, kinds[name], name, int(first), int(count), progress)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(
    oracle: Any, kind: Any, name: str, first: int, count: int, progress: mmap.mmap
) -> dict[str, Any]:
    accepted = 0
    faults: list[tuple[int, str, str]] = []
    keys: dict[str, int] = {}
    before = _open_files()
    began_s = time.monotonic()
    for seed in range(first, first + count):
        PROGRESS.pack_into(progress, 0, seed, time.monotonic())
        verdict = oracle.judge(kind, name, seed)
        accepted += verdict.accepted and not verdict.fault
        if verdict.fault:
            keys[verdict.key] = keys.get(verdict.key, 0) + 1
            if keys[verdict.key] <= REPORTED:
                faults.append((seed, verdict.key, verdict.fault))
        if seed % _RESTED == 0:
            oracle.rest()
    PROGRESS.pack_into(progress, 0, 0, 0.0)
    seconds = time.monotonic() - began_s
    oracle.rest()
    left = _open_files() - before
    if left > 2:
        keys["files"] = 1
        faults.append((first, "files", f"{left} files are open after {count} cases from here"))
    return {
        "accepted": accepted,
        "refused": count - accepted - sum(keys.values()),
        "faults": faults,
        "keys": keys,
        "seconds": seconds,
    }


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESS_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def _quicken() -> None:
    """Have stamps of files not wait for the clock: each case writes files a moment before."""
    stamps: Any = sys.modules.get("nasoa.data.stamps")
    if stamps is not None:
        stamps._TICK_NS = 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
