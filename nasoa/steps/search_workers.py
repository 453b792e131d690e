"""Worker processes in which a search measures and trains architectures."""

from __future__ import annotations

from nasoa.errors import InvalidInput, StoreUnavailable, TrainingFailed
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.search import SearchConfig
from nasoa.offline.worker_log import LogOnce
from nasoa.records import to_json
from nasoa.steps.searches import read_config, withdraw
from nasoa.store import open_store

READING_S = 3600.0
TEACHING_S = 48 * 3600.0  # for a teacher's features of all images
TIMEOUT_SLACK_S = 120.0  # for starting, reading the data, and the last validation


def new_worker(threads: int = 0, log: LogOnce | None = None) -> IsolatedWorker:
    """Create a process for measuring or training.

    Args:
        threads: number of its threads; 0 uses one per core.
        log: logs its warnings; those of workers that share it are logged once.
    """
    from nasoa.steps import search_worker_calls  # noqa: PLC0415  (torch takes more than a second)

    return IsolatedWorker(search_worker_calls.prepare, (threads,), log)


def check_proxy(store_uri: str, search_id: str, worker: IsolatedWorker, *, withdraws: bool) -> None:
    """Check that the proxy of a search can be used, before anything is evaluated.

    Args:
        store_uri: store of the search.
        search_id: name of the search.
        worker: the process that reads the proxy.
        withdraws: whether to remove the search from the store if it has no results and its proxy or
            teacher is refused; a store that fails is no reason.

    Raises:
        InvalidInput: the proxy cannot be used.
        TrainingFailed: the process failed while it read the proxy.
    """
    from nasoa.steps import search_worker_calls  # noqa: PLC0415

    store = open_store(store_uri)
    config = read_config(store, search_id)
    try:
        outcome = worker.call(search_worker_calls.check_proxy, to_json(config), timeout_s=READING_S)
    except StoreUnavailable:
        raise
    except InvalidInput:
        if withdraws:
            withdraw(store, search_id)
        raise
    if outcome.failure:
        raise TrainingFailed(
            f"expected to read the proxy {config.data}, but that failed ({outcome.failure}: "
            f"{outcome.detail}); run the search again to continue"
        )


def prepare_lesson(config: SearchConfig, worker: IsolatedWorker) -> None:
    """Let a worker compute the features of the search's teacher, if it has one.

    The time does not count as that of a training. If the features are in the cache, or the worker
    has them, it does nothing.

    Raises:
        TrainingFailed: the features could not be computed.
    """
    from nasoa.steps import search_worker_calls  # noqa: PLC0415

    if config.evaluate.signal != "teacher":
        return
    outcome = worker.call(search_worker_calls.prepare_lesson, to_json(config), timeout_s=TEACHING_S)
    if outcome.failure:
        raise TrainingFailed(
            f"expected the features of the teacher {config.evaluate.teacher}, but computing them "
            f"failed ({outcome.failure}: {outcome.detail}); run the search again to continue"
        )
