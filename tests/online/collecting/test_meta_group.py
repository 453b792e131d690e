"""Groups of runs that share features: their plans and their records."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.data import ImageDataset, load_dataset
from nasoa.errors import InvalidInput
from nasoa.online.collecting.group_plan import (
    MOST_GROUP_TESTS,
    SMALLER_TASKS,
    PlannedGroup,
    part_of_group,
    plan_group,
    plan_smaller_tasks,
    smaller_task,
)
from nasoa.online.collecting.meta_group import RUN_NUMBERS_PER_TASK, GroupWork, collect_group
from nasoa.online.collecting.meta_run import Measured, Origin
from nasoa.online.collecting.meta_train import HORIZONLESS, MetaTrainConfig
from nasoa.online.regimes.regime_space import admitted_resolutions
from nasoa.online.task.probe import Sample, fit_probe, pooled_features
from nasoa.records import (
    BN_FIXED,
    BN_TRAINED,
    FITTED,
    HEAD_ONLY,
    CollectedRecord,
    MetaFeatures,
    Regime,
    ZooEntry,
)
from nasoa.training.precision import precision_for
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe

DATA = ["birds", "cars", "dogs"]
SIZES = (32, 64, 224)
CONFIG = MetaTrainConfig(iterations=(10, 200), groups=True)
TINY = "020- 8 1-2-1-2"


def plan(numbers: range, zoo: dict[str, ZooEntry], seed: int = 0) -> list[PlannedGroup]:
    return [plan_group(n, DATA, zoo, SIZES, replace(CONFIG, seed=seed)) for n in numbers]


def test_groups_repeat_by_their_number(zoo: dict[str, ZooEntry]) -> None:
    groups = plan(range(40), zoo)
    assert plan(range(39, -1, -1), zoo) == groups[::-1]
    # The order of models makes no difference either.
    assert plan(range(40), dict(reversed(zoo.items()))) == groups
    # Three data sets and two models: both models get the same parts.
    parts = {(group.dataset, group.seed, group.is_whole) for group in groups}
    assert len(parts) == len({group.seed for group in groups}) == 21
    for first, second in zip(groups[:3], groups[3:6], strict=True):
        assert (first.dataset, first.seed) == (second.dataset, second.seed)
    assert plan(range(40), zoo, seed=1) != groups
    assert [group.dataset for group in groups[:6]] == DATA * 2
    assert [group.regimes[0].model for group in groups[:6]] == ["large"] * 3 + ["small"] * 3
    assert {group.is_whole for group in groups} == {True, False}


def is_of_heads(group: PlannedGroup) -> bool:
    return all(regime.frozen_stages == HEAD_ONLY for regime in group.regimes)


def test_a_group_of_heads_has_some_resolutions_and_fewer_and_fewer_images(
    zoo: dict[str, ZooEntry],
) -> None:
    groups = [group for group in plan(range(120), zoo) if is_of_heads(group)]
    assert 30 < len(groups) < 90
    for group in groups:
        sizes = [regime.resolution for regime in group.regimes]
        assert sizes == sorted(sizes)
        assert 1 <= len(set(sizes)) <= 3
        for size in set(sizes):
            first, *fewer = [r for r in group.regimes if r.resolution == size]
            assert first.fills_limit
            assert [r.iterations for r in fewer] == [1, 2, 4, 8]
            assert not any(r.fills_limit for r in fewer)


def test_runs_of_a_group_share_model_and_resolution(zoo: dict[str, ZooEntry]) -> None:
    resolutions: dict[str, set[int]] = {data: set() for data in DATA}
    for group in plan(range(400), zoo):
        if is_of_heads(group):
            continue
        head, *trained = group.regimes
        assert (head.frozen_stages, head.lr_schedule, head.lr) == (HEAD_ONLY, FITTED, 1.0)
        assert head.cached_features
        assert head.fitted_head
        assert head.bn == BN_FIXED
        assert trained
        assert {(r.model, r.resolution) for r in trained} == {(head.model, head.resolution)}
        cached = [regime.frozen_stages for regime in trained if regime.cached_features]
        assert cached == sorted(cached, reverse=True)
        assert set(cached) <= {HEAD_ONLY - 1, HEAD_ONLY - 2}
        # Runs that train on images come last.
        assert [r.cached_features for r in trained] == sorted(
            (r.cached_features for r in trained), reverse=True
        )
        for regime in trained:
            assert 10 <= regime.iterations <= 200
            assert 0.001 <= regime.lr <= 1.0
            assert regime.lr_schedule in {HORIZONLESS, "cosine"}
            assert not regime.fills_limit
        resolutions[group.dataset].add(head.resolution)
    for data, size in zip(DATA, SIZES, strict=True):
        assert resolutions[data] == set(admitted_resolutions(zoo["small"], size))


def test_what_is_drawn_is_of_all_kinds(zoo: dict[str, ZooEntry]) -> None:
    groups = [group for group in plan(range(400), zoo) if not is_of_heads(group)]
    trained = [regime for group in groups for regime in group.regimes[1:]]
    kinds = Counter((r.frozen_stages, r.cached_features) for r in trained)
    assert set(kinds) >= {(3, True), (2, True), (-1, False), (1, False), (2, False)}
    assert {r.bn for r in trained} == {BN_FIXED, BN_TRAINED}
    assert {r.fitted_head for r in trained} == {True, False}
    assert {r.batch_size for r in trained} == {32, 64}


def test_resolutions_have_a_least(zoo: dict[str, ZooEntry]) -> None:
    config = replace(CONFIG, group_resolution=96)
    for number in range(60):
        group = plan_group(number, DATA, zoo, SIZES, config)
        admitted = admitted_resolutions(
            zoo[group.regimes[0].model], SIZES[DATA.index(group.dataset)]
        )
        chosen = {regime.resolution for regime in group.regimes}
        assert chosen <= {size for size in admitted if size >= 96} or chosen == {max(admitted)}


def test_there_must_be_data_and_models(zoo: dict[str, ZooEntry]) -> None:
    for data, models in (([], zoo), (DATA, {})):
        with pytest.raises(InvalidInput, match="at least one data set and one model"):
            plan_group(0, data, models, SIZES, CONFIG)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("sklearn:digits:classes=0,1,2,3:per_class=40", seed=0)


def test_the_part_of_a_group_is_small(small_model: ZooEntry, zoo: dict[str, ZooEntry]) -> None:
    whole = load_dataset("sklearn:digits", seed=0)
    for group in plan(range(6), zoo):
        part = part_of_group(whole, group, CONFIG.group_images)
        assert len(part.train) <= CONFIG.group_images
        assert len(part.test) <= MOST_GROUP_TESTS
        if group.is_whole:
            assert part.class_names == whole.class_names
        again = part_of_group(whole, group, CONFIG.group_images)
        assert part.train.labels.tolist() == again.train.labels.tolist()


@pytest.fixture(scope="module")
def tiny() -> tuple[ZooEntry, StagedNetwork]:
    torch.manual_seed(0)
    network = build_network(parse(TINY), 4)
    entry = describe(
        network,
        Pretraining(
            name="tiny",
            resolution=32,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            source="noise",
            accuracy=0.3,
        ),
        family="tiny",
        encoding=TINY,
    )
    return entry, network


def group_of(regimes: tuple[Regime, ...]) -> PlannedGroup:
    return PlannedGroup(number=7, dataset="digits", seed=3, is_whole=True, regimes=regimes)


@pytest.fixture(scope="module")
def work(digits: ImageDataset, tiny: tuple[ZooEntry, StagedNetwork]) -> GroupWork:
    """The head alone, two depths of cached features, and full training on images."""
    entry, network = tiny
    head = Regime(
        model="tiny",
        lr=1.0,
        frozen_stages=HEAD_ONLY,
        iterations=1,
        batch_size=32,
        resolution=32,
        lr_schedule=FITTED,
        cached_features=True,
        fills_limit=True,
        bn=BN_FIXED,
        fitted_head=True,
    )
    last = replace(
        head,
        frozen_stages=3,
        iterations=25,
        lr=0.05,
        lr_schedule=HORIZONLESS,
        fills_limit=False,
        bn=BN_TRAINED,
    )
    two = replace(last, frozen_stages=2, iterations=10, lr_schedule="cosine", fitted_head=False)
    whole = replace(two, frozen_stages=-1, cached_features=False, iterations=12)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(digits.train), generator=generator)
    labels = digits.train.labels[order]
    noise = 0.5 * torch.randn(len(order), 4, generator=generator)
    count = len(digits.train)

    def fresh() -> StagedNetwork:
        made = build_network(parse(TINY), 4)
        made.load_state_dict(network.state_dict())
        return made

    return GroupWork(
        group=group_of((head, last, two, whole)),
        part=digits,
        measured=Measured(
            meta_features=MetaFeatures(
                num_classes=4,
                num_images=count,
                mean_images_per_class=count / 4,
                std_images_per_class=0.0,
                domain_similarity=0.9,
                landmark_accuracy=0.8,
            ),
            mirror_safe=False,
        ),
        sample=Sample(indices=order, labels=labels, reference=torch.eye(4)[labels] + noise),
        entry=entry,
        network=fresh,
        precision=precision_for(network),
        limit_s=100.0,
    )


ORIGIN = Origin(run_id="known-000007", hardware="cpu", code_version="0")


@pytest.fixture(scope="module")
def records(work: GroupWork) -> list[CollectedRecord]:
    torch.manual_seed(0)
    return collect_group(work, ORIGIN)


def numbers(records: list[CollectedRecord]) -> list[dict[str, object]]:
    """Return the records without their times."""
    return [{**asdict(record), "elapsed_s": None} for record in records]


def test_every_run_has_its_records(records: list[CollectedRecord], work: GroupWork) -> None:
    by_run: dict[str, list[CollectedRecord]] = {}
    for record in records:
        by_run.setdefault(record.run_id, []).append(record)
    assert len(by_run) == 4
    assert all(run_id.startswith("known-000007") for run_id in by_run)
    head, last, two, whole = by_run.values()
    # A head alone is fitted to batches of all images; other runs have intermediate evaluations.
    assert [record.iterations for record in head] == [int(np.ceil(len(work.part.train) / 32))]
    assert [record.iterations for record in last] == [10, 20, 25]
    assert [record.iterations for record in two] == [10]
    assert [record.iterations for record in whole] == [12]
    for regime, of_run in zip(work.group.regimes, by_run.values(), strict=True):
        for record in of_run:
            for name in ("frozen_stages", "cached_features", "bn", "fitted_head", "lr_schedule"):
                assert getattr(record, name) == getattr(regime, name)
            assert 0.0 <= record.accuracy <= 1.0
            assert record.elapsed_s > 0.0
            assert record.ended == "iterations"
    assert head[0].accuracy > 0.5  # a random network's features separate four digits


def test_heads_on_fewer_images_and_at_other_resolutions(work: GroupWork) -> None:
    head = work.group.regimes[0]
    few = replace(head, iterations=2, fills_limit=False)
    none, everything = replace(few, iterations=4), replace(few, batch_size=1, iterations=2)
    large = replace(head, resolution=48)
    of_heads = replace(work, group=group_of((head, few, none, everything, large)))
    found = collect_group(of_heads, ORIGIN)
    # Heads on all images, or on fewer images than classes, are of no use.
    assert [(r.resolution, r.iterations) for r in found] == [(32, 4), (32, 2), (48, 4)]
    assert found[0].probe_resolution == 32
    assert found[2].probe_resolution == 48
    assert found[0].accuracy == pytest.approx(collect_group(work, ORIGIN)[0].accuracy, abs=0.03)


def test_smaller_tasks_take_their_features_from_the_group(work: GroupWork) -> None:
    head, last = work.group.regimes[:2]
    regimes = (head, replace(last, iterations=10))
    part = smaller_task(work.part, seed=4)
    classes = len(part.class_names)
    assert len(part.train) < len(work.part.train)
    labels = part.train.labels

    def fresh() -> StagedNetwork:
        made = build_network(parse(TINY), classes)
        state = {k: v for k, v in work.network().state_dict().items() if "head" not in k}
        made.load_state_dict(state, strict=False)
        torch.nn.init.zeros_(made.head.fc.weight)  # type: ignore[union-attr, arg-type]
        torch.nn.init.zeros_(made.head.fc.bias)  # type: ignore[union-attr, arg-type]
        return made

    sample = Sample(
        indices=torch.arange(len(labels)), labels=labels, reference=torch.eye(classes)[labels]
    )
    task = replace(
        work, group=group_of(regimes), part=part, sample=sample, network=fresh, smaller=()
    )
    whole = replace(work, group=group_of(regimes), smaller=(task,))
    found = collect_group(whole, ORIGIN)
    own = [
        record for record in found if int(record.run_id.rpartition(".")[2]) >= RUN_NUMBERS_PER_TASK
    ]
    alone = collect_group(task, ORIGIN)
    assert [r.run_id.rpartition(".")[2] for r in own] == ["100", "101"]
    assert [r.iterations for r in own] == [r.iterations for r in alone]
    assert [r.accuracy for r in own] == pytest.approx([r.accuracy for r in alone], abs=0.05)
    assert len(found) == len(own) + 2


def test_smaller_tasks_are_of_the_group_s_resolutions_and_the_same_for_all_models(
    zoo: dict[str, ZooEntry],
) -> None:
    for group in plan(range(30), zoo):
        tasks = plan_smaller_tasks(group, CONFIG)
        assert tasks == plan_smaller_tasks(group, CONFIG)
        assert len({task.seed for task in tasks}) == len(tasks) == SMALLER_TASKS
        other = replace(group, regimes=tuple(replace(r, model="other") for r in group.regimes))
        assert [t.seed for t in plan_smaller_tasks(other, CONFIG)] == [t.seed for t in tasks]
        sizes = {regime.resolution for regime in group.regimes}
        for task in tasks:
            assert {regime.resolution for regime in task.regimes} == sizes
            trains = any(regime.frozen_stages == HEAD_ONLY - 1 for regime in task.regimes)
            assert trains != is_of_heads(group)
            assert all(regime.frozen_stages >= HEAD_ONLY - 1 for regime in task.regimes)


def test_records_have_the_probe_of_the_model(
    records: list[CollectedRecord], work: GroupWork
) -> None:
    """The probe uses the model's own features, as for a user's task."""
    features, _image_s = pooled_features(
        work.network(), work.entry, work.part, work.sample.indices, 32, work.precision
    )
    probe = fit_probe(work.entry, 32, features, work.sample)
    assert probe is not None
    for record in records:
        assert record.probe_resolution == 32
        assert record.probe_reference_accuracy == probe.reference_accuracy
        assert record.probe_accuracy == pytest.approx(probe.accuracy, abs=0.02)


def test_the_same_group_gives_the_same_records(
    records: list[CollectedRecord], work: GroupWork
) -> None:
    torch.manual_seed(1)  # earlier random draws make no difference
    assert numbers(collect_group(work, ORIGIN)) == numbers(records)


def test_a_run_does_not_depend_on_those_beside_it(
    records: list[CollectedRecord], work: GroupWork
) -> None:
    head, last, _two, whole = work.group.regimes
    alone = collect_group(replace(work, group=group_of((head, last, whole))), ORIGIN)

    def of_depth(found: list[CollectedRecord], depth: int) -> list[tuple[int, float, float]]:
        return [
            (record.iterations, record.val_accuracy, record.accuracy)
            for record in found
            if record.frozen_stages == depth
        ]

    for depth in (4, 3, -1):
        assert of_depth(alone, depth) == of_depth(records, depth)
