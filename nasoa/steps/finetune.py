"""Step 3 of a task: fine-tune within the limit, save the model and record the experience."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

import torch

import nasoa
from nasoa.errors import CorruptRecord, ObjectNotFound
from nasoa.online.tuning.finetune import NOBODY, FineTuned
from nasoa.online.tuning.finetune import finetune as tune
from nasoa.online.tuning.job import Job, Known, Listeners
from nasoa.online.tuning.reference_cost import reference_cost
from nasoa.online.tuning.saved_model import MOST_CLASSES, README_FILE, ModelCard, to_files
from nasoa.online.tuning.wilson_interval import wilson_interval
from nasoa.records import Experience, Recommendation, Regime, Task, ZooEntry, to_sealed_json
from nasoa.report.model_card import model_card_markdown
from nasoa.steps.checkpoint_writer import CheckpointWriter
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.steps.compute_meta_features import read_unchanged
from nasoa.steps.naming import utc_now
from nasoa.steps.predict_regime import predict_regime
from nasoa.steps.probing import features_for
from nasoa.steps.task_session import TaskSession
from nasoa.store import ArtifactStore, experience_log, keys, listing, open_store
from nasoa.store.claims import only_holder
from nasoa.store.confusions import with_confusion
from nasoa.training.checkpoint import RunState
from nasoa.training.deadline import Deadline
from nasoa.training.hardware import using_threads
from nasoa.training.precision import precision_for
from nasoa.zoo.networks import for_classes, load_network

logger = logging.getLogger(__name__)


def finetune(
    session: TaskSession,
    task: Task,
    recommendation: Recommendation,
    *,
    out: str = "",
    listeners: Listeners = NOBODY,
) -> Experience:
    """Fine-tune with the best candidate, save the model and record the experience.

    A task with a checkpoint in the store continues from it. If the weights of the chosen model are
    missing or damaged, a warning is logged and another model is chosen.

    Args:
        session: session of the task.
        task: the task, from `compute_meta_features`.
        recommendation: the candidates, from `predict_regime`.
        out: folder or `s3://` prefix for the model; by default it is saved in the store.
        listeners: callbacks during the fine-tune; checkpoints are saved in any case.

    Raises:
        InvalidInput: the data have changed since the task started.
        AlreadyClaimed: another process works on the task.
    """
    store = session.store
    work = f"task {task.task_id}"
    with only_holder(store, keys.task_claims(task.task_id), work) as check_claim:
        with contextlib.suppress(ObjectNotFound):
            # A step that is retried may already have done its work.
            return with_confusion(store, experience_log.read(store, task.task_id))
        with using_threads(session.threads):
            return _finetune(session, task, recommendation, out, listeners, check_claim)


def spent_s(store: ArtifactStore, task: Task, recommendation: Recommendation) -> float:
    """Return the seconds of a task's limit that other processes have used."""
    return _spent_s(recommendation, _last_checkpoint(store, task))


def _spent_s(recommendation: Recommendation, state: RunState | None) -> float:
    return max(recommendation.used_s, state.elapsed_s if state else 0.0)


def _finetune(
    session: TaskSession,
    task: Task,
    recommendation: Recommendation,
    out: str,
    listeners: Listeners,
    check_claim: Callable[[], None],
) -> Experience:
    """`finetune` for the holder of the task's claim; `check_claim` raises if that was lost."""
    store = session.store
    state = _last_checkpoint(store, task)
    clock = session.clock(_spent_s(recommendation, state))
    usable, weights = _with_weights(session, task, recommendation)
    if usable is not recommendation:
        recommendation, state = usable, None  # the checkpoint belongs to the other model
    choice = recommendation.candidates[0]
    entry = session.zoo.entry(choice.regime.model)
    torch.manual_seed(task.seed)
    network = load_network(entry, weights, len(task.class_names))
    regime = choice.regime
    dataset = session.dataset
    if dataset is None:
        dataset = read_unchanged(task, session.reading_limit(task.data, task.time_limit_s))
    session.measure_writing(open_store(out) if out else store)
    store.put_if_absent(keys.task(task.task_id), to_sealed_json(task))
    chosen = to_sealed_json(recommendation)
    store.put_if_absent(keys.recommendation(task.task_id), chosen)
    job = Job(
        network=network,
        data=dataset,
        regime=regime,
        entry=entry,
        mirror_safe=task.mirror_safe,
        precision=precision_for(network),
        seed=task.seed,
    )
    reserve_s = recommendation.reserve_s + session.saving_s(entry.saved_bytes)
    deadline = Deadline(clock, task.time_limit_s - reserve_s)
    writer = CheckpointWriter(
        store, task, lambda num_bytes: session.saving_s(num_bytes) < deadline.remaining_s
    )
    tuned = tune(
        job,
        deadline,
        reference_cost(entry, regime, num_train=task.num_train, num_classes=len(task.class_names)),
        known=Known(state=state, features=features_for(session.features, regime)),
        listeners=replace(listeners, save=writer.save),
    )
    # If there was no time for a step, only the initial head was fitted; that counts as one step.
    done = replace(
        regime,
        iterations=max(tuned.training.iterations, 1),
        cached_features=regime.cached_features and tuned.is_cached,
    )
    energy = session.energy(recommendation.energy)
    card = replace(
        _card(task, entry, done, tuned),
        predicted_accuracy=choice.predicted_accuracy,
        grey_range=dataset.grey_range,
        stored_resolution=dataset.resolution,
        energy=energy,
    )
    check_claim()
    files = to_files(network.float().cpu(), card)
    files[README_FILE] = model_card_markdown(card).encode()
    model_dir = _save_model(store, out, task.task_id, files)
    experience = Experience(
        task=task,
        run_id=task.task_id,
        regime=done,
        model=entry,
        predicted_accuracy=choice.predicted_accuracy,
        predictor_version=recommendation.predictor_version,
        accuracy=tuned.accuracy,
        val_accuracy=tuned.training.val_accuracy,
        elapsed_s=round(clock.elapsed_s(), 3),
        curve=tuned.training.curve,
        confusion=tuned.confusion,
        ended=tuned.training.ended,
        model_dir=model_dir,
        code_version=nasoa.__version__,
        created_at=utc_now(),
        energy=energy,
    )
    experience_log.append(store, experience)
    writer.close()
    return experience


def _with_weights(
    session: TaskSession, task: Task, recommendation: Recommendation
) -> tuple[Recommendation, bytes]:
    """Return a recommendation whose first model has readable weights, and these weights.

    Models whose weights are missing or damaged are removed. If no recommended model remains,
    others are chosen.
    """
    while recommendation.candidates:
        model = recommendation.candidates[0].regime.model
        try:
            return recommendation, session.zoo.weights(model)
        except (CorruptRecord, ObjectNotFound) as error:
            logger.warning("%s; another model is chosen", error)
        session.leave_out(model)
        others = tuple(c for c in recommendation.candidates if c.regime.model != model)
        recommendation = replace(recommendation, candidates=others)
    return _with_weights(session, task, predict_regime(session, task))


def _card(task: Task, entry: ZooEntry, done: Regime, tuned: FineTuned) -> ModelCard:
    """Return the card of a fine-tuned model, with what the task and its result tell."""
    tested = sum(map(sum, tuned.confusion))
    return ModelCard(
        task_id=task.task_id,
        dataset=task.dataset,
        class_names=task.class_names,
        entry=for_classes(entry, len(task.class_names)),
        regime=done,
        mirror_safe=task.mirror_safe,
        accuracy=tuned.accuracy,
        accuracy_interval=wilson_interval(round(tuned.accuracy * tested), tested),
        val_accuracy=tuned.training.val_accuracy,
        confusion=tuned.confusion if len(task.class_names) <= MOST_CLASSES else (),
        num_train=task.num_train,
        num_val=task.num_val,
        num_test=task.num_test,
        num_tested=tested,
        fingerprint=task.fingerprint,
        time_limit_s=task.time_limit_s,
        seed=task.seed,
        created_at=utc_now(),
        code_version=nasoa.__version__,
    )


def _save_model(store: ArtifactStore, out: str, task_id: str, files: dict[str, bytes]) -> str:
    """Write the model's files to the folder or S3 prefix `out`, or into the store."""
    folder = "" if out else keys.model(task_id) + "/"
    target = open_store(out) if out else store
    for name, content in files.items():
        target.put(folder + name, content)
    return f"{target.uri}/{folder}".rstrip("/")


def _last_checkpoint(store: ArtifactStore, task: Task) -> RunState | None:
    found = (
        read_checkpoint(store, keys.checkpoint(task.task_id, iteration))
        for iteration in reversed(_checkpoints(store, task))
    )
    return next((state for state in found if state is not None), None)


def _checkpoints(store: ArtifactStore, task: Task) -> list[int]:
    """Return the iterations at which a task has a checkpoint, ascending."""
    return listing.numbers(store, keys.checkpoints(task.task_id), ".safetensors")
