"""Fine-tune and recommend from Python."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
import torch

from nasoa.api.in_memory import as_data
from nasoa.api.model import Model, load
from nasoa.api.result import FineTuneResult, Predictions
from nasoa.data import ImageDataset
from nasoa.duration import parse_duration
from nasoa.records import Recommendation, from_json
from nasoa.steps.compute_meta_features import compute_meta_features
from nasoa.steps.methods import method_named
from nasoa.steps.predict_regime import predict_regime
from nasoa.steps.run_task import Request, run_task
from nasoa.steps.task_session import TaskSession
from nasoa.store import default_store, experience_log, keys, open_store
from nasoa.store.confusions import with_confusion


def finetune(
    data: object,
    time_limit: str | float,
    *,
    store: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "",
    method: str = "default",
    models: Sequence[str] = (),
    seed: int = 0,
) -> FineTuneResult:
    """Choose a model and a regime, fine-tune within a time limit, and learn from the result.

    Args:
        data: a path or URI as on the command line; a pandas DataFrame of paths and labels; a
            pair of `(n, h, w, 3)` images and `(n,)` labels; or a torch Dataset.
        time_limit: seconds, or a duration like "60s" or "10m"; covers everything from this call on.
        store: a folder or `s3://bucket/prefix`; by default NASOA_STORE, else `./.nasoa`.
        out: folder for the model; by default it is saved in the store.
        method: "default", or "paper" for Algorithm 3 of the paper.
        models: names of the zoo's models to choose from; all by default.
        seed: random seed for splits and training.

    Raises:
        NasoaError: the data, the time limit, a model or the store cannot be used; the message
            explains what to do.
    """
    session = _session(store, method, models)
    limit_s = parse_duration(time_limit)
    with as_data(data) as path:
        request = Request(data=path, time_limit=limit_s, seed=seed, out=os.fspath(out))
        summary = run_task(session, request)
        experience = with_confusion(
            session.store, experience_log.read(session.store, summary.task_id)
        )
        key = keys.recommendation(summary.task_id)
        recommended = from_json(session.store.get(key), Recommendation, key)
        model = load(summary.model_dir)
        assert session.dataset is not None  # set by run_task
        predictions = _predictions(model, session.dataset)
    return FineTuneResult(
        summary=summary,
        experience=experience,
        candidates=recommended.candidates,
        model=model,
        predictions=predictions,
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
) -> Recommendation:
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
    return predict_regime(session, task, top=top)


def _session(
    store: str | os.PathLike[str] | None, method: str, models: Sequence[str]
) -> TaskSession:
    uri = default_store() if store is None else os.fspath(store)
    return TaskSession(
        open_store(uri), started=time.monotonic(), method=method_named(method), models=models
    )


def _predictions(model: Model, dataset: ImageDataset) -> Predictions:
    """Classify the test images."""
    split, classifier = dataset.test, model.classifier
    batches = torch.arange(len(split)).split(classifier.batch_size)
    parts = [classifier.probabilities(split.images(indices)).numpy() for indices in batches]
    return Predictions(
        labels=split.labels.numpy(),
        probabilities=np.concatenate(parts),
        class_names=dataset.class_names,
    )
