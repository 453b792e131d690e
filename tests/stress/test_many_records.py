"""A store of a hundred thousand experiences and ten thousand evaluations answers in bounded time.

NASOA_STRESS_RECORDS says how many experiences (100,000); there are a tenth as many evaluations.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from nasoa.online.predictor.experience_predictor import PREDICTOR_NAME
from nasoa.records import CurvePoint, Experience, to_json
from nasoa.steps import learning, predictor_history, reporting, searches
from nasoa.steps.metrics import StoreMetrics
from nasoa.store import (
    ArtifactStore,
    experience_blocks,
    experience_log,
    keys,
    open_store,
    snapshots,
)
from tests.evaluations import evaluation
from tests.steps_alone import current_predictor
from tests.store.finished import experience

T = TypeVar("T")

BLOCK = 1000
# Seconds that one of these may take on one busy core, for each thousand records, and in any case.
FIXED_S = 10.0
SECONDS_A_THOUSAND = 1.0


def finished(number: int) -> Experience:
    one = experience(f"t{number:07d}", 0.5 + 0.0001 * (number % 4000))
    point = CurvePoint(iteration=0, elapsed_s=1.0, train_loss=0.0, val_accuracy=0.6)
    created = f"2026-01-{number // 86400 + 1:02d}T{number // 3600 % 24:02d}:{number // 60 % 60:02d}"
    return replace(one, created_at=f"{created}:{number % 60:02d}+00:00", curve=(point,))


def fill(store: ArtifactStore, count: int) -> None:
    """A packed log that is learned, but for the last experience, which is loose."""
    for block in range(count // BLOCK):
        some = [finished(number) for number in range(block * BLOCK, (block + 1) * BLOCK)]
        assert experience_blocks.write(store, block + 1, some)
    first = learning.first_version(store)
    learned = tuple(f"t{number:07d}" for number in range(count))
    snapshots.save(store, first)
    info = replace(
        first.info,
        version=2,
        parent=1,
        learned=learned,
        blocks=tuple(range(1, count // BLOCK + 1)),
    )
    snapshots.save(store, replace(first, info=info))
    experience_log.append(store, finished(count))


def fill_search(store: ArtifactStore, count: int) -> set[str]:
    """As many evaluations; returns the architectures, some of which are drawn several times."""
    encodings = set()
    config = searches.configure(store.uri, space="block", data="set.zip")
    searches.open_search(store.uri, "many", config)
    rng = np.random.default_rng(0)
    for number in range(count):
        encoding = str(config.space.sample(rng))
        encodings.add(encoding)
        found = evaluation(encoding, 1.0 + number % 997, 0.1 + 0.8 * (number % 991) / 991)
        store.put(keys.evaluation("many", f"{number:08x}"), to_json(found))
    return encodings


def timed(figures: dict[str, float], name: str, call: Callable[[], T]) -> T:
    started = time.monotonic()
    answer = call()
    figures[name] = round(time.monotonic() - started, 2)
    return answer


def check(count: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    store = open_store(str(folder))
    fill(store, count)
    encodings = fill_search(store, count // 10)
    figures: dict[str, float] = {}
    listed = timed(figures, "list", lambda: experience_log.task_ids(store))
    assert len(listed) == count + 1
    done = timed(figures, "update", lambda: learning.update(store))
    assert done.learned == (f"t{count:07d}",)
    number = max(snapshots.versions(store, PREDICTOR_NAME))
    assert len(snapshots.load(store, PREDICTOR_NAME, number).info.learned) == count + 1
    timed(figures, "load the predictor", lambda: current_predictor(store))
    page = timed(figures, "report", lambda: reporting.store_report(store))
    assert len(page) < 10_000_000
    timed(figures, "versions", lambda: predictor_history.predictor_versions(store))
    found = timed(figures, "search", lambda: searches.read_search(store.uri, "many"))
    assert found.evaluations.keys() == encodings
    metrics = StoreMetrics(store)
    text = timed(figures, "first scrape", metrics.text)
    assert f"nasoa_tasks_finished_total {count + 1}\n" in text
    assert f'nasoa_search_evaluations{{search="many"}} {count // 10}\n' in text
    timed(figures, "second scrape", metrics.text)
    print(json.dumps({"experiences": count, "seconds": figures}))  # noqa: T201
    bound_s = FIXED_S + SECONDS_A_THOUSAND * count / 1000
    assert all(seconds < bound_s for seconds in figures.values()), figures
    # A task does these at its end and at its beginning, and must not wait for the past.
    assert figures["update"] < FIXED_S
    assert figures["load the predictor"] < FIXED_S


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_a_hundred_thousand_experiences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(int(os.environ.get("NASOA_STRESS_RECORDS", "100000")), tmp_path, monkeypatch)


def test_three_thousand_experiences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short form."""
    check(3000, tmp_path, monkeypatch)
