"""Simulate a search whose trainings are waits; everything its workers ask of the store is real."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.request_meter import RequestMeter, Stopwatch
from nasoa.arch import parse
from nasoa.offline.evaluate import Trained
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import StopCriterion, architecture_hash
from nasoa.records import ArchCosts
from nasoa.steps import search_worker_calls, searches
from nasoa.steps.encode_and_build import measure_architectures
from nasoa.steps.evaluate_arch import evaluate_architecture
from nasoa.steps.nsga_select import select_generation
from nasoa.store import keys, open_store

NAME = "simulated"
TRAINING_S = (2.0, 6.0)


@dataclass(frozen=True, kw_only=True)
class SearchLoad:
    """Size of a simulated search.

    Args:
        workers: number of simultaneous evaluations.
        generations: number of generations, each of `workers` architectures.
        shared: architectures of the last generation that two workers are given at once, as when two
            runs of the pipeline overlap.
        lost: how many of these were claimed by a worker that died.
    """

    workers: int = 64
    generations: int = 4
    shared: int = 32
    lost: int = 2


class SimulatedWorker(IsolatedWorker):
    """A worker that measures and trains nothing; a training is a wait of a given time."""

    def __init__(self, trained: Counter[str], lock: threading.Lock) -> None:
        super().__init__(print)
        self._trained, self._lock = trained, lock

    def call(self, work: Callable[..., Any], *arguments: Any, timeout_s: float) -> Outcome[Any]:
        """Return what the real work would return."""
        if work is search_worker_calls.measure_isolated:
            return Outcome(costs_of(arguments[0]))
        encoding = arguments[2]
        with self._lock:
            self._trained[encoding] += 1
        rng = random.Random(encoding)
        duration = rng.uniform(*TRAINING_S)
        time.sleep(duration)
        return Outcome(Trained(rng.uniform(0.3, 0.8), "", (), duration))


def costs_of(encoding: str) -> ArchCosts:
    """Return costs that depend on the text alone."""
    rng = random.Random(encoding)
    return ArchCosts(
        encoding=encoding,
        resolution=64,
        batch_size=32,
        step_time_ms=rng.uniform(20.0, 200.0),
        inference_ms=rng.uniform(5.0, 50.0),
        train_memory_bytes=rng.randrange(10**8, 10**9),
        macs=rng.randrange(10**8, 10**9),
        params=rng.randrange(10**6, 10**8),
        activations=rng.randrange(10**6, 10**7),
        hardware="simulated",
    )


def simulate(store_uri: str, load: SearchLoad, meter: RequestMeter) -> dict[str, object]:
    """Run the generations; return times, requests, and the number of wasted trainings."""
    # Use the paper's space, which has enough architectures.
    config = searches.configure(
        store_uri, space="block", scale="paper", data="none", num_children=load.workers
    )
    searches.open_search(store_uri, NAME, config)
    trained: Counter[str] = Counter()
    lock = threading.Lock()
    worker = SimulatedWorker(trained, lock)
    stop = StopCriterion(max_evaluations=10**6)
    rows = []
    for number in range(load.generations):
        is_last = number == load.generations - 1
        meter.clear()
        watch = Stopwatch()
        chosen = select_generation(store_uri, NAME, stop).architectures
        selected = watch.read()
        wanted = measure_architectures(store_uri, NAME, chosen, worker)
        measured = watch.read()
        given = [*wanted[: load.shared]] * 2 if is_last else [*wanted]
        lost = wanted[: load.lost] if is_last else ()
        _claim_and_die(store_uri, lost)
        watch, requests = Stopwatch(), meter.report()
        meter.clear()
        waits = _evaluate(store_uri, given, load.workers, worker)
        rows.append(
            {
                "architectures": len(set(given)),
                "evaluations_asked": len(given),
                "claims_of_lost_workers": len(lost),
                "select": selected,
                "select_and_measure": measured,
                "select_and_measure_requests": requests,
                "evaluate": watch.read(),
                "evaluate_requests": meter.report(),
                "beside_training_s": {"median": _median(waits), "most": round(max(waits), 2)},
            }
        )
    return {
        **asdict(load),
        "training_s": TRAINING_S,
        "trainings": sum(trained.values()),
        "wasted_trainings": sum(trained.values()) - len(trained),
        "by_generation": rows,
    }


def _evaluate(
    store_uri: str, encodings: Sequence[str], workers: int, worker: IsolatedWorker
) -> list[float]:
    """Return the seconds that each evaluation took besides its training."""

    def evaluate(encoding: str) -> float:
        started = time.perf_counter()
        evaluation = evaluate_architecture(store_uri, NAME, encoding, worker)
        return time.perf_counter() - started - evaluation.elapsed_s

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(evaluate, encodings))


def _claim_and_die(store_uri: str, encodings: Sequence[str]) -> None:
    """Write claims whose holders will not renew them."""
    store = open_store(store_uri)
    for encoding in encodings:
        store.put(f"{keys.claims(NAME, architecture_hash(parse(encoding)))}000001", b"lost")


def _median(values: Sequence[float]) -> float:
    return round(sorted(values)[len(values) // 2], 3)
