"""From a search's front to a zoo: choose models, pretrain them, make a version (Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nasoa.arch import build_network, parse
from nasoa.config import DataConfig, PretrainConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import InvalidInput
from nasoa.offline.pretrain import pretrain
from nasoa.offline.search import architecture_hash, best
from nasoa.records import ZooEntry
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.steps.searches import read_search
from nasoa.steps.sources import source_store
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.claims import claim
from nasoa.training.checkpoint import to_bytes
from nasoa.training.hardware import use_threads
from nasoa.training.loop import Progress
from nasoa.training.precision import precision_for
from nasoa.zoo.networks import describe, to_safetensors
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD

VAL_FRACTION = 0.05


def choose_models(store_uri: str, search_id: str, num_models: int) -> tuple[str, ...]:
    """The N architectures of a search for the zoo, by rank and crowding distance.

    Raises:
        InvalidInput: N is below 1, or nothing was evaluated yet.
    """
    evaluations = read_search(store_uri, search_id).evaluations
    return tuple(e.encoding for e in best(list(evaluations.values()), num_models))


def pretrain_model(
    store_uri: str,
    zoo: str,
    encoding: str,
    data: str,
    *,
    config: PretrainConfig,
    limit_s: float,
    progress: Callable[[Progress], None] | None = None,
) -> ZooEntry:
    """Pretrain an architecture and put it into the zoo, unless it is there or another is at it.

    A pretraining that was cut off goes on from its last checkpoint.

    Args:
        store_uri: where zoo and checkpoints are.
        zoo: its name.
        encoding: the architecture.
        data: DATA of the source data set.
        config: the recipe.
        limit_s: seconds in all; the schedule ends there at the latest.
        progress: called after every step.
    """
    if limit_s <= 0:
        raise InvalidInput(f"expected a time limit above 0 s, got {limit_s:g}")
    store = open_store(store_uri)
    spec = parse(encoding)
    name = f"{zoo}-{architecture_hash(spec)[:8]}"
    prefix = keys.pretraining(zoo, name)
    with claim(store, f"{prefix}claims/", lambda: _entry(store, name) is not None) as is_mine:
        if is_mine:
            use_threads()
            dataset = _source(data, config)
            torch.manual_seed(config.seed)
            network = build_network(spec, len(dataset.class_names))
            key = f"{prefix}state.safetensors"
            result = pretrain(
                network,
                dataset,
                config,
                precision=precision_for(network),
                limit_s=limit_s,
                save=lambda state: store.put(key, to_bytes(state)),
                state=read_checkpoint(store, key),
                progress=progress,
            )
            entry = describe(
                name,
                network,
                encoding=str(spec),
                family=zoo,
                resolution=config.resolution,
                num_classes=len(dataset.class_names),
                source=dataset.name,
                source_accuracy=round(result.val_accuracy, 4),
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
            )
            weights = to_safetensors(network.float().state_dict())
            zoo_steps.add_version(store, zoo, {name: (entry, weights)})
            store.delete(key)
    found = _entry(store, name)
    assert found is not None
    return found


def _source(data: str, config: PretrainConfig) -> ImageDataset:
    return load_dataset(
        data,
        seed=config.seed,
        resolution=config.resolution,
        config=DataConfig(val_fraction=VAL_FRACTION),
        source_store=source_store(data),
    )


def _entry(store: ArtifactStore, name: str) -> ZooEntry | None:
    return zoo_steps.load_zoo(store).entries.get(name)
