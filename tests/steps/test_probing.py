"""Probes of a task's models: which models, on how many images, and the features they leave."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.config import ProbeConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.online.task.probe import Sample, fit_probe
from nasoa.records import HEAD_ONLY, MetaFeatures, Regime, Task, ZooEntry
from nasoa.steps.probing import features_for, probe_models
from nasoa.training.clock import StepClock
from nasoa.zoo.entries import REFERENCE_MODEL, Zoo, packaged_zoo
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe
from nasoa.zoo.step_times import StepTimes
from nasoa.zoo.task_size import TaskSize
from nasoa.zoo.weight_files import to_safetensors

DATA = "sklearn:digits:classes=0,1,2,3:per_class=60"


def tiny(name: str, seed: int, source_accuracy: float = 0.5) -> tuple[ZooEntry, StagedNetwork]:
    """A small network with random weights."""
    torch.manual_seed(seed)
    encoding = "020- 8 1-2-1-2"
    network = build_network(parse(encoding), 10)
    entry = describe(
        network,
        Pretraining(
            name=name,
            resolution=32,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            source="noise",
            accuracy=source_accuracy,
        ),
        family="tiny",
        encoding=encoding,
    )
    return entry, network


@pytest.fixture(scope="module")
def dataset() -> ImageDataset:
    return load_dataset(DATA, seed=0)


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    """Three tiny models, better ones earlier in the alphabet, none far worse than the best."""
    made = [tiny(name, seed, 0.7 - 0.1 * seed) for seed, name in enumerate("abc")]
    weights = {entry.name: to_safetensors(network.state_dict()) for entry, network in made}
    return Zoo(
        {entry.name: entry for entry, _ in made},
        {name: (lambda own=own: own) for name, own in weights.items()},
    )


@pytest.fixture(scope="module")
def sample(dataset: ImageDataset) -> Sample:
    """All training images; the features of the reference model are their class plus noise."""
    generator = torch.Generator().manual_seed(0)
    count = len(dataset.train)
    order = torch.randperm(count, generator=generator)
    labels = dataset.train.labels[order]
    noise = 0.5 * torch.randn(count, 4, generator=generator)
    return Sample(indices=order, labels=labels, reference=torch.eye(4)[labels] + noise)


def a_task(dataset: ImageDataset, limit_s: float) -> Task:
    count = len(dataset.train)
    return Task(
        task_id="t",
        data=DATA,
        dataset=dataset.name,
        time_limit_s=limit_s,
        seed=0,
        class_names=dataset.class_names,
        num_train=count,
        num_val=len(dataset.val),
        num_test=len(dataset.test),
        resolution=32,
        meta_features=MetaFeatures(
            num_classes=4,
            num_images=count,
            mean_images_per_class=count / 4,
            std_images_per_class=0.0,
            domain_similarity=0.9,
            landmark_accuracy=0.7,
        ),
        mirror_safe=False,
        used_s=0.0,
        clock="steps",
        hardware="cpu",
    )


class SlowTimes(StepTimes):
    """Every image takes a tenth of a second, for all models and resolutions."""

    def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
        return 0.1


def times_of(zoo: Zoo, task: Task, kind: type[StepTimes] = SlowTimes) -> TaskTimes:
    return TaskTimes(
        kind({}, StepTimes.of([]).reference),
        zoo.entries,
        TaskSize(
            num_train=task.num_train,
            num_val=task.num_val,
            num_test=task.num_test,
            num_classes=4,
        ),
        image_resolution=task.resolution,
        is_exact=True,
    )


@pytest.mark.parametrize(
    ("share", "probed"),
    [
        (0.001, []),  # not enough for the fewest images: none
        (0.011, ["a"]),  # 11 s: the most promising one, on as many images as there is time for
        (0.021, ["a", "b"]),
        (0.9, ["a", "b", "c"]),
    ],
)
def test_the_most_promising_models_are_probed_within_the_share(
    zoo: Zoo, dataset: ImageDataset, sample: Sample, share: float, probed: list[str]
) -> None:
    limit_s = 1000.0
    task = a_task(dataset, limit_s)
    timer = StepClock()
    most = ProbeConfig(time_fraction=share, fewest_images=100, most_images=100)
    found = probe_models(zoo, times_of(zoo, task), task, dataset, sample, timer, most)
    assert [probe.model for probe in found.probes] == probed
    assert timer.elapsed_s() <= share * limit_s
    assert timer.elapsed_s() == pytest.approx(len(probed) * 100 * 0.1)
    assert {model for model, _ in found.features} == set(probed)
    for probe in found.probes:
        assert probe.num_images == 100
        own = found.features[probe.model, probe.resolution]
        assert own.indices.tolist() == sample.indices[:100].tolist()
        # The reference model is evaluated on the same images.
        again = fit_probe(zoo.entry(probe.model), probe.resolution, own.features, sample.first(100))
        assert again == probe


@pytest.mark.parametrize(("share", "count"), [(0.0119, 119), (0.013, 130), (0.9, 150)])
def test_as_many_images_as_there_is_time_for(
    zoo: Zoo, dataset: ImageDataset, sample: Sample, share: float, count: int
) -> None:
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=share, fewest_images=100, most_images=150)
    one = Zoo({"a": zoo.entry("a")}, zoo.readers)
    timer = StepClock()
    (probe,) = probe_models(one, times_of(one, task), task, dataset, sample, timer, config).probes
    assert probe.num_images == pytest.approx(count, abs=1)
    assert timer.elapsed_s() <= share * 1000.0


def test_models_that_are_expected_to_be_far_worse_are_not_probed(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    """Independent of the time, and with exactly the configured threshold."""
    entry, network = tiny("far", 3, source_accuracy=0.1)
    weights = to_safetensors(network.state_dict())
    own = zoo.merged(Zoo({"far": entry}, {"far": lambda: weights}))
    task = a_task(dataset, 1000.0)
    for worse_by, probed in ((1.0, ["a", "b", "c"]), (9.0, ["a", "b", "c", "far"])):
        config = ProbeConfig(
            time_fraction=0.9, fewest_images=100, most_images=100, worse_by=worse_by
        )
        found = probe_models(own, times_of(own, task), task, dataset, sample, StepClock(), config)
        assert [probe.model for probe in found.probes] == probed


def test_of_each_source_one_model_goes_before_small_images_of_another(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    """A second model of the same source is probed only at its best resolution."""

    class Quadratic(StepTimes):
        def eval_image_s(self, entry: ZooEntry, resolution: int) -> float:
            return 0.4 * (resolution / 64) ** 2

    entries = {name: replace(entry, resolution=64) for name, entry in zoo.entries.items()}
    entries["c"] = replace(entries["c"], source="other")
    own = Zoo(entries, zoo.readers)
    # Images of 43 px allow 128 px at most.
    task = replace(a_task(dataset, 1000.0), resolution=43)
    times = times_of(own, task, Quadratic)
    # 160 s for 100 images at 128 px, 40 s at 64 px, 10 s at 32 px.
    for share, probed in (
        (0.055, [("a", 64), ("c", 32)]),
        (0.205, [("a", 128), ("c", 64)]),
        (0.365, [("a", 128), ("b", 128), ("c", 64)]),
    ):
        config = ProbeConfig(time_fraction=share, fewest_images=100, most_images=100)
        timer = StepClock()
        found = probe_models(own, times, task, dataset, sample, timer, config)
        assert [(probe.model, probe.resolution) for probe in found.probes] == probed
        assert timer.elapsed_s() <= share * 1000.0


def test_a_probe_tells_what_its_model_was_pretrained_on(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    """From this, the gain of one model applies to others of the same source."""
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.9, fewest_images=100, most_images=100)
    found = probe_models(zoo, times_of(zoo, task), task, dataset, sample, StepClock(), config)
    assert len(found.probes) == 3
    for probe in found.probes:
        entry = zoo.entry(probe.model)
        assert (probe.source, probe.source_classes) == ("noise", 10)
        assert (probe.source_accuracy, probe.model_resolution) == (entry.source_accuracy, 32)


def test_the_share_is_of_what_is_left(zoo: Zoo, dataset: ImageDataset, sample: Sample) -> None:
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.02, fewest_images=100, most_images=100)
    for used_s, count in ((0.0, 2), (400.0, 1), (600.0, 0)):
        timer = StepClock(used_s)
        found = probe_models(zoo, times_of(zoo, task), task, dataset, sample, timer, config)
        assert len(found.probes) == count
        assert timer.elapsed_s() - used_s <= 0.02 * (1000.0 - used_s)


def test_many_classes_need_more_images(zoo: Zoo, dataset: ImageDataset, sample: Sample) -> None:
    task = a_task(dataset, 1000.0)
    for per_class, count in ((4, 1), (40, 0)):
        config = ProbeConfig(time_fraction=0.015, fewest_images=100, fewest_per_class=per_class)
        one = Zoo({"a": zoo.entry("a")}, zoo.readers)
        timer = StepClock()
        found = probe_models(one, times_of(one, task), task, dataset, sample, timer, config)
        assert len(found.probes) == count
        assert (timer.elapsed_s() > 0) == (count > 0)


def test_classes_may_need_more_images_than_are_used_otherwise(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(fewest_images=10, fewest_per_class=30, most_images=60)
    found = probe_models(
        zoo, times_of(zoo, task), task, dataset, sample, StepClock(), config
    ).probes
    assert {probe.num_images for probe in found} == {4 * 30}


def test_the_reference_costs_nothing_and_has_no_gain(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    """Its features are those of the landmark."""
    packaged = packaged_zoo()
    reference = packaged.entry(REFERENCE_MODEL)
    both = Zoo(
        {**zoo.entries, REFERENCE_MODEL: reference},
        {**zoo.readers, REFERENCE_MODEL: packaged.readers[REFERENCE_MODEL]},
    )
    task, timer = a_task(dataset, 1000.0), StepClock()
    config = ProbeConfig(time_fraction=0.0001)
    (probe,) = probe_models(both, times_of(both, task), task, dataset, sample, timer, config).probes
    assert (probe.model, probe.resolution) == (REFERENCE_MODEL, reference.resolution)
    assert probe.accuracy == probe.reference_accuracy > 0.5
    assert probe.num_images == len(sample.indices)
    assert timer.elapsed_s() == 0.0


def test_a_model_of_its_own_with_the_references_name_is_no_reference(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    other = replace(zoo.entry("a"), name=REFERENCE_MODEL)
    own = Zoo({REFERENCE_MODEL: other}, {REFERENCE_MODEL: zoo.readers["a"]})
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.9, fewest_images=100, most_images=100)
    found = probe_models(own, times_of(own, task), task, dataset, sample, StepClock(), config)
    (probe,) = found.probes
    one = Zoo({"a": zoo.entry("a")}, zoo.readers)
    again = probe_models(one, times_of(one, task), task, dataset, sample, StepClock(), config)
    (as_a,) = again.probes
    assert replace(probe, model="a") == as_a


def test_a_model_whose_features_are_no_numbers_is_left_out(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    entry, network = tiny("broken", 0, source_accuracy=0.75)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1e30)
    weights = to_safetensors(network.state_dict())
    own = zoo.merged(Zoo({"broken": entry}, {"broken": lambda: weights}))
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.9, fewest_images=100, most_images=100)
    found = probe_models(own, times_of(own, task), task, dataset, sample, StepClock(), config)
    assert [probe.model for probe in found.probes] == ["a", "b", "c"]


def test_weights_that_cannot_be_read_are_left_to_the_fine_tune(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    own = Zoo(zoo.entries, {**zoo.readers, "a": lambda: b"damaged"})
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.9, fewest_images=100, most_images=100)
    found = probe_models(own, times_of(own, task), task, dataset, sample, StepClock(), config)
    assert [probe.model for probe in found.probes] == ["b", "c"]


def test_features_serve_a_head_alone_at_their_resolution(
    zoo: Zoo, dataset: ImageDataset, sample: Sample
) -> None:
    task = a_task(dataset, 1000.0)
    config = ProbeConfig(time_fraction=0.9, fewest_images=100, most_images=100)
    found = probe_models(zoo, times_of(zoo, task), task, dataset, sample, StepClock(), config)
    probe = found.probes[0]
    head = Regime(
        model=probe.model,
        lr=1.0,
        frozen_stages=HEAD_ONLY,
        iterations=1,
        batch_size=64,
        resolution=probe.resolution,
        lr_schedule="fitted",
        cached_features=True,
    )
    known = features_for(found.features, head)
    assert known is not None
    assert known.features.shape[0] == 100
    assert math.isfinite(float(known.features.sum()))
    assert features_for(found.features, replace(head, resolution=probe.resolution + 32)) is None
    assert features_for(found.features, replace(head, frozen_stages=3)) is None
    assert features_for(None, head) is None
