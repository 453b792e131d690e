"""Build the networks of a generation and measure their costs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack

from nasoa.arch import ArchSpec, parse
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import SearchConfig, architecture_hash
from nasoa.records import ArchCosts, to_json, to_sealed_json
from nasoa.steps.evaluations import is_evaluated, record_evaluation
from nasoa.steps.reading import read_record
from nasoa.steps.search_workers import TIMEOUT_SLACK_S, check_proxy, new_worker
from nasoa.steps.searches import read_config
from nasoa.store import ArtifactStore, keys, open_store

TOO_SLOW = "too slow"


def measure_architectures(
    store_uri: str,
    search_id: str,
    encodings: Iterable[str],
    worker: IsolatedWorker | None = None,
) -> tuple[str, ...]:
    """Measure the costs of architectures, and return the encodings of those to train.

    An architecture whose step takes longer than `max_step_time_ms` (Tm of Eq. 1), or that cannot
    be run at all, is recorded as a failed evaluation here and not trained.

    Args:
        store_uri: store of the search.
        search_id: name of the search.
        encodings: encodings of the architectures.
        worker: the process to measure in, which has checked the proxy; None for a new one.

    Raises:
        InvalidInput: a new process cannot use the proxy here; the search remains as it is.
    """
    store = open_store(store_uri)
    config = read_config(store, search_id)
    wanted = []
    with ExitStack() as stack:
        if worker is None:
            worker = stack.enter_context(new_worker())
            # Another step, perhaps of another run, has started the search.
            check_proxy(store_uri, search_id, worker, withdraws=False)
        for encoding in encodings:
            spec = parse(encoding)
            if is_evaluated(store, search_id, spec):
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
                record_evaluation(store, search_id, config, costs, failure=failure, detail=detail)
            else:
                wanted.append(encoding)
    return tuple(wanted)


def _costs(
    store: ArtifactStore,
    search_id: str,
    spec: ArchSpec,
    config: SearchConfig,
    worker: IsolatedWorker,
) -> tuple[ArchCosts, Outcome[ArchCosts]]:
    """Return stored or newly measured costs; if measuring failed, those that can be counted."""
    from nasoa.steps import search_worker_calls  # noqa: PLC0415  (torch takes more than a second)

    key = keys.arch_costs(search_id, architecture_hash(spec))
    known = read_record(store, key, ArchCosts)
    if known is not None:
        return known, Outcome(known)
    outcome = worker.call(
        search_worker_calls.measure_isolated,
        str(spec),
        to_json(config),
        timeout_s=config.evaluate.timeout_s + TIMEOUT_SLACK_S,
    )
    if outcome.value is None:
        return search_worker_calls.counted(spec, config), outcome
    store.put(key, to_sealed_json(outcome.value))
    return outcome.value, outcome
