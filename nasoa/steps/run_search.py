"""Run a search on one machine.

A generation consists of `select_generation`, `measure_architectures` on one node, and
`evaluate_architecture`, which may run anywhere and in parallel. Each may be killed and called again
at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from nasoa.cores import num_cores
from nasoa.errors import InvalidInput
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.search import StopCriterion
from nasoa.offline.worker_log import LogOnce
from nasoa.steps.encode_and_build import measure_architectures
from nasoa.steps.evaluate_arch import evaluate_architecture
from nasoa.steps.nsga_select import select_generation
from nasoa.steps.search_workers import check_proxy, new_worker
from nasoa.steps.searches import Search, read_search


def check_workers(workers: int) -> None:
    """Check a number of parallel trainings.

    Raises:
        InvalidInput: it is below 1.
    """
    if workers < 1:
        raise InvalidInput(f"expected at least 1 worker, got {workers}")


def run_search(
    store_uri: str,
    search_id: str,
    *,
    stop: StopCriterion,
    workers: int,
    report: Callable[[Search, str], None],
    is_new: bool = False,
) -> Search:
    """Run generations until the search ends, with `workers` trainings at a time.

    Args:
        store_uri: store of the search.
        search_id: name of the search.
        stop: when the search ends.
        workers: number of parallel trainings, which share the cores. Costs are measured before the
            trainings of each generation, alone, with as many threads as one training has.
        report: called with the search and "" after every evaluation, and with the search and the
            reason at the end.
        is_new: whether the caller has just started the search: then it is removed again if its
            proxy is refused.

    Returns:
        The search, with all its evaluations.

    Raises:
        InvalidInput: `workers` is below 1, there is no such search, or its proxy cannot be used.
    """
    check_workers(workers)
    threads = max(1, num_cores() // workers)
    with ExitStack() as stack:
        log = LogOnce()
        training = [stack.enter_context(new_worker(threads, log)) for _ in range(workers)]
        check_proxy(store_uri, search_id, training[0], withdraws=is_new)
        while True:
            selection = select_generation(store_uri, search_id, stop)
            if selection.ended:
                search = read_search(store_uri, search_id)
                report(search, selection.ended)
                return search
            wanted = measure_architectures(
                store_uri, search_id, selection.architectures, training[0]
            )
            _train_all(store_uri, search_id, wanted, training, report)


def _train_all(
    store_uri: str,
    search_id: str,
    encodings: Sequence[str],
    workers: Sequence[IsolatedWorker],
    report: Callable[[Search, str], None],
) -> None:
    free: SimpleQueue[IsolatedWorker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    lock = threading.Lock()
    search = read_search(store_uri, search_id)

    def evaluate(encoding: str) -> None:
        worker = free.get()
        try:
            evaluation = evaluate_architecture(store_uri, search_id, encoding, worker)
        finally:
            free.put(worker)
        with lock:
            search.evaluations[encoding] = evaluation
            report(search, "")

    with ThreadPoolExecutor(len(workers)) as pool:
        for future in [pool.submit(evaluate, encoding) for encoding in encodings]:
            future.result()
