"""Measure what an update of the predictor asks of the store when 10,000 tasks are finished.

The store is filled with finished fine-tunes and as many versions of a predictor, all learned except
one. The update that learns this one is timed and its requests are counted, with all experiences
loose and after `nasoa store compact`. The same is done for reading the whole log, as a rebuild
does, and for 1,000 new experiences at once. The predictor here only counts, so that only the time
of the store remains. Requests are HTTP requests to an S3 server, or calls of a store in a folder.
The store must be empty.

    python -m benchmarks.store_updates --store URI [--experiences 10000] [--repeats 5] [-o FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.errors import InvalidInput
from nasoa.records import CurvePoint, Experience, MetaFeatures, Regime, Task, ZooEntry
from nasoa.store import ArtifactStore, experience_log, keys, open_store, snapshots, version_info
from nasoa.store.compaction import compact
from nasoa.store.local import LocalStore
from nasoa.store.next_version import Learner
from nasoa.store.snapshots import Snapshot, State
from nasoa.store.updating import update
from nasoa.store.version_info import LearningRecord

NAME = "counting"
NUM_CLASSES = 10
BATCH = 1000


def finished(number: int) -> Experience:
    """Return a finished fine-tune of ten classes, as large as a real one: about 5 kB."""
    meta = MetaFeatures(
        num_classes=NUM_CLASSES,
        num_images=1000,
        mean_images_per_class=100.0,
        std_images_per_class=7.5,
        domain_similarity=0.83,
    )
    task = Task(
        task_id=f"20260101T{number:012d}-photos-{number * 7919 % 0xFFFFFF:06x}",
        data="s3://data/photos",
        dataset="photos",
        time_limit_s=60.0,
        seed=number,
        class_names=tuple(f"class {i}" for i in range(NUM_CLASSES)),
        num_train=800,
        num_val=100,
        num_test=100,
        resolution=128,
        meta_features=meta,
        mirror_safe=True,
        used_s=1.5,
        clock="wall",
        hardware="cpu",
    )
    regime = Regime(
        model="ET-NAS-A",
        lr=0.1,
        frozen_stages=2,
        iterations=400,
        batch_size=64,
        resolution=64,
        lr_schedule="cosine",
    )
    model = ZooEntry(
        name="ET-NAS-A",
        family="ET-NAS",
        encoding="2- 32 2-11-112-1121112",
        num_params=2_600_000,
        part_macs=(10**7,) * 6,
        part_activations=(10**5,) * 6,
        resolution=64,
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        num_classes=200,
        source="tinyimagenet200",
        source_accuracy=0.5,
    )
    curve = tuple(
        CurvePoint(iteration=20 * i, elapsed_s=2.5 * i, train_loss=2 / (i + 1), val_accuracy=0.5)
        for i in range(20)
    )
    return Experience(
        task=task,
        run_id=task.task_id,
        regime=regime,
        model=model,
        predicted_accuracy=0.7,
        predictor_version=number,
        accuracy=(number * 37 % 100) / 100,
        val_accuracy=0.7,
        elapsed_s=58.5,
        curve=curve,
        confusion=tuple(tuple(int(i == j) * 10 for j in range(10)) for i in range(10)),
        ended="deadline",
        model_dir=f"s3://nasoa/model/{task.task_id}",
        code_version="0.1.0",
        created_at=f"2026-01-01T{number:012d}",
    )


def learn(
    state: State | None, record: LearningRecord, experiences: Sequence[Experience]
) -> tuple[State, LearningRecord]:
    """Count the experiences, and nothing else."""
    before = 0 if state is None else int(state["count"])
    return {"count": np.array(before + len(experiences))}, replace(
        record, errors=(*record.errors, *(0.1,) * len(experiences))
    )


LEARNER = Learner[State](
    name=NAME, restore=dict, learn=learn, created_at=lambda: "2026-01-01", code_version="0"
)


def fill(store: ArtifactStore, experiences: Sequence[Experience]) -> None:
    """Write experiences, a version for each, and the newest version, which has learned them all."""
    by_id = {e.task.task_id: e for e in experiences}
    experience_log.at_once(lambda task_id: experience_log.append(store, by_id[task_id]), by_id)
    older = [
        keys.predictor(NAME, version, suffix)
        for version in range(1, len(experiences))
        for suffix in ("safetensors", "json")
    ]
    # None of these is read, so they can be empty.
    experience_log.at_once(lambda key: store.put(key, b""), older)
    info = replace(
        version_info.nothing(NAME), version=len(experiences), learned=tuple(sorted(by_id))
    )
    snapshots.save(store, Snapshot(learn(None, LearningRecord(), experiences)[0], info))


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count HTTP requests, and calls of a store in a folder, within the block."""
    count = [0]
    places: list[tuple[type, str]] = [(urllib3.connectionpool.HTTPConnectionPool, "urlopen")]
    places += [(LocalStore, name) for name in ("get", "put", "put_if_absent", "list", "delete")]
    originals = [getattr(kind, name) for kind, name in places]

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            count[0] += 1
            return original(*arguments, **named)

        return call

    for (kind, name), original in zip(places, originals, strict=True):
        setattr(kind, name, counting(original))
    try:
        yield count
    finally:
        for (kind, name), original in zip(places, originals, strict=True):
            setattr(kind, name, original)


def measure(call: Callable[[], object], before: Callable[[], object], repeats: int) -> Any:
    """Return seconds and requests of a call, each time after calling `before`."""
    seconds, requests = [], []
    for _ in range(repeats):
        before()
        with counted() as count:
            start = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
        requests.append(count[0])
    return {"seconds": summary(seconds), "requests": max(requests)}


def measure_all(store: ArtifactStore, count: int, repeats: int) -> dict[str, Any]:
    """Measure everything, on a store that is filled here."""
    fill(store, [finished(number) for number in range(count)])
    ends = iter(range(count, 10 * count))

    def finish(several: int = 1) -> None:
        for _ in range(several):
            experience_log.append(store, finished(next(ends)))

    def learn_new() -> None:
        update(store, LEARNER)

    measured = {
        "update, all loose": measure(learn_new, finish, repeats),
        "whole log, all loose": measure(lambda: experience_log.read_all(store), finish, 1),
        "compact": measure(lambda: compact(store), learn_new, 1),
        "update after compact, the first": measure(learn_new, finish, 1),
        "update after compact": measure(learn_new, finish, repeats),
        "whole log after compact": measure(lambda: experience_log.read_all(store), finish, 1),
        f"update of {BATCH} at once": measure(learn_new, lambda: finish(BATCH), 1),
    }
    newest = keys.predictor(NAME, snapshots.newest_versions(store, NAME)[-1], "safetensors")
    return {**measured, "bytes of the newest version": store.stat(newest).size_bytes}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--store", required=True, help="an empty folder or s3://bucket/prefix")
    parser.add_argument("--experiences", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    if store.list():
        raise InvalidInput(f"expected an empty store, but {store.uri} has objects")
    kind = "folder" if isinstance(store, LocalStore) else "s3"
    result = {
        "command": f"python -m benchmarks.store_updates --store URI --experiences "
        f"{arguments.experiences} --repeats {arguments.repeats}",
        "machine": machine(["minio", "urllib3"]),
        "store": kind,
        "experiences": arguments.experiences,
        "repeats": arguments.repeats,
        **measure_all(store, arguments.experiences, arguments.repeats),
    }
    write(result, arguments.output or RESULTS / f"store_updates_{kind}.json")


if __name__ == "__main__":
    main()
