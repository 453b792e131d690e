"""Count what the store clients of this process ask of its server: requests, times, bytes, CPU."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from nasoa.store.s3 import S3Store

OPERATIONS = ("get", "put", "put_if_absent", "list", "delete")
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}


class RequestMeter:
    """Count what every `S3Store` of this process does while `running`.

    An operation of the store may be several HTTP requests: a listing is one per thousand keys, and
    a store that was just opened first checks whether its bucket exists.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Reset all counts."""
        with self._lock:
            self._times: defaultdict[str, list[float]] = defaultdict(list)
            self._bytes: Counter[str] = Counter()
            self._http_requests = 0
            self._refused = 0

    @contextmanager
    def running(self) -> Iterator[RequestMeter]:
        """Count until the end of the block."""
        originals = {name: getattr(S3Store, name) for name in OPERATIONS}
        urlopen = urllib3.PoolManager.urlopen
        for name, method in originals.items():
            setattr(S3Store, name, self._timed(name, method))
        setattr(urllib3.PoolManager, "urlopen", self._counted(urlopen))  # noqa: B010
        try:
            yield self
        finally:
            for name, method in originals.items():
                setattr(S3Store, name, method)
            setattr(urllib3.PoolManager, "urlopen", urlopen)  # noqa: B010

    def report(self) -> dict[str, object]:
        """Return milliseconds by operation, and counts."""
        with self._lock:
            return {
                "operations": {name: latencies(times) for name, times in self._times.items()},
                "http_requests": self._http_requests,
                "refused_conditional_writes": self._refused,
                "bytes": dict(self._bytes),
            }

    def _timed(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(store: S3Store, *arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            answer = method(store, *arguments, **options)
            elapsed = time.perf_counter() - started
            with self._lock:
                self._times[name].append(elapsed)
                if name == "get":
                    self._bytes["read"] += len(answer)
                elif name.startswith("put"):
                    self._bytes["written"] += len(arguments[1])
                    self._refused += answer is False
            return answer

        return timed

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def counted(pool: urllib3.PoolManager, *arguments: Any, **options: Any) -> Any:
            with self._lock:
                self._http_requests += 1
            return method(pool, *arguments, **options)

        return counted


def latencies(times_s: Sequence[float]) -> dict[str, float]:
    """Return count and percentiles in milliseconds, to four digits."""
    found = {name: float(np.quantile(times_s, q)) for name, q in QUANTILES.items()}
    rounded = {f"{name}_ms": float(f"{1000 * value:.4g}") for name, value in found.items()}
    return {"count": len(times_s), **rounded}


class Stopwatch:
    """Wall time since its creation, and CPU time of this process and its children.

    On a busy machine, wall time depends on the other load; CPU time is that of the work.
    """

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._client = time.process_time()
        self._server = _children_cpu_s()

    def read(self) -> dict[str, float]:
        """Return seconds: wall, CPU of this process's clients, CPU of the server, its child."""
        return {
            "wall_s": round(time.perf_counter() - self._wall, 3),
            "client_cpu_s": round(time.process_time() - self._client, 3),
            "server_cpu_s": round(_children_cpu_s() - self._server, 3),
        }


def _children_cpu_s() -> float:
    total = 0.0
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total
