"""Functions that the worker processes of a search run: measure or train one architecture."""

from __future__ import annotations

from functools import lru_cache

from nasoa.arch import ArchSpec, build_network, measure_cost, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.offline.evaluate import Trained, load_proxy, teach, train
from nasoa.offline.measure import measure
from nasoa.offline.search import SearchConfig
from nasoa.offline.teacher import packaged_teacher
from nasoa.offline.teacher_features import Lesson, check_teacher
from nasoa.records import ArchCosts, from_json
from nasoa.steps.checkpoints import read_checkpoint
from nasoa.steps.sources import source_store
from nasoa.store import open_store
from nasoa.training.checkpoint import to_bytes
from nasoa.training.hardware import hardware_key, use_threads


def prepare(threads: int) -> None:
    """Set the number of threads of a new worker process; 0 uses one per core."""
    use_threads(threads)


def proxy(config: SearchConfig) -> ImageDataset:
    """Return the proxy data set of a search; in a bucket, it is read with the store's keys."""
    return _proxy(config.data, config.evaluate)


@lru_cache(maxsize=1)
def _proxy(data: str, config: EvaluateConfig) -> ImageDataset:
    return load_proxy(data, config, source_store(data))


@lru_cache(maxsize=1)
def _lesson(data: str, config: EvaluateConfig) -> Lesson | None:
    return teach(_proxy(data, config), config) if config.signal == "teacher" else None


def check_proxy(config: bytes) -> None:
    """Check that the proxy data set of a search can be read, and that its teacher can teach.

    Args:
        config: a `SearchConfig` as JSON.

    Raises:
        DataError: the proxy cannot be used.
        InvalidInput: the package has no such teacher, it cannot be one, or its features tell
            nothing about the proxy.
    """
    search = from_json(config, SearchConfig)
    judged = search.evaluate
    if judged.signal != "teacher":
        proxy(search)
        return
    # A teacher that is not there is reported before the data are read.
    teacher = packaged_teacher(judged.teacher, judged.teacher_resolution)
    check_teacher(teacher, proxy(search))


def prepare_lesson(config: bytes) -> None:
    """Compute the teacher's features of the proxy, before a training in this process needs them.

    Args:
        config: a `SearchConfig` as JSON.
    """
    search = from_json(config, SearchConfig)
    _lesson(search.data, search.evaluate)


def measure_isolated(encoding: str, config: bytes) -> ArchCosts:
    """Measure the costs of an architecture; `config` is a `SearchConfig` as JSON."""
    search = from_json(config, SearchConfig)
    return measure(parse(encoding), head_classes(search), search.evaluate)


def counted(spec: ArchSpec, config: SearchConfig) -> ArchCosts:
    """Return the costs that need no measurement; times and memory are 0."""
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
    """Return the number of classes of the proxy.

    The data set is read only if the configuration does not fix that number.
    """
    evaluate = config.evaluate
    if evaluate.num_classes and not evaluate.all_if_fewer:
        return evaluate.num_classes
    return len(proxy(config).class_names)


def train_isolated(store_uri: str, checkpoint_key: str, encoding: str, config: bytes) -> Trained:
    """Train an architecture, continuing from its checkpoint if it has one."""
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
    """Train an architecture with a seed other than the search's, without checkpoints."""
    search = from_json(config, SearchConfig)
    lesson = _lesson(search.data, search.evaluate)
    return train(parse(encoding), proxy(search), search.evaluate, seed=seed, lesson=lesson)
