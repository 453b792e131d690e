"""Records as JSON, without a digest, as an earlier release wrote them, or with one that fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from nasoa.arch import parse_block
from nasoa.cli.task import candidate_row, describe_result
from nasoa.config import EvaluateConfig
from nasoa.offline.front import front
from nasoa.offline.search import SearchConfig, StopCriterion, select
from nasoa.offline.space import BlockSpace, MacroSpace
from nasoa.online.predictor.drift import DriftAlarm
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.records import (
    ArchCosts,
    Candidate,
    CurvePoint,
    EnergyUse,
    Evaluation,
    Experience,
    FailedRun,
    Outcome,
    Probe,
    Reason,
    Recommendation,
    TaskResult,
    ZooEntry,
    from_json,
    to_json,
)
from nasoa.report.words import regime_words
from nasoa.seal import seal_json
from nasoa.store import experience_blocks, version_info
from nasoa.zoo.entries import Card
from nasoa.zoo.networks import for_classes
from nasoa.zoo.step_times import StepTime, StepTimes
from tests.fuzz.json_trees import mutated, to_bytes
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import some
from tests.random_model import random_model
from tests.store.finished import experience

# The kind of record, and the document.
Case = tuple[str, bytes]


@cache
def seeds() -> dict[str, object]:
    """A record of each kind."""
    one = experience("task-1", 0.7)
    probe = Probe(model="m", resolution=64, num_images=9, accuracy=0.5, reference_accuracy=0.4)
    point = CurvePoint(iteration=3, elapsed_s=1.0, train_loss=0.5, val_accuracy=0.5)
    task = replace(one.task, probes=(probe,))
    energy = EnergyUse(
        energy_wh=0.5, co2_g=0.2, cpu_wh=0.4, memory_wh=0.1, gpu_wh=0.0, cpu_source="tdp",
        core_w=4.0, carbon_g_per_kwh=475.0, search_trainings=40, saved_wh=19.5, saved_co2_g=9.3,
    )  # fmt: skip
    task = replace(task, energy=energy)
    whole = replace(one, task=task, curve=(point,), energy=energy)
    candidate = Candidate(
        regime=one.regime,
        predicted_accuracy=0.7,
        interval=(0.5, 0.9),
        predicted_s=8.0,
        reasons=(Reason(feature="model", gain=0.1),),
    )
    costs = ArchCosts(
        encoding="020- 8 1-2-1-2", resolution=64, batch_size=8, step_time_ms=9.0, inference_ms=3.0,
        train_memory_bytes=10**6, macs=10**6, params=10**5, activations=10**5, hardware="cpu",
    )  # fmt: skip
    return {
        "Experience": whole,
        "Task": task,
        "MetaFeatures": task.meta_features,
        "Regime": one.regime,
        "ZooEntry": one.model,
        "Recommendation": Recommendation(
            candidates=(candidate,), predictor_version=1, num_experiences=2, note="by experience",
            used_s=1.0, reserve_s=0.5,
        ),
        "Evaluation": Evaluation(
            encoding=costs.encoding, costs=costs, accuracy=0.5, failure="", detail="", seed=0,
            curve=(point,), elapsed_s=9.0, hardware="cpu", config_hash="x", code_version="0",
            created_at="now",
        ),
        "ArchCosts": costs,
        "Outcome": Outcome(
            task_id="t", reason="", elapsed_s=3.0, time_limit_s=9.0, durations_s={"learn": 1.0},
            store_retries=0, created_at="now", code_version="0",
        ),
        "TaskResult": TaskResult(
            task_id="t", dataset="d", model="m", regime=one.regime, predicted_accuracy=0.5,
            accuracy=0.5, head_val_accuracy=0.5, val_accuracy=0.5, elapsed_s=3.0, time_limit_s=9.0,
            ended="deadline", predictor_version_before=0, predictor_version_after=1, model_dir="m",
            energy=energy,
        ),
        "FailedRun": FailedRun(
            run_id="r", pipeline="p", subject="s", state="FAILED", message="m", created_at="now",
            code_version="0",
        ),
        "ModelCard": random_model(("a", "b"))[1],
        "Card": Card(entry=one.model, note="a note", epochs=3.0),
        "StepTime": StepTime(
            hardware="cpu", model="m", resolution=64, batch_size=8, frozen_stages=0, step_s=0.1,
            eval_image_s=0.01, part_macs=(1,) * 6, part_activations=(1,) * 6,
        ),
        "SnapshotInfo": version_info.SnapshotInfo(
            name="p", version=2, parent=1, new=("a",), created_at="now", code_version="0"
        ),
        "block search": SearchConfig(
            block=BlockSpace.small(), data="x.zip", evaluate=EvaluateConfig.small("block")
        ),
        "macro search": SearchConfig(
            macro=MacroSpace.small((parse_block("020-"),)), data="x.zip",
            evaluate=EvaluateConfig.paper("macro"),
        ),
    }  # fmt: skip


@cache
def documents() -> dict[str, str]:
    """The JSON of each."""
    return {name: to_json(record).decode() for name, record in seeds().items()}


@cache
def predictor() -> ExperiencePredictor:
    """One that has learned something; it is only asked."""
    found = ExperiencePredictor()
    found.learn([experience("a", 0.5), experience("b", 0.7)])
    return found


def tree(name: str) -> Any:
    """A document to change."""
    return json.loads(documents()[name])


def _learned(one: Experience) -> None:
    checked = experience_blocks.checked(to_json(one), one.task.task_id, "key")
    assert 0.0 <= predictor().predict(checked) <= 1.0


def _described(entry: ZooEntry) -> None:
    assert for_classes(entry, 3).num_classes == 3
    assert entry.macs >= 0


def _timed(row: StepTime) -> None:
    entry = experience("t", 0.5).model
    times = StepTimes.of([row] * 2)
    assert times.step_time_s(replace(entry, name=row.model), 64, 8, 0, cached=False) >= 0.0


def _went_on(info: version_info.SnapshotInfo) -> None:
    DriftAlarm.from_state(info.record.alarm).observe(0.5)


def _begun(config: SearchConfig) -> None:
    if config.num_children + config.num_random <= 64:
        select(config, StopCriterion(), [], {})


def _recommended(recommendation: Recommendation) -> None:
    for candidate in recommendation.candidates:
        candidate_row(candidate)


# What is done with records that were read.
USES: dict[str, Callable[[Any], object]] = {
    "Experience": _learned,
    "ZooEntry": _described,
    "StepTime": _timed,
    "SnapshotInfo": _went_on,
    "block search": _begun,
    "macro search": _begun,
    "Recommendation": _recommended,
    "Regime": regime_words,
    "Evaluation": lambda evaluation: front([evaluation]),
    "TaskResult": describe_result,
}


def make(rng: Random) -> Case:
    name = "Experience" if rng.random() < 0.3 else some(rng, sorted(documents()))
    raw = to_bytes(rng, mutated(rng, tree(name)))
    if rng.random() < 0.4 and raw.rstrip().endswith(b"}") and raw.strip() != b"{}":
        raw = seal_json(raw)
    return name, raw


def run(case: Case, _folder: Path) -> None:
    """Read it; what is accepted is the same when it is written and read again, and is of use."""
    name, raw = case
    kind = type(seeds()[name])
    record = from_json(raw, kind, "key")
    again = to_json(record)
    assert to_json(from_json(again, kind, "key")) == again
    USES.get(name, to_json)(record)


def warm_up() -> Iterable[Case]:
    return [(name, text.encode()) for name, text in documents().items()]


KIND = Kind(make, run, warm_up)
