"""The steps of a search, each from the store and into it.

A generation is `select_generation`, `measure_architectures` on one node, `evaluate_architecture`
anywhere and in parallel, and `show_search`. Each may be killed and called again at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING

import nasoa
from nasoa.arch import ArchSpec, parse
from nasoa.cores import num_cores
from nasoa.errors import InvalidInput
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import (
    SearchConfig,
    Selection,
    StopCriterion,
    architecture_hash,
    select,
)
from nasoa.records import ArchCosts, Evaluation, from_json, to_json
from nasoa.steps.naming import utc_now
from nasoa.steps.searches import Search, read_config, read_record, read_search
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.claims import claim

if TYPE_CHECKING:
    from nasoa.offline.evaluate import Trained

TIMEOUT_SLACK_S = 120.0  # for starting, reading the data, and the last validation
READING_S = 3600.0
TOO_SLOW = "too slow"


def select_generation(store_uri: str, search_id: str, stop: StopCriterion) -> Selection:
    """What to evaluate next, or why the search has ended; a new generation goes into the store.

    Of two that select at once one writes the generation, and both go on with it.
    """
    store = open_store(store_uri)
    while True:
        search = read_search(store_uri, search_id)
        selection = select(search.config, stop, search.generations, search.evaluations)
        if not selection.is_new:
            return selection
        key = keys.generation(search_id, selection.generation)
        if store.put_if_absent(key, to_json(list(selection.architectures))):
            return selection


def measure_architectures(
    store_uri: str,
    search_id: str,
    encodings: Iterable[str],
    worker: IsolatedWorker | None = None,
) -> tuple[str, ...]:
    """Measure costs, one architecture after another; returns those that are to be trained.

    An architecture whose step takes longer than Tm, or that cannot be run at all, gets its
    evaluation here and is not trained.
    """
    store = open_store(store_uri)
    config = read_config(store, search_id)
    wanted = []
    with ExitStack() as stack:
        if worker is None:
            worker = stack.enter_context(new_worker())
            _check_proxy(store_uri, search_id, worker)
        for encoding in encodings:
            spec = parse(encoding)
            if _evaluated(store, search_id, spec):
                continue
            costs, outcome = _costs(store, search_id, spec, config, worker)
            failure, detail = outcome.failure, outcome.detail
            if not failure and 0 < config.max_step_time_ms < costs.step_time_ms:
                failure = TOO_SLOW
                detail = (
                    f"a step takes {costs.step_time_ms:.1f} ms, more than "
                    f"{config.max_step_time_ms:g} ms"
                )
            if failure:
                _record(store, search_id, config, costs, failure=failure, detail=detail)
            else:
                wanted.append(encoding)
    return tuple(wanted)


def evaluate_architecture(
    store_uri: str, search_id: str, encoding: str, worker: IsolatedWorker | None = None
) -> Evaluation:
    """Train an architecture that was measured, unless that is done or another is at it.

    The training has a process of its own, `worker` or a new one: a crash or a hang is recorded as
    the architecture's failure. It goes on from its last checkpoint.

    Raises:
        InvalidInput: the architecture was not measured.
    """
    store = open_store(store_uri)
    config = read_config(store, search_id)
    spec = parse(encoding)
    name = architecture_hash(spec)
    with ExitStack() as stack:
        holding = claim(
            store, keys.claims(search_id, name), lambda: _evaluated(store, search_id, spec)
        )
        if stack.enter_context(holding):
            costs = read_record(store, keys.arch_costs(search_id, name), ArchCosts)
            if costs is None:
                raise InvalidInput(
                    f"expected {encoding} to be measured before it is trained; measure it first"
                )
            _train(store, search_id, config, costs, worker or stack.enter_context(new_worker()))
    key = keys.evaluation(search_id, name)
    return from_json(store.get(key), Evaluation, key)


def run_search(
    store_uri: str,
    search_id: str,
    *,
    stop: StopCriterion,
    workers: int,
    report: Callable[[Search, str], None],
) -> Search:
    """Generations in this process until the search ends, trainings `workers` at a time.

    Args:
        store_uri: where the search is.
        search_id: of the search.
        stop: when it ends.
        workers: trainings at once, which share the cores; measuring is done before each
            generation's, alone, with as many threads as a training has.
        report: called after every evaluation with what was found so far, and at the end with the
            reason.
    """
    if workers < 1:
        raise InvalidInput(f"expected at least 1 worker, got {workers}")
    threads = max(1, num_cores() // workers)
    with ExitStack() as stack:
        training = [stack.enter_context(new_worker(threads)) for _ in range(workers)]
        _check_proxy(store_uri, search_id, training[0])
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


def _check_proxy(store_uri: str, search_id: str, worker: IsolatedWorker) -> None:
    """Raise `DataError` in one line where the proxy cannot be used, before anything is judged."""
    from nasoa.steps import judging  # noqa: PLC0415

    config = read_config(open_store(store_uri), search_id)
    worker.call(judging.check_proxy, to_json(config), timeout_s=READING_S)


def new_worker(threads: int = 0) -> IsolatedWorker:
    """A process for measuring or training, with so many threads; 0: one for each core."""
    from nasoa.steps import judging  # noqa: PLC0415  (torch takes more than a second)

    return IsolatedWorker(judging.prepare, (threads,))


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


def _costs(
    store: ArtifactStore,
    search_id: str,
    spec: ArchSpec,
    config: SearchConfig,
    worker: IsolatedWorker,
) -> tuple[ArchCosts, Outcome[ArchCosts]]:
    """The costs in the store, or those measured now; counted ones only where measuring failed."""
    from nasoa.steps import judging  # noqa: PLC0415  (torch takes more than a second)

    key = keys.arch_costs(search_id, architecture_hash(spec))
    known = read_record(store, key, ArchCosts)
    if known is not None:
        return known, Outcome(known)
    outcome = worker.call(
        judging.measure_isolated,
        str(spec),
        to_json(config),
        timeout_s=config.evaluate.timeout_s + TIMEOUT_SLACK_S,
    )
    if outcome.value is None:
        return judging.counted(spec, config), outcome
    store.put(key, to_json(outcome.value))
    return outcome.value, outcome


def _train(
    store: ArtifactStore,
    search_id: str,
    config: SearchConfig,
    costs: ArchCosts,
    worker: IsolatedWorker,
) -> None:
    from nasoa.steps import judging  # noqa: PLC0415

    key = keys.training(search_id, architecture_hash(parse(costs.encoding)))
    outcome = worker.call(
        judging.train_isolated,
        store.uri,
        key,
        costs.encoding,
        to_json(config),
        timeout_s=config.evaluate.timeout_s + TIMEOUT_SLACK_S,
    )
    trained = outcome.value
    _record(
        store,
        search_id,
        config,
        costs,
        failure=trained.failure if trained else outcome.failure,
        detail=outcome.detail,
        trained=trained,
    )
    store.delete(key)


def _record(
    store: ArtifactStore,
    search_id: str,
    config: SearchConfig,
    costs: ArchCosts,
    *,
    failure: str,
    detail: str,
    trained: Trained | None = None,
) -> None:
    key = keys.evaluation(search_id, architecture_hash(parse(costs.encoding)))
    evaluation = Evaluation(
        encoding=costs.encoding,
        costs=costs,
        accuracy=trained.accuracy if trained else None,
        failure=failure,
        detail=detail,
        seed=config.evaluate.seed,
        curve=trained.curve if trained else (),
        elapsed_s=round(trained.elapsed_s, 3) if trained else 0.0,
        hardware=costs.hardware,
        config_hash=config.hash,
        code_version=nasoa.__version__,
        created_at=utc_now(),
    )
    if (
        not store.put_if_absent(key, to_json(evaluation))
        and read_record(store, key, Evaluation) is None
    ):
        store.put(key, to_json(evaluation))  # in the place of a corrupt one


def _evaluated(store: ArtifactStore, search_id: str, spec: ArchSpec) -> bool:
    return (
        read_record(store, keys.evaluation(search_id, architecture_hash(spec)), Evaluation)
        is not None
    )
