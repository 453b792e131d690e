"""Simulate finished fine-tunes of realistic size, and measure the cost of learning them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from benchmarks.request_meter import RequestMeter, Stopwatch, latencies
from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import Experience
from nasoa.steps.learning import update
from nasoa.store import experience_log, keys, open_store, snapshots
from nasoa.store.compaction import compact
from nasoa.store.updating import Update

LISTINGS = 5
SINGLE_UPDATES = 5
RACERS = 8


def experiences(template: Experience, first: int, count: int) -> Iterator[Experience]:
    """Yield copies of a real one, with their own names, times, sizes and accuracies."""
    for number in range(first, first + count):
        rng = random.Random(number)
        images = rng.randrange(100, 20_000)
        classes = rng.randrange(2, 100)
        meta = replace(
            template.task.meta_features,
            num_classes=classes,
            num_images=images,
            mean_images_per_class=images / classes,
            domain_similarity=rng.uniform(0.5, 1.0),
        )
        minute, second = divmod(number, 60)
        task_id = f"20260101T{minute:06d}{second:06d}-simulated-{number:06x}"
        yield replace(
            template,
            task=replace(template.task, task_id=task_id, meta_features=meta),
            regime=replace(template.regime, lr=10 ** rng.uniform(-4, -1)),
            accuracy=rng.uniform(0.2, 1.0),
            created_at=f"2026-01-01T{minute:06d}:{second:02d}",
        )


def write(
    store_uri: str, made: Sequence[Experience], clients: int, meter: RequestMeter
) -> dict[str, object]:
    """Append them from `clients` at once, each with a separate connection."""
    meter.clear()
    watch = Stopwatch()

    def client(own: Sequence[Experience]) -> None:
        store = open_store(store_uri)
        for experience in own:
            if not experience_log.append(store, experience):
                raise RuntimeError(f"{experience.task.task_id} existed already")

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, [made[i::clients] for i in range(clients)]))
    spent = watch.read()
    return {
        "experiences": len(made),
        "clients": clients,
        **spent,
        "a_second": round(len(made) / spent["wall_s"], 1),
        **meter.report(),
    }


def list_all(store_uri: str, meter: RequestMeter) -> dict[str, object]:
    """List the experience log several times."""
    store = open_store(store_uri)
    found = len(experience_log.task_ids(store))
    meter.clear()
    watch, times = Stopwatch(), []
    for _ in range(LISTINGS):
        started = time.perf_counter()
        experience_log.task_ids(store)
        times.append(time.perf_counter() - started)
    requests = meter.report()["http_requests"]
    assert isinstance(requests, int)
    return {
        "tasks": found,
        "http_requests_each": requests / LISTINGS,
        **latencies(times),
        **watch.read(),
    }


def catch_up(store_uri: str, meter: RequestMeter) -> dict[str, object]:
    """Run one update that learns everything new."""
    meter.clear()
    watch = Stopwatch()
    done = update(open_store(store_uri))
    return {"learned": len(done.learned), **watch.read(), **meter.report()}


def update_singly(
    store_uri: str, made: Sequence[Experience], meter: RequestMeter
) -> dict[str, object]:
    """Measure the end of a task: append one experience and learn it."""
    store = open_store(store_uri)
    watch, times = Stopwatch(), []
    meter.clear()
    for experience in made:
        experience_log.append(store, experience)
        started = time.perf_counter()
        update(open_store(store_uri))
        times.append(time.perf_counter() - started)
    newest = snapshots.versions(store, PREDICTOR_NAME)[-1]
    sizes = {
        suffix: store.stat(keys.predictor(PREDICTOR_NAME, newest, suffix)).size_bytes
        for suffix in ("safetensors", "json")
    }
    return {
        "updates": latencies(times),
        **watch.read(),
        "bytes_of_a_version": sizes,
        **meter.report(),
    }


def update_at_once(
    store_uri: str, made: Sequence[Experience], meter: RequestMeter
) -> dict[str, object]:
    """Measure simultaneous ends of tasks: each appends its experience and updates the predictor."""
    meter.clear()
    watch = Stopwatch()

    def end(experience: Experience) -> Update:
        experience_log.append(open_store(store_uri), experience)
        return update(open_store(store_uri))

    with ThreadPoolExecutor(len(made)) as pool:
        updates = list(pool.map(end, made))
    spent = watch.read()
    learned = sorted(task_id for done in updates for task_id in done.learned)
    if learned != sorted(experience.task.task_id for experience in made):
        raise RuntimeError(f"expected each task to be learned once, got {learned}")
    versions = {update.version_after for update in updates if update.learned}
    return {"tasks": len(made), "versions_made": len(versions), **spent, **meter.report()}


def pack(store_uri: str, meter: RequestMeter) -> dict[str, object]:
    """Pack the log into blocks, like `nasoa store compact`."""
    meter.clear()
    watch = Stopwatch()
    done = compact(open_store(store_uri))
    return {**asdict(done), **watch.read(), **meter.report()}
