"""Runs cases in child processes, and finds out which case one hung or died of."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.child import PROGRESS

ROOT = Path(__file__).resolve().parents[2]
# A case that takes longer than this is one that never ends, on a busy machine too.
HANGS_S = 30.0
_READY_S = 600.0  # to import everything
_POLL_S = 0.25
_REQUEST = 500  # cases of one request
# Threads get few arenas and small stacks, so that the limit on addresses counts what is used.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "NASOA_CACHE_BYTES": "0",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass
class Result:
    """What came of the cases of one kind."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    # Where or what -> how often; and the first of each, by seed.
    keys: dict[str, int] = field(default_factory=dict)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many were run."""
        return self.accepted + self.refused + self.num_faults

    @property
    def num_faults(self) -> int:
        """How many cases were neither accepted nor refused well."""
        return sum(self.keys.values())

    def add(self, answer: Mapping[str, Any]) -> None:
        """Take the answer of a child into account."""
        self.accepted += answer["accepted"]
        self.refused += answer["refused"]
        self.seconds += answer["seconds"]
        for key, count in answer["keys"].items():
            self.keys[key] = self.keys.get(key, 0) + count
        for seed, key, text in answer["faults"]:
            if key not in self.faults or seed < self.faults[key][0]:
                self.faults[key] = (seed, text)


def run_cases(
    counts: Mapping[str, int],
    *,
    first: int = 0,
    jobs: int = 1,
    hangs_s: float = HANGS_S,
    tell: Callable[[str, Result], object] = lambda _name, _result: None,
) -> dict[str, Result]:
    """Run cases of kinds.

    Args:
        counts: kind -> how many.
        first: number of the first case of each kind.
        jobs: processes at once.
        hangs_s: seconds after which a case is taken for one that does not end.
        tell: called with a kind and its result so far after each request, from any thread.
    """
    requests: queue.SimpleQueue[tuple[str, int, int]] = queue.SimpleQueue()
    for name, count in counts.items():
        for start in range(first, first + count, _REQUEST):
            requests.put((name, start, min(_REQUEST, first + count - start)))
    results = {name: Result() for name in counts}
    lock = threading.Lock()
    problems: list[BaseException] = []

    def add(name: str, answer: Mapping[str, Any]) -> None:
        with lock:
            results[name].add(answer)
            tell(name, results[name])

    def work() -> None:
        try:
            with Child(hangs_s) as child:
                while True:
                    child.run(*requests.get_nowait(), add)
        except queue.Empty:
            return
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return results


class Child:
    """A process of `tests.fuzz.child`, made anew where it died."""

    def __init__(self, hangs_s: float) -> None:
        self._hangs_s = hangs_s
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def run(
        self, name: str, first: int, count: int, add: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        """Run some cases of a kind; what a process did not come to, the next one does."""
        at, until = first, first + count
        while at < until:
            try:
                answer = self._ask(name, at, until - at)
            except TimeoutError:
                seed, why = self._post_mortem(hangs=True)
            else:
                if answer is not None:
                    add(name, answer)
                    return
                seed, why = self._post_mortem(hangs=False)
            self._end()
            if seed < at or seed >= until:
                raise RuntimeError(f"the process for {name} ended before any case: {why}")
            if seed > at:  # those before were well, but their answer is lost
                self.run(name, at, seed - at, add)
            fault = {"seconds": 0.0, "accepted": 0, "refused": 0}
            key = why.splitlines()[0]
            add(name, {**fault, "faults": [(seed, key, why)], "keys": {key: 1}})
            at = seed + 1

    def _ask(self, name: str, first: int, count: int) -> dict[str, Any] | None:
        """The answer to a request; None where the process died, `TimeoutError` where it hangs."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{name} {first} {count}\n")
            process.stdin.flush()
        except BrokenPipeError:
            return None
        waited_s, running = 0.0, self._progress()
        while not select.select([process.stdout], [], [], _POLL_S)[0]:
            # Counted by looks: a machine that stands still for a while is no case that hangs.
            before, running = running, self._progress()
            waited_s = waited_s + _POLL_S if running == before else 0.0
            if waited_s > (self._hangs_s if running[1] else _READY_S):
                raise TimeoutError
        line = process.stdout.readline()
        return json.loads(line) if line else None

    def _start(self) -> subprocess.Popen[str]:
        self._folder = tempfile.TemporaryDirectory(prefix="nasoa-fuzz-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        (folder / "progress").write_bytes(bytes(PROGRESS.size))
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", str(folder)],
            cwd=ROOT,
            env={
                **os.environ,
                **_ENVIRONMENT,
                "PYTHONPATH": path,
                "TORCHINDUCTOR_CACHE_DIR": str(
                    folder / "torch"
                ),  # PyTorch makes it, and that is all
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._process

    def _progress(self) -> tuple[int, float]:
        assert self._folder is not None
        seed, began_s = PROGRESS.unpack(Path(self._folder.name, "progress").read_bytes())
        return seed, began_s

    def _post_mortem(self, *, hangs: bool) -> tuple[int, str]:
        """The case that the process hangs in or died of, and how."""
        assert self._process is not None
        assert self._folder is not None
        code: int | None = None
        try:
            code = self._process.wait(timeout=0.0 if hangs else 20.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        seed, began_s = self._progress()
        if code is None:
            how = f"still running after {self._hangs_s:g} s"
        else:
            how = f"the process ended with {signal.Signals(-code).name if code < 0 else code}"
        text = Path(self._folder.name, "stderr").read_text(errors="replace")[-2000:]
        return seed if began_s else -1, f"{how}\n{text}".strip()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
