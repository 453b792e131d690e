"""The zoo in the steps: packaged and imported models, and measured step times."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nasoa.errors import UnknownName
from nasoa.online.regimes.task_times import TimeModel
from nasoa.records import HEAD_ONLY, MetaFeatures, Task, ZooEntry, to_json
from nasoa.steps import zoo
from nasoa.store import keys, open_store
from nasoa.training.hardware import hardware_key
from nasoa.zoo.entries import DEPTHWISE_MODEL, REFERENCE_MODEL
from nasoa.zoo.networks import load_network
from nasoa.zoo.step_times import FIT_S, SCALED_ERROR, StepTimes, reference_rows
from tests import steps_alone


@pytest.fixture
def published(shared: Path, tmp_path: Path) -> Path:
    """Two published files, one with the other's name, as for E and F."""
    layouts = json.loads((shared / "paper/published_checkpoint_layout.json").read_text())
    folder = tmp_path / "published"
    folder.mkdir()
    for name, file in (("ET-NAS-A", "ET-NAS-B.pth.tar"), ("ET-NAS-B", "ET-NAS-A.pth")):
        generator = torch.Generator().manual_seed(1)
        state = {
            f"module.{key}": torch.rand(shape, generator=generator)
            for key, shape in layouts[name]["keys"].items()
        }
        torch.save({"state_dict": state} if file.endswith("tar") else state, folder / file)
    return folder


def test_published_checkpoints_join_the_zoo_by_their_shapes(
    published: Path, tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    entries = zoo.import_published(store, published)
    assert {entry.name for entry in entries} == {"ET-NAS-A", "ET-NAS-B"}
    joined = zoo.load_zoo(store)
    entry = joined.entry("ET-NAS-B")
    assert (entry.encoding, entry.source, entry.resolution) == (
        "031- 32 1-1-221-11121",
        "ImageNet",
        224,
    )
    network = load_network(entry, joined.weights("ET-NAS-B"))
    assert network.num_classes == 1000


def test_a_second_import_makes_a_version_that_keeps_the_first(
    published: Path, tmp_path: Path
) -> None:
    store = open_store(str(tmp_path / "store"))
    (published / "ET-NAS-A.pth").rename(tmp_path / "later.pth")
    zoo.import_published(store, published)
    (published / "ET-NAS-B.pth.tar").unlink()
    (tmp_path / "later.pth").rename(published / "ET-NAS-A.pth")
    zoo.import_published(store, published)
    lists = [key for key in store.list("zoo/") if key.endswith("zoo.json")]
    assert lists == ["zoo/imported/v0001/zoo.json", "zoo/imported/v0002/zoo.json"]
    joined = zoo.load_zoo(store)
    for name in ("ET-NAS-A", "ET-NAS-B"):
        assert joined.entry(name).source == "ImageNet"
        assert joined.weights(name)


def test_measured_step_times_are_kept_and_used(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    (row,) = zoo.profile(store, zoo.load_zoo(store), "ET-NAS-A", ((64, 16, 3),), repeats=2)
    assert row.hardware == hardware_key()
    assert 0 < row.eval_image_s < row.step_s
    assert store.list() == [f"step_time/{row.hardware}/ET-NAS-A-64-16-3.json"]
    times = zoo.step_times(store, row.hardware)
    entry = zoo.load_zoo(store).entry("ET-NAS-A")
    assert times.step_time_s(entry, 64, 16, 3, cached=False) == row.step_s


def test_unknown_hardware_is_scaled_from_one_row(tmp_path: Path) -> None:
    """A machine ten times slower than the reference takes ten times as long for everything."""
    reference = next(
        r
        for r in reference_rows()
        if (r.model, r.resolution, r.batch_size, r.frozen_stages) == ("ET-NAS-A", 64, 64, -1)
    )
    slow = replace(reference, hardware="slow", step_s=10 * reference.step_s)
    entry = zoo.load_zoo(open_store(str(tmp_path))).entry("ET-NAS-A")
    known, scaled = StepTimes.of([]), StepTimes.of([slow])
    assert scaled.step_time_s(entry, 64, 64, -1, cached=False) == slow.step_s
    ratios = [
        scaled.step_time_s(entry, r, b, f, cached=False)
        / known.step_time_s(entry, r, b, f, cached=False)
        for r, b, f in ((64, 32, -1), (64, 128, 2), (128, 64, 3))
    ]
    assert max(ratios) == pytest.approx(min(ratios))
    assert 5 < ratios[0] < 20


def test_estimates_are_near_what_was_measured(tmp_path: Path) -> None:
    """Within the error of the logarithm that the candidates' margins allow for."""
    entries = zoo.load_zoo(open_store(str(tmp_path))).entries
    entry = entries["ET-NAS-A"]
    times = StepTimes.of([])
    stepped = [row for row in reference_rows() if row.frozen_stages != HEAD_ONLY]
    assert {row.model for row in stepped} == set(zoo.packaged_zoo().entries)
    errors = []
    for row in stepped:
        estimated = times.step_time_s(
            entries[row.model], row.resolution, row.batch_size, row.frozen_stages, cached=False
        )
        errors.append(math.log(estimated / row.step_s))
    assert max(map(abs, errors)) < 2 * SCALED_ERROR
    assert statistics.pstdev(errors) < SCALED_ERROR / 1.5
    assert abs(statistics.fmean(errors)) < 0.02
    more_frozen = [times.step_time_s(entry, 64, 64, f, cached=False) for f in range(-1, 5)]
    assert more_frozen == sorted(more_frozen, reverse=True)
    for frozen in (1, 2, 3):
        cached = times.step_time_s(entry, 64, 64, frozen, cached=True)
        assert cached < times.step_time_s(entry, 64, 64, frozen, cached=False)
    # A head alone is fitted: its steps are batches of features.
    fitted = times.step_time_s(entry, 64, 64, HEAD_ONLY, cached=True)
    assert fitted == 64 * times.eval_image_s(entry, 64)


def test_an_imported_reference_model_changes_no_meta_features(
    published: Path, tmp_path: Path
) -> None:
    data = "sklearn:digits:classes=0,1:per_class=30"

    def measured(store: str) -> MetaFeatures:
        # On the step clock, so no steps are timed; no other model is probed.
        task = steps_alone.compute_meta_features(
            data, "60s", store, clock="steps", models=["ET-NAS-A"]
        )
        return task.meta_features

    before = measured(str(tmp_path / "a"))
    zoo.import_published(open_store(str(tmp_path / "b")), published)
    after = measured(str(tmp_path / "b"))
    assert after == before


def test_only_models_that_are_named_are_chosen(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert set(zoo.chosen_zoo(store).entries) == set(zoo.load_zoo(store).buildable().entries)
    chosen = zoo.chosen_zoo(store, ["ET-NAS-B", "ET-NAS-A"])
    assert set(chosen.entries) == {"ET-NAS-A", "ET-NAS-B"}
    assert chosen.weights("ET-NAS-B") == zoo.packaged_zoo().weights("ET-NAS-B")
    with pytest.raises(UnknownName, match="did you mean ET-NAS-B"):
        zoo.chosen_zoo(store, ["ET-NAS-A", "ET-NAS-BB"])


def small_task(clock: str, hardware: str) -> Task:
    """Return a task of a hundred images of two classes."""
    return Task(
        task_id="t",
        data="d",
        dataset="d",
        time_limit_s=60.0,
        seed=0,
        class_names=("a", "b"),
        num_train=100,
        num_val=20,
        num_test=20,
        resolution=64,
        meta_features=MetaFeatures(
            num_classes=2,
            num_images=100,
            mean_images_per_class=50.0,
            std_images_per_class=0.0,
            domain_similarity=0.9,
        ),
        mirror_safe=True,
        used_s=0.0,
        clock=clock,
        hardware=hardware,
    )


@pytest.mark.parametrize(("clock", "factor"), [("steps", 1.0), ("wall", 10.0)])
def test_a_step_clock_knows_the_reference_hardware_only(
    tmp_path: Path, clock: str, factor: float
) -> None:
    """Regardless of what was measured on the task's hardware."""
    store = open_store(str(tmp_path))
    known = zoo.load_zoo(store)
    reference = StepTimes.of([])
    for row in reference_rows():
        if row.model == "ET-NAS-A" and row.resolution == 64:
            step_s, image_s = 10 * row.step_s, 10 * row.eval_image_s
            slow = replace(row, hardware="slow", step_s=step_s, eval_image_s=image_s)
            key = keys.step_time(
                "slow", row.model, row.resolution, row.batch_size, row.frozen_stages
            )
            store.put(key, to_json(slow))
    task = small_task(clock, "slow")
    times = zoo.task_times(store, known, task)
    for name in ("ET-NAS-A", "ET-NAS-B"):
        entry = known.entry(name)
        ratio = times.model.eval_image_s(entry, 128) / reference.eval_image_s(entry, 128)
        assert ratio == pytest.approx(factor, rel=0.5)
        if clock == "steps":
            assert ratio == 1.0


def test_what_was_timed_for_a_task_is_predicted(tmp_path: Path) -> None:
    """Steps of a dense network at two resolutions, and of a depthwise one."""
    store = open_store(str(tmp_path))
    known, plain = zoo.load_zoo(store), StepTimes.of([])
    dense, depthwise = known.entry(REFERENCE_MODEL), known.entry(DEPTHWISE_MODEL)

    def step_s(times: TimeModel, entry: ZooEntry, resolution: int) -> float:
        return times.step_time_s(entry, resolution, zoo.PROFILED_BATCH, -1, False)

    small = zoo.SMALL_RESOLUTION
    task = replace(
        small_task("wall", "new"),
        reference_image_s=0.4 * plain.eval_image_s(dense, dense.resolution),
        reference_step_s=0.5 * step_s(plain, dense, dense.resolution) + 0.01,
        small_step_s=0.5 * step_s(plain, dense, small) + 0.01,
        depthwise_step_s=2.0 * step_s(plain, depthwise, small) + 0.01,
    )
    # Images and steps say nothing about fits.
    fit = zoo.task_times(store, known, task).model.fit_s(dense, 1000, 10)
    assert fit == plain.fit_s(dense, 1000, 10)
    passes = FIT_S * math.prod(zoo.FIT_PASS) * len(task.class_names)
    timed = replace(task, fit_pass_s=3.0 * passes)
    assert zoo.task_times(store, known, timed).model.fit_s(dense, 1000, 10) == pytest.approx(
        3 * fit
    )
    times = zoo.task_times(store, known, task).model
    assert times.eval_image_s(dense, dense.resolution) == pytest.approx(task.reference_image_s)
    assert step_s(times, dense, dense.resolution) == pytest.approx(task.reference_step_s)
    assert step_s(times, dense, small) == pytest.approx(task.small_step_s)
    assert step_s(times, depthwise, small) == pytest.approx(task.depthwise_step_s)
