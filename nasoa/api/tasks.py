"""Fine-tune and recommend from Python."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from nasoa.api.in_memory import as_data
from nasoa.api.model import load
from nasoa.api.progress import progress_bar
from nasoa.api.recommended import Recommended
from nasoa.api.result import FineTuneResult, Predictions
from nasoa.duration import parse_duration
from nasoa.online.tuning.job import Listeners
from nasoa.records import Recommendation, from_json
from nasoa.steps.compute_meta_features import compute_meta_features
from nasoa.steps.methods import method_named
from nasoa.steps.predict_regime import predict_regime
from nasoa.steps.run_task import Request, run_task
from nasoa.steps.task_session import TaskSession
from nasoa.store import default_store, experience_log, keys, open_store
from nasoa.store.confusions import with_confusion


def finetune(  # noqa: PLR0913  (a notebook has no other place for options)
    data: object,
    time_limit: str | float,
    *,
    store: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "",
    method: str = "default",
    models: Sequence[str] = (),
    seed: int = 0,
    progress: bool | None = None,
) -> FineTuneResult:
    """Choose a model and a regime, fine-tune within a time limit, and learn from the result.

    Args:
        data: a path or URI as on the command line; a pandas DataFrame of paths and labels; a
            pair of images, as `nasoa.Model.probabilities` takes them, and `(n,)` labels; or a
            torch Dataset.
        time_limit: seconds, or a duration like "60s" or "10m"; covers everything from this call on
            until the predictor has learned, but not opening the saved model then.
        store: a folder or `s3://bucket/prefix`; by default NASOA_STORE, else `./.nasoa`.
        out: folder for the model; by default it is saved in the store.
        method: "default", or "paper" for Algorithm 3 of the paper.
        models: names of the zoo's models to choose from; all by default.
        seed: random seed for splits and training.
        progress: whether to show a progress bar; by default, in a notebook and if standard error is
            a terminal.

    Raises:
        NasoaError: the data, the time limit, a model or the store cannot be used; the message
            explains what to do.
    """
    session = _session(store, method, models)
    limit_s = parse_duration(time_limit)
    bar = progress_bar(limit_s, lambda: session.clock().elapsed_s(), progress)
    with as_data(data) as path, bar as update:
        request = Request(data=path, time_limit=limit_s, seed=seed, out=os.fspath(out))
        tested = _TestedBatches()
        summary = run_task(session, request, Listeners(tested=tested.add, progress=update))
    experience = with_confusion(session.store, experience_log.read(session.store, summary.task_id))
    key = keys.recommendation(summary.task_id)
    recommended = from_json(session.store.get(key), Recommendation, key)
    model = load(summary.model_dir)
    return FineTuneResult(
        summary=summary,
        experience=experience,
        candidates=recommended.candidates,
        model=model,
        predictions=tested.predictions(model.class_names),
    )


def recommend(
    data: object,
    time_limit: str | float,
    *,
    store: str | os.PathLike[str] | None = None,
    method: str = "default",
    models: Sequence[str] = (),
    top: int = 5,
    seed: int = 0,
) -> Recommended:
    """Return the best regimes for data and a time limit, with predicted accuracies.

    Nothing is trained.

    Args:
        data: see `finetune`.
        time_limit: see `finetune`.
        store: see `finetune`.
        method: see `finetune`.
        models: see `finetune`.
        top: number of candidates to return at most.
        seed: random seed for splits and samples.

    Raises:
        NasoaError: the data, the time limit, a model or the store cannot be used; the message
            explains what to do.
    """
    session = _session(store, method, models)
    with as_data(data) as path:
        task = compute_meta_features(session, path, time_limit, seed=seed)
    found = predict_regime(session, task, top=top)
    return Recommended(**{field.name: getattr(found, field.name) for field in fields(found)})


def _session(
    store: str | os.PathLike[str] | None, method: str, models: Sequence[str]
) -> TaskSession:
    uri = default_store() if store is None else os.fspath(store)
    return TaskSession(
        open_store(uri), started=time.monotonic(), method=method_named(method), models=models
    )


class _TestedBatches:
    """Collects the logits and labels of the test at the end of a fine-tune."""

    def __init__(self) -> None:
        self._batches: list[tuple[Tensor, Tensor]] = []

    def add(self, logits: Tensor, labels: Tensor) -> None:
        self._batches.append((logits.float().cpu(), labels.cpu()))

    def predictions(self, class_names: tuple[str, ...]) -> Predictions:
        logits, labels = (torch.cat(parts) for parts in zip(*self._batches, strict=True))
        return Predictions(
            labels=labels.numpy(),
            probabilities=logits.softmax(dim=1).numpy(),
            class_names=class_names,
        )
