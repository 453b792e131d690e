"""Train one architecture of a search and record its accuracy."""

from __future__ import annotations

from contextlib import ExitStack

from nasoa.arch import parse
from nasoa.errors import InvalidInput
from nasoa.offline.isolation import IsolatedWorker
from nasoa.offline.search import SearchConfig, architecture_hash
from nasoa.records import ArchCosts, Evaluation, from_json, to_json
from nasoa.steps.evaluations import is_evaluated, record_evaluation
from nasoa.steps.reading import read_record
from nasoa.steps.search_workers import TIMEOUT_SLACK_S, new_worker, prepare_lesson
from nasoa.steps.searches import read_config
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.claims import claim


def evaluate_architecture(
    store_uri: str, search_id: str, encoding: str, worker: IsolatedWorker | None = None
) -> Evaluation:
    """Return the evaluation of a measured architecture, training it unless another worker does.

    Training runs in a separate process, `worker` or a new one, and continues from its last
    checkpoint. A crash or a hang is recorded as a failure of the architecture.

    Raises:
        InvalidInput: the architecture has not been measured.
        TrainingFailed: the features of the search's teacher could not be computed.
    """
    store = open_store(store_uri)
    config = read_config(store, search_id)
    spec = parse(encoding)
    name = architecture_hash(spec)
    with ExitStack() as stack:
        holding = claim(
            store, keys.claims(search_id, name), lambda: is_evaluated(store, search_id, spec)
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


def _train(
    store: ArtifactStore,
    search_id: str,
    config: SearchConfig,
    costs: ArchCosts,
    worker: IsolatedWorker,
) -> None:
    from nasoa.steps import search_worker_calls  # noqa: PLC0415

    key = keys.training(search_id, architecture_hash(parse(costs.encoding)))
    prepare_lesson(config, worker)
    outcome = worker.call(
        search_worker_calls.train_isolated,
        store.uri,
        key,
        costs.encoding,
        to_json(config),
        timeout_s=config.evaluate.timeout_s + TIMEOUT_SLACK_S,
    )
    trained = outcome.value
    record_evaluation(
        store,
        search_id,
        config,
        costs,
        failure=trained.failure if trained else outcome.failure,
        detail=outcome.detail,
        trained=trained,
    )
    store.delete(key)
