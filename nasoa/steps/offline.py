"""The steps of a search, each from the store and into it.

A generation is `select_generation`, `measure_architectures` on one node, `evaluate_architecture`
anywhere and in parallel, and `show_search`. Each may be killed and called again at any time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import nasoa
from nasoa.arch import ArchSpec, parse, parse_block
from nasoa.config import EvaluateConfig, preset
from nasoa.data.dataset import num_cores
from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound, UnknownName
from nasoa.offline.canonical import canonical_block
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import (
    Progress,
    SearchConfig,
    Selection,
    StopCriterion,
    architecture_hash,
    difference,
    most_common_cells,
    progress,
    select,
)
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.records import ArchCosts, Evaluation, from_json, to_json
from nasoa.steps.naming import utc_now
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.claims import claim

if TYPE_CHECKING:
    from nasoa.offline.evaluate import Trained

R = TypeVar("R")
S = TypeVar("S", BlockSpace, MacroSpace)

logger = logging.getLogger(__name__)

SPACES = ("block", "macro")
TIMEOUT_SLACK_S = 120.0  # for starting, reading the data, and the last validation
READING_S = 3600.0
TOO_SLOW = "too slow"


@dataclass(frozen=True)
class Search:
    """A search as the store has it: `evaluations` are by encoding."""

    search_id: str
    config: SearchConfig
    generations: tuple[tuple[str, ...], ...]
    evaluations: dict[str, Evaluation]

    @property
    def progress(self) -> list[Progress]:
        """The front after each generation."""
        return progress(self.config, self.generations, self.evaluations)


def configure(
    store_uri: str,
    *,
    space: str,
    data: str,
    scale: str = "small",
    cells: Sequence[str] = (),
    cells_from: str = "",
    num_cells: int = 10,
    ranges: Mapping[str, Any] | None = None,
    evaluate: Mapping[str, Any] | None = None,
    **settings: Any,
) -> SearchConfig:
    """A configuration by the words that people use for it.

    Args:
        store_uri: where the search `cells_from` is.
        space: "block" or "macro".
        data: DATA of the proxy.
        scale: "small" or "paper": which presets of space and evaluation.
        cells: block texts that a macro search stacks.
        cells_from: a block search whose most common cells are stacked instead.
        num_cells: how many of them: M of Algorithm 2.
        ranges: fields of the space that are not the preset's.
        evaluate: fields of `EvaluateConfig` that are not the preset's.
        settings: further fields of `SearchConfig`.

    Raises:
        InvalidInput: a word that is none of these; a macro search without cells.
    """
    if space not in SPACES:
        raise InvalidInput(f"expected the space to be {' or '.join(SPACES)}, got {space!r}")
    judging = replace(preset(EvaluateConfig, scale), **dict(evaluate or {}))
    common = {"data": data, "evaluate": judging, **settings}
    if space == "block":
        return SearchConfig(block=_replaced(preset(BlockSpace, scale), ranges), **common)
    if cells_from:
        if num_cells < 1:
            raise InvalidInput(f"expected at least 1 cell, got {num_cells}")
        found = read_search(store_uri, cells_from)
        cells = most_common_cells(list(found.evaluations.values()), num_cells)
    blocks = tuple(dict.fromkeys(canonical_block(parse_block(text)) for text in cells))
    macro = preset(MacroSpace, scale, blocks)
    return SearchConfig(macro=_replaced(macro, ranges), **common)


def open_search(store_uri: str, search_id: str, config: SearchConfig) -> None:
    """Begin a search, or check that it is the one that was begun.

    Raises:
        InvalidInput: the store has a search of that name with another configuration; names the
            first field that differs.
    """
    store = open_store(store_uri)
    key = keys.search_config(search_id)
    if store.put_if_absent(key, to_json(config)):
        return
    found = read_config(store, search_id)
    other = difference(found, config)
    if other:
        raise InvalidInput(
            f"the search {search_id!r} in {store.uri} was begun with another configuration: "
            f"{other}; use the same, or another name"
        )


def read_config(store: ArtifactStore, search_id: str) -> SearchConfig:
    """The configuration of a search.

    Raises:
        InvalidInput: there is no search of that name; names those there are.
    """
    key = keys.search_config(search_id)
    try:
        return from_json(store.get(key), SearchConfig, key)
    except ObjectNotFound:
        known = sorted({found.split("/")[1] for found in store.list("search/")})
        there = ", ".join(known) if known else "none"
        raise InvalidInput(
            f"expected a search in {store.uri}, got {search_id!r}; there is {there}"
        ) from None


def read_search(store_uri: str, search_id: str) -> Search:
    """A search with all that was found so far; a corrupt record is named and left out."""
    store = open_store(store_uri)
    config = read_config(store, search_id)
    found = store.list(keys.generations(search_id))
    generations = tuple(tuple(from_json(store.get(key), list[str], key)) for key in found)
    evaluations: dict[str, Evaluation] = {}
    for key in store.list(keys.evaluations(search_id)):
        evaluation = _read(store, key, Evaluation)
        if evaluation is not None:
            evaluations[evaluation.encoding] = evaluation
    return Search(search_id, config, generations, evaluations)


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
            costs = _read(store, keys.arch_costs(search_id, name), ArchCosts)
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

    def evaluate(encoding: str) -> None:
        worker = free.get()
        try:
            evaluate_architecture(store_uri, search_id, encoding, worker)
        finally:
            free.put(worker)
        with lock:
            report(read_search(store_uri, search_id), "")

    with ThreadPoolExecutor(len(workers)) as pool:
        for future in [pool.submit(evaluate, encoding) for encoding in encodings]:
            future.result()


def _replaced(space: S, ranges: Mapping[str, Any] | None) -> S:
    known = [field.name for field in fields(space)]
    for name in ranges or {}:
        if name not in known:
            raise UnknownName("range of this space", name, known)
    return replace(space, **dict(ranges or {}))


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
    known = _read(store, key, ArchCosts)
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
    if not store.put_if_absent(key, to_json(evaluation)) and _read(store, key, Evaluation) is None:
        store.put(key, to_json(evaluation))  # in the place of a corrupt one


def _evaluated(store: ArtifactStore, search_id: str, spec: ArchSpec) -> bool:
    return _read(store, keys.evaluation(search_id, architecture_hash(spec)), Evaluation) is not None


def _read(store: ArtifactStore, key: str, kind: type[R]) -> R | None:
    """A record; None where there is none, or a corrupt one, which is named."""
    try:
        return from_json(store.get(key), kind, key)
    except ObjectNotFound:
        return None
    except CorruptRecord as error:
        logger.warning("made again: %s", error)
        return None
