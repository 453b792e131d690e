"""What the processes of a search do: measure or train one architecture."""

from __future__ import annotations

from functools import lru_cache

from nasoa.arch import ArchSpec, build_network, measure_cost, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.offline.evaluate import Trained, load_proxy, teach, train
from nasoa.offline.lesson import Lesson
from nasoa.offline.measure import measure
from nasoa.offline.search import SearchConfig
from nasoa.records import ArchCosts, from_json
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.steps.sources import source_store
from nasoa.store import open_store
from nasoa.training.checkpoint import to_bytes
from nasoa.training.hardware import hardware_key, use_threads


def prepare(threads: int) -> None:
    """The first thing in a new process: so many threads, or one for each core where it is 0."""
    use_threads(threads)


def proxy(config: SearchConfig) -> ImageDataset:
    """The proxy data set of a search, read with the store's credentials where it is in a bucket."""
    return _proxy(config.data, config.evaluate)


@lru_cache(maxsize=1)
def _proxy(data: str, config: EvaluateConfig) -> ImageDataset:
    return load_proxy(data, config, source_store(data))


@lru_cache(maxsize=1)
def _lesson(data: str, config: EvaluateConfig) -> Lesson | None:
    return teach(_proxy(data, config), config) if config.signal == "teacher" else None


def check_proxy(config: bytes) -> None:
    """Read the proxy of a search; `config` is a `SearchConfig` as JSON.

    Raises:
        DataError: it cannot be used.
    """
    proxy(from_json(config, SearchConfig))


def measure_isolated(encoding: str, config: bytes) -> ArchCosts:
    """Costs of an architecture; `config` is a `SearchConfig` as JSON."""
    search = from_json(config, SearchConfig)
    return measure(parse(encoding), head_classes(search), search.evaluate)


def counted(spec: ArchSpec, config: SearchConfig) -> ArchCosts:
    """The costs that can be counted, where nothing could be measured: times are 0."""
    cost = measure_cost(build_network(spec, head_classes(config)), config.evaluate.resolution)
    return ArchCosts(
        encoding=str(spec),
        resolution=config.evaluate.resolution,
        batch_size=config.evaluate.step_batch_size,
        step_time_ms=0.0,
        inference_ms=0.0,
        train_memory_bytes=0,
        macs=cost.macs,
        params=cost.params,
        activations=cost.activations,
        hardware=hardware_key(),
    )


def head_classes(config: SearchConfig) -> int:
    """Classes of the proxy; where all, or all of fewer, are taken, the data set tells."""
    judging = config.evaluate
    if judging.num_classes and not judging.all_if_fewer:
        return judging.num_classes
    return len(proxy(config).class_names)


def train_isolated(store_uri: str, checkpoint_key: str, encoding: str, config: bytes) -> Trained:
    """Train an architecture, from its last checkpoint if it has one."""
    search = from_json(config, SearchConfig)
    store = open_store(store_uri)
    return train(
        parse(encoding),
        proxy(search),
        search.evaluate,
        seed=search.evaluate.seed,
        state=read_checkpoint(store, checkpoint_key),
        save=lambda state: store.put(checkpoint_key, to_bytes(state)),
        lesson=_lesson(search.data, search.evaluate),
    )


def train_seeded(encoding: str, config: bytes, seed: int) -> Trained:
    """Train an architecture with another seed than the search's, and keep no checkpoints."""
    search = from_json(config, SearchConfig)
    lesson = _lesson(search.data, search.evaluate)
    return train(parse(encoding), proxy(search), search.evaluate, seed=seed, lesson=lesson)
