"""Choose models from a search's front, pretrain them and add them to a zoo (Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

import torch

from nasoa.arch import build_network, parse
from nasoa.config import DataConfig, PretrainConfig
from nasoa.cores import num_cores
from nasoa.data import ImageDataset, load_dataset, local_copy, with_unlabelled
from nasoa.errors import CorruptRecord, InvalidInput, ObjectNotFound
from nasoa.offline.epoch_log import from_json_lines, to_json_lines
from nasoa.offline.feature_file import cached_features
from nasoa.offline.front import best
from nasoa.offline.pretrain import Compute, Journal, pretrain
from nasoa.offline.source_images import load_source
from nasoa.offline.teacher import Teacher, packaged_teacher
from nasoa.offline.teacher_features import Lesson, check_teacher
from nasoa.records import EpochMetrics, ZooEntry
from nasoa.scratch import ScratchFolder
from nasoa.seal import seal_tensors
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.steps.pretrain_request import STATE, PretrainRequest, finished_entry
from nasoa.steps.searches import read_search
from nasoa.steps.sources import source_store
from nasoa.store import ArtifactStore, open_store
from nasoa.store.claims import claim
from nasoa.store.zoo_versions import add_version
from nasoa.training.checkpoint import to_bytes
from nasoa.training.hardware import use_threads
from nasoa.training.precision import precision_for
from nasoa.training.processes import ALONE, Processes
from nasoa.training.run import Progress
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD
from nasoa.zoo.weight_files import to_safetensors

VAL_FRACTION = 0.05


def choose_models(store_uri: str, search_id: str, num_models: int) -> tuple[str, ...]:
    """Return the encodings of the best architectures of a search, by rank and crowding distance.

    Raises:
        InvalidInput: `num_models` is below 1, or nothing has been evaluated yet.
    """
    search = read_search(store_uri, search_id)
    chosen = best(list(search.evaluations.values()), num_models, search.config.epsilon)
    return tuple(e.encoding for e in chosen)


def pretrain_model(
    store_uri: str,
    request: PretrainRequest,
    *,
    progress: Callable[[Progress], None] = lambda _progress: None,
    epoch_ended: Callable[[EpochMetrics], None] = lambda _metrics: None,
    processes: Processes = ALONE,
) -> ZooEntry:
    """Pretrain an architecture and add it to a zoo, unless it is there or another worker does.

    An interrupted pretraining continues from its last checkpoint. The metrics of its epochs stay in
    the store.

    Args:
        store_uri: store of the zoo and the checkpoints.
        request: the model to pretrain.
        progress: called after every step, in the first process.
        epoch_ended: called after every epoch, in the first process.
        processes: the processes that pretrain the model together; each calls this function with
            the same arguments, and only the first one uses the store.

    Returns:
        The entry of the model in the zoo.

    Raises:
        InvalidInput: the time limit is not above 0, the teacher cannot be one or its features tell
            nothing about the images, there are images without labels and no teacher, or the zoo has
            the model by another recipe.
        TimeLimitError: the limit ended before the first step; nothing is added to the zoo.
        TrainingFailed: the loss became infinite or NaN; nothing is added to the zoo.
        UnknownName: the package has no model of the teacher's name.
        DataError: the data set cannot be used.
    """
    config = request.config
    if request.limit_s <= 0:
        raise InvalidInput(f"expected a time limit above 0 s, got {request.limit_s:g}")
    processes.divide(config.batch_size)
    if request.unlabelled and not config.teacher:
        raise InvalidInput(
            "expected a teacher for images without labels, got none; add --teacher, for example "
            "efficientnet-lite2"
        )
    # A teacher that is not there, or cannot be one, is reported before any work.
    teacher = (
        packaged_teacher(config.teacher, config.teacher_resolution) if config.teacher else None
    )
    store = open_store(store_uri)
    spec = parse(request.encoding)
    name, prefix = request.name, request.prefix
    with ExitStack() as held:
        work = claim(store, f"{prefix}claims/", lambda: finished_entry(store, request) is not None)
        if processes.from_first(lambda: held.enter_context(work)):
            use_threads(max(1, num_cores() // processes.local_count))
            texts = (request.data, *request.unlabelled)
            folders = [ScratchFolder() for _ in texts]
            dataset, *others = (
                _source(text, config, folder, processes)
                for text, folder in zip(texts, folders, strict=True)
            )
            if teacher:
                check_teacher(teacher, dataset)
            torch.manual_seed(config.seed)
            network = build_network(spec, len(dataset.class_names))
            journal = _journal(store, request, progress, epoch_ended, processes)
            result = pretrain(
                network,
                dataset,
                config,
                compute=Compute(precision_for(network), processes),
                limit_s=request.limit_s,
                journal=journal,
                lesson=_lesson(dataset, others, teacher, config),
            )
            entry = describe(
                network,
                Pretraining(
                    name=name,
                    resolution=config.resolution,
                    mean=IMAGENET_MEAN,
                    std=IMAGENET_STD,
                    source=dataset.name,
                    accuracy=round(result.val_accuracy, 4),
                ),
                family=request.zoo,
                encoding=str(spec),
            )
            weights = to_safetensors(network.float().state_dict())

            def add() -> None:
                model = (replace(entry, recipe=request.recipe), weights)
                add_version(store, request.zoo, {name: model})

            processes.from_first(add)
            processes.from_first(lambda: _delete_states(store, prefix))
    found = processes.from_first(lambda: finished_entry(store, request))
    assert found is not None
    return found


def _journal(
    store: ArtifactStore,
    request: PretrainRequest,
    progress: Callable[[Progress], None],
    epoch_ended: Callable[[EpochMetrics], None],
    processes: Processes,
) -> Journal:
    """Return the journal of a pretraining, whose checkpoint and epochs are in the store."""
    state = processes.from_first(lambda: read_checkpoint(store, request.state_key))
    known = processes.from_first(lambda: read_epochs(store, request.epochs_key)) if state else []
    done = state.iteration if state else 0

    def save_epochs(epochs: Sequence[EpochMetrics]) -> None:
        store.put(request.epochs_key, to_json_lines(epochs))
        epoch_ended(epochs[-1])

    return Journal(
        save=lambda state: store.put(request.state_key, seal_tensors(to_bytes(state))),
        epochs=save_epochs,
        progress=progress,
        state=state,
        # Epochs after the checkpoint are trained again.
        kept=[epoch for epoch in known if epoch.iteration <= done],
    )


def _lesson(
    dataset: ImageDataset,
    others: Sequence[ImageDataset],
    teacher: Teacher | None,
    config: PretrainConfig,
) -> Lesson | None:
    """Return the teacher's lesson for the data sets, or None if the model learns from labels."""
    if teacher is None:
        return None
    return Lesson(
        with_unlabelled(dataset, others) if others else dataset,
        teacher,
        views=config.teacher_views,
        min_scale=config.min_scale,
        seed=config.seed,
        folder=cached_features(),
    )


def read_epochs(store: ArtifactStore, key: str) -> list[EpochMetrics]:
    """Return the metrics of a pretraining's epochs; [] if they are missing or cannot be read."""
    try:
        return from_json_lines(store.get(key), key)
    except (ObjectNotFound, CorruptRecord):
        return []


def _delete_states(store: ArtifactStore, prefix: str) -> None:
    """Delete the checkpoints of a finished model, also those of other recipes."""
    for key in store.list(f"{prefix}{STATE}"):
        store.delete(key)


def _source(
    data: str, config: PretrainConfig, scratch: ScratchFolder, processes: Processes
) -> ImageDataset:
    """Read the source data set; data in a bucket are copied once for all processes of a machine."""
    data_config = DataConfig(
        val_fraction=VAL_FRACTION,
        test_fraction=0.0,  # nothing is tested
        workers=max(DataConfig.workers, num_cores() // processes.local_count),
    )

    def copy() -> str:
        store = source_store(data)
        first = processes.local_rank == 0
        return local_copy(data, store, data_config, scratch) if store and first else ""

    copies = processes.gathered((processes.node, processes.together(copy)))
    here = next((path for node, path in copies if path and node == processes.node), data)

    def load(resolution: int) -> ImageDataset:
        return load_dataset(here, seed=config.seed, resolution=resolution, config=data_config)

    return processes.together(lambda: load_source(load, config))
