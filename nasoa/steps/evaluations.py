"""Evaluations of a search in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nasoa
from nasoa.arch import ArchSpec, parse
from nasoa.offline.search import SearchConfig, architecture_hash
from nasoa.records import ArchCosts, Evaluation, to_sealed_json
from nasoa.steps.naming import utc_now
from nasoa.steps.reading import read_record
from nasoa.store import ArtifactStore, keys

if TYPE_CHECKING:
    from nasoa.offline.evaluate import Trained


def record_evaluation(
    store: ArtifactStore,
    search_id: str,
    config: SearchConfig,
    costs: ArchCosts,
    *,
    failure: str,
    detail: str,
    trained: Trained | None = None,
) -> None:
    """Store the evaluation of an architecture; an existing one is replaced only if corrupt."""
    key = keys.evaluation(search_id, architecture_hash(parse(costs.encoding)))
    evaluation = Evaluation(
        encoding=costs.encoding,
        costs=costs,
        accuracy=trained.accuracy if trained else None,
        score=trained.score if trained else None,
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
        not store.put_if_absent(key, to_sealed_json(evaluation))
        and read_record(store, key, Evaluation) is None
    ):
        store.put(key, to_sealed_json(evaluation))  # replaces a corrupt one


def is_evaluated(store: ArtifactStore, search_id: str, spec: ArchSpec) -> bool:
    """Whether the store holds a readable evaluation of an architecture."""
    return (
        read_record(store, keys.evaluation(search_id, architecture_hash(spec)), Evaluation)
        is not None
    )
