"""Collected runs depend only on their numbers, also if interrupted, resumed or sharded."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image

from nasoa.errors import DataError, InvalidInput, StoreUnavailable, UnknownName
from nasoa.online.choice import ranking
from nasoa.online.collecting.group_plan import SMALLER_TASKS, part_of_group, plan_group
from nasoa.online.collecting.meta_group import RUN_NUMBERS_PER_TASK, is_useful
from nasoa.online.collecting.meta_train import (
    MetaTrainConfig,
    PlannedRun,
    doublings,
    part_of_task,
    plan_run,
    plan_task,
    random_part,
)
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.records import BN_ALL, FITTED, HEAD_ONLY, CollectedRecord, from_json, to_json
from nasoa.steps import collect_experience as collecting
from nasoa.steps import methods
from nasoa.steps.collect_experience import Collection, CollectionBudget, Plan, collect_experience
from nasoa.steps.compute_meta_features import describe, read_data
from nasoa.steps.learning import packaged_predictor
from nasoa.steps.tabulate_experience import collected
from nasoa.steps.task_session import TaskSession
from nasoa.store import keys, open_store
from nasoa.zoo.entries import packaged_zoo
from tests import steps_alone
from tests.full_disk import largest_file

DATA = ["sklearn:digits:classes=0,1,2,3:per_class=50", "sklearn:digits:classes=4,5,6:per_class=40"]
CONFIG = MetaTrainConfig(iterations=(2, 8), resolutions=(32,), run_limit_s=20.0)
AS_TASKS = replace(CONFIG, limits_s=(2.0, 2.4))
IN_GROUPS = replace(CONFIG, groups=True)


def collect(store: Path, **changes: object) -> int:
    settings: dict[str, object] = {
        "config": CONFIG,
        "budget": CollectionBudget(runs=4),
        "threads": 1,
    }
    models = changes.pop("models", ["ET-NAS-A"])
    collection = Collection(name="k", datasets=DATA, models=models)  # type: ignore[arg-type]
    return collect_experience(str(store), collection, **{**settings, **changes})  # type: ignore[arg-type]


def known(record: CollectedRecord) -> dict[str, object]:
    """Return a record without what depends on the machine's speed."""
    return {name: value for name, value in asdict(record).items() if name != "elapsed_s"}


@pytest.mark.slow
def test_a_collection_goes_on_where_it_was(tmp_path: Path) -> None:
    assert collect(tmp_path, budget=CollectionBudget(runs=2)) == 2
    first = collected(str(tmp_path), "k")
    assert collect(tmp_path) == 2
    assert collect(tmp_path) == 0
    records = collected(str(tmp_path), "k")
    assert records[: len(first)] == first
    assert len({record.run_id for record in records}) == 4
    assert {record.dataset for record in records} == {"digits-0123-x50", "digits-456-x40"}
    assert all(0 <= record.accuracy <= 1 for record in records)
    for run_id in {record.run_id for record in records}:
        iterations = [record.iterations for record in records if record.run_id == run_id]
        assert iterations == sorted(set(iterations))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": ["ET-NAS-B"]}, r"started with models \('ET-NAS-A',\), got \('ET-NAS-B',\)"),
        ({"config": replace(CONFIG, seed=7)}, "started with seed 0, got 7"),
        ({"config": replace(CONFIG, iterations=(2, 9))}, "started with iterations"),
        ({"config": AS_TASKS}, r"started with limits_s None, got \(2\.0, 2\.4\)"),
        ({"config": IN_GROUPS}, "started with groups False, got True"),
    ],
    ids=["models", "seed", "iterations", "limits", "groups"],
)
def test_a_collection_is_of_one_plan(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    assert collect(tmp_path, budget=CollectionBudget(runs=1)) == 1
    with pytest.raises(InvalidInput, match=said):
        collect(tmp_path, **changes)
    assert len({record.run_id for record in collected(str(tmp_path), "k")}) == 1


def test_the_same_data_may_lie_elsewhere_and_data_that_are_missing_begin_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in "ab":
        for i in range(24):
            image = tmp_path / folder / "x" / "ab"[i % 2] / f"{i}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (10 * i, 0, 255 * (i % 2))).save(image)

    def made(data: str) -> int:
        collection = Collection(name="k", datasets=[data], models=["ET-NAS-A"])
        return collect_experience(
            "store", collection, config=CONFIG, budget=CollectionBudget(runs=1)
        )

    with pytest.raises(DataError):
        made("c/y")
    assert made("a/x") == 1
    assert made("b/x") == 0
    with pytest.raises(InvalidInput, match="started with datasets"):
        made("c/y")


@pytest.mark.slow
def test_shards_make_the_same_runs_as_one_worker(tmp_path: Path) -> None:
    assert [collect(tmp_path / "two", shard=(i, 2)) for i in (1, 0)] == [2, 2]
    assert collect(tmp_path / "one") == 4
    one, two = (collected(str(tmp_path / name), "k") for name in ("one", "two"))
    assert [known(record) for record in one] == [known(record) for record in two]


@pytest.mark.slow
def test_runs_as_tasks_come_are_of_regimes_that_users_are_offered(tmp_path: Path) -> None:
    # There is enough real time for a slow machine: regimes end after their iterations.
    config = replace(AS_TASKS, run_limit_s=120.0)
    assert collect(tmp_path / "one", config=config, budget=CollectionBudget(runs=2)) == 2
    assert collect(tmp_path / "one", config=config, budget=CollectionBudget(runs=2)) == 0
    records = collected(str(tmp_path / "one"), "k")
    assert [record.run_id for record in records] == ["k-000000", "k-000001"]
    offered = RegimeSpace.small()
    for record in records:
        assert record.frozen_stages in offered.frozen_stages
        if record.frozen_stages == HEAD_ONLY:
            assert (record.lr, record.lr_schedule) == (1.0, FITTED)
            assert record.cached_features
        else:
            assert record.lr in offered.lrs
            assert record.lr_schedule in offered.schedules
        assert record.bn in offered.bns
        # The only model is the reference model, which is always probed.
        assert record.probe_accuracy == record.probe_reference_accuracy is not None
        assert record.ended in ("iterations", "diverged")
        assert 0 <= record.accuracy <= 1
    assert (
        collect(tmp_path / "two", config=config, budget=CollectionBudget(runs=2), shard=(1, 2)) == 1
    )
    (again,) = collected(str(tmp_path / "two"), "k")
    assert known(again) == known(records[1])


@pytest.mark.slow
def test_groups_are_made_once_and_the_same_by_any_worker(tmp_path: Path) -> None:
    assert collect(tmp_path / "one", config=IN_GROUPS, budget=CollectionBudget(runs=2)) == 2
    assert collect(tmp_path / "one", config=IN_GROUPS, budget=CollectionBudget(runs=2)) == 0
    records = collected(str(tmp_path / "one"), "k")
    entries = {"ET-NAS-A": packaged_zoo().entry("ET-NAS-A")}
    sizes = [read_data(data, 0).image_resolution for data in DATA]
    for number in range(2):
        group = plan_group(number, DATA, entries, sizes, IN_GROUPS)
        every = [r for r in records if r.run_id.startswith(f"k-{number:06d}")]
        assert len({record.seed for record in every}) == 1 + SMALLER_TASKS
        own = [r for r in every if int(r.run_id.rpartition(".")[2]) < RUN_NUMBERS_PER_TASK]
        part = part_of_group(read_data(group.dataset, 0), group, IN_GROUPS.group_images)
        made = [r for r in group.regimes if r.frozen_stages != HEAD_ONLY or is_useful(r, part)]
        assert len({record.run_id for record in own}) == len(made)
        assert {record.seed for record in own} == {group.seed}
        assert {record.resolution for record in own} == {r.resolution for r in made}
        assert {record.frozen_stages for record in own} == {r.frozen_stages for r in made}
        assert len({record.num_images for record in own}) == 1
        # All runs of a group share model and part, so they share one probe per resolution.
        probes = {(r.probe_resolution, r.probe_accuracy, r.probe_reference_accuracy) for r in own}
        assert sorted(probe[0] for probe in probes) == sorted({r.resolution for r in made})
        for probe in probes:
            assert all(0.0 <= accuracy <= 1.0 for accuracy in probe[1:])
    assert (
        collect(tmp_path / "two", config=IN_GROUPS, budget=CollectionBudget(runs=2), shard=(1, 2))
        == 1
    )
    again = collected(str(tmp_path / "two"), "k")
    assert [known(r) for r in again] == [
        known(r) for r in records if r.run_id.startswith("k-000001")
    ]


def test_runs_of_earlier_releases_are_read(tmp_path: Path) -> None:
    collect(tmp_path, budget=CollectionBudget(runs=1))
    (key,) = open_store(str(tmp_path)).list(keys.collection("k"))[-1:]
    written = json.loads(open_store(str(tmp_path)).get(key))
    now = collected(str(tmp_path), "k")
    later = ("bn", "fitted_head", "probe_resolution", "probe_accuracy", "probe_reference_accuracy")
    for record in written:
        for name in later:
            del record[name]
    open_store(str(tmp_path)).put(key, json.dumps(written).encode())
    lacking = dict.fromkeys(later) | {"bn": BN_ALL, "fitted_head": False}
    assert collected(str(tmp_path), "k") == [replace(record, **lacking) for record in now]


@pytest.mark.slow
@pytest.mark.parametrize("by_experience", [True, False])
def test_the_best_of_all_that_are_drawn_is_what_would_be_recommended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_experience: bool
) -> None:
    task = replace(plan_task(0, DATA, (2.0, 2.4), 0), num_drawn=10**6, by_experience=by_experience)
    predictor = packaged_predictor() if by_experience else ExperiencePredictor()
    begun: list[PlannedRun] = []
    monkeypatch.setattr(collecting, "plan_task", lambda *_: task)
    monkeypatch.setattr(collecting, "collect", lambda run, *_, **__: begun.append(run) or [])
    monkeypatch.setattr(methods, "starter_state", lambda _: predictor.state())
    # Which candidates get a full prediction depends on their order.
    monkeypatch.setattr(ranking, "KEPT", 10**6)
    collect(tmp_path, config=AS_TASKS, budget=CollectionBudget(runs=1), models=[])
    part = part_of_task(read_data(task.dataset, 0), task)
    store = open_store(str(tmp_path))
    session = TaskSession(store, clock="steps", threads=1)
    request = describe(session, part, task.limit_s, seed=task.seed)
    best = steps_alone.predict_regime(request, str(tmp_path)).candidates[0].regime
    assert [run.regime for run in begun] == [replace(best, fills_limit=False)]
    assert begun[0].checkpoints == (best.iterations,)


def test_of_tasks_too_the_order_of_models_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[PlannedRun] = []
    monkeypatch.setattr(collecting, "collect", lambda run, *_, **__: begun.append(run) or [])
    models = ["ET-NAS-A", "mobilenet_v3_small"]
    config = replace(CONFIG, limits_s=(10.0, 20.0))
    for store, order in (("one", models), ("two", models[::-1])):
        collect(tmp_path / store, config=config, budget=CollectionBudget(runs=1), models=order)
    assert begun[0] == begun[1]


def test_tasks_without_heads_train_more_than_the_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[PlannedRun] = []
    monkeypatch.setattr(collecting, "collect", lambda run, *_, **__: begun.append(run) or [])
    config = replace(CONFIG, limits_s=(2.0, 3.0))
    for heads in (True, False):
        collect(
            tmp_path / str(heads),
            config=replace(config, heads=heads),
            budget=CollectionBudget(runs=6),
            models=["ET-NAS-A"],
        )
    frozen = [run.regime.frozen_stages for run in begun]
    assert HEAD_ONLY in frozen[:6]
    assert HEAD_ONLY not in frozen[6:]
    assert len(frozen) == 12


def test_a_task_that_no_regime_fits_has_no_record_and_is_not_tried_again(tmp_path: Path) -> None:
    changes: dict[str, object] = {
        "config": replace(CONFIG, limits_s=(0.01, 0.02)),
        "budget": CollectionBudget(runs=1),
    }
    assert collect(tmp_path, **changes) == 1
    assert collected(str(tmp_path), "k") == []
    assert collect(tmp_path, **changes) == 0


def test_a_plan_from_before_tasks_is_one_of_random_regimes() -> None:
    plan = Plan(datasets=("a",), models=("m",), config=CONFIG)
    written = json.loads(to_json(plan))
    del written["config"]["limits_s"]
    del written["config"]["heads"]
    del written["config"]["groups"]
    assert from_json(json.dumps(written), Plan) == plan


def test_a_full_disk_while_recording_loses_no_other_run(tmp_path: Path) -> None:
    collect(tmp_path, budget=CollectionBudget(runs=1))
    first = collected(str(tmp_path), "k")
    with (
        pytest.raises(StoreUnavailable, match=r"cannot be written: .*; check its permissions"),
        largest_file(100),
    ):
        collect(tmp_path, budget=CollectionBudget(runs=2))
    assert collected(str(tmp_path), "k") == first
    assert collect(tmp_path, budget=CollectionBudget(runs=2)) == 1


def test_a_corrupt_run_is_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collect(tmp_path, budget=CollectionBudget(runs=2))
    open_store(str(tmp_path)).put(keys.collected_run("k", 0), b"[{]")
    assert {record.run_id for record in collected(str(tmp_path), "k")} == {"k-000001"}
    assert keys.collected_run("k", 0) in caplog.text


def test_runs_differ_in_everything_and_repeat_by_their_number() -> None:
    entries = dict(packaged_zoo().entries)
    runs = [plan_run(n, DATA, entries, MetaTrainConfig()) for n in range(300)]
    assert runs == [plan_run(n, DATA, entries, MetaTrainConfig()) for n in range(300)]
    assert {run.dataset for run in runs} == set(DATA)
    assert {run.regime.model for run in runs} == set(entries)
    assert {run.regime.frozen_stages for run in runs} == {-1, 0, 1, 2, 3, 4}
    trained = [run.regime for run in runs if run.regime.frozen_stages != HEAD_ONLY]
    assert len({regime.lr_schedule for regime in trained}) == 4
    lrs = sorted(regime.lr for regime in trained)
    assert 0.001 <= lrs[0] < 0.003
    assert 0.3 < lrs[-1] <= 1.0
    for run in runs:
        if run.regime.frozen_stages == HEAD_ONLY:
            # The head is fitted, whatever the learning rate of a step.
            assert (run.regime.lr, run.regime.lr_schedule) == (1.0, FITTED)
            assert run.regime.cached_features
        assert run.checkpoints[-1] == run.regime.iterations
        assert len(run.checkpoints) == 1 or run.regime.lr_schedule == "horizonless"


def test_iteration_counts_double() -> None:
    assert doublings(10, 75) == (10, 20, 40, 75)
    assert doublings(10, 10) == (10,)


def test_parts_are_small_and_large() -> None:
    whole = read_data("sklearn:digits:per_class=60", 0)
    parts = [random_part(whole, seed) for seed in range(40)]
    sizes = {len(part.train) for part in parts}
    assert {len(part.class_names) for part in parts} >= {2, 10}
    assert min(sizes) < 60
    assert max(sizes) == len(whole.train)
    assert random_part(whole, 3).class_names == random_part(whole, 3).class_names


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: CollectionBudget(), "budget"),
        (lambda: CollectionBudget(runs=-1), "budget"),
        (lambda: replace(CONFIG, run_limit_s=0.0), "run limit"),
        (lambda: replace(CONFIG, iterations=(5, 2)), "iteration"),
        (lambda: replace(CONFIG, horizonless_share=1.5), "horizonless_share"),
        (lambda: replace(CONFIG, limits_s=(0.0, 9.0)), "task limits above 0 s"),
        (lambda: replace(CONFIG, limits_s=(9.0, 5.0)), "the shortest first"),
        (lambda: replace(CONFIG, limits_s=(5.0, 21.0)), "5 and 21 s, and a run limit of 20 s"),
        (lambda: plan_run(0, [], {}, CONFIG), "data set"),
    ],
)
def test_settings_that_make_no_collection_are_refused(make: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        make()  # type: ignore[operator]


def test_an_unknown_model_or_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown model 'ET-NAS-a': did you mean"):
        collect(tmp_path, models=["ET-NAS-a"])
    with pytest.raises(InvalidInput, match="shard"):
        collect(tmp_path, shard=(2, 2))
