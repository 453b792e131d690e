"""Short trainings and measured costs, on small digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nasoa.arch import build_network, measure_cost, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageSplit
from nasoa.errors import DataError, InvalidInput
from nasoa.offline import evaluate as module
from nasoa.offline.evaluate import load_proxy, num_iterations, teach, train
from nasoa.offline.measure import measure
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.clock import WallClock

DIGITS = "sklearn:digits:classes=0,1,2:per_class=60"
SPEC = parse("0- 8 1-2-1-1")


def test_a_short_training_learns_and_is_a_function_of_its_seed(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    longer = replace(judging, epochs=16)
    first, again = train(SPEC, data, longer, seed=1), train(SPEC, data, longer, seed=1)
    assert first.failure == ""
    assert first.accuracy is not None
    assert first.accuracy > 0.5
    assert first.accuracy == again.accuracy == first.curve[-1].val_accuracy
    assert [p.val_accuracy for p in first.curve] == [p.val_accuracy for p in again.curve]
    assert first.curve[-1].iteration == num_iterations(len(data.train), longer)


def test_a_training_goes_on_from_its_checkpoint(
    judging: EvaluateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_proxy(DIGITS, judging)
    longer = replace(judging, epochs=12)
    whole = train(SPEC, data, longer, seed=0)
    states: list[bytes] = []
    monkeypatch.setattr(module, "CHECKPOINT_EVERY_S", 0.0)
    train(SPEC, data, longer, seed=0, save=lambda state: states.append(to_bytes(state)))
    halfway = from_bytes(states[(len(states) - 1) // 2], "state")
    assert 0 < halfway.iteration < whole.curve[-1].iteration
    assert isinstance(halfway, RunState)
    resumed = train(SPEC, data, longer, seed=0, state=halfway)
    assert resumed.curve[-1].iteration == whole.curve[-1].iteration
    assert resumed.accuracy == pytest.approx(whole.accuracy, abs=0.05)


def test_what_takes_too_long_and_what_diverges_is_a_failure(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    slow = train(SPEC, data, replace(judging, epochs=1000, timeout_s=1.0), seed=0)
    assert (slow.failure, slow.accuracy) == ("timeout", None)
    wild = train(SPEC, data, replace(judging, lr=1e6, epochs=20), seed=0)
    assert (wild.failure, wild.accuracy) == ("diverged", None)


def test_want_of_memory_is_a_failure(
    judging: EvaluateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_proxy(DIGITS, judging)

    def refuse(*_: object, **__: object) -> torch.nn.Module:
        # The message of torch's CPU allocator.
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr(module, "build_network", refuse)
    assert train(SPEC, data, judging, seed=0).failure == "out of memory"


def test_other_errors_are_not_hidden(
    judging: EvaluateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_proxy(DIGITS, judging)

    def refuse(*_: object, **__: object) -> torch.nn.Module:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(module, "build_network", refuse)
    with pytest.raises(RuntimeError, match="shapes"):
        train(SPEC, data, judging, seed=0)


def test_costs_are_counted_and_measured(judging: EvaluateConfig) -> None:
    costs = measure(SPEC, 3, judging)
    counted = measure_cost(build_network(SPEC, 3), 32)
    assert (costs.params, costs.macs, costs.activations) == (
        counted.params,
        counted.macs,
        counted.activations,
    )
    assert 0 < costs.inference_ms < costs.step_time_ms
    # Three copies of the weights, and at least the images of the batch.
    assert costs.train_memory_bytes > 12 * counted.params + 4 * 8 * 3 * 32 * 32
    larger = measure(SPEC, 3, replace(judging, step_batch_size=16))
    assert larger.train_memory_bytes > costs.train_memory_bytes


def test_a_proxy_takes_classes_evenly_and_never_the_test_images(judging: EvaluateConfig) -> None:
    data = load_proxy("sklearn:digits:per_class=60", replace(judging, num_classes=3))
    assert data.class_names == ("0", "4", "9")
    assert set(data.train.labels.tolist()) == {0, 1, 2}
    assert len(data.val) >= 3 * 15


@pytest.mark.parametrize(
    ("data", "change", "said"),
    [
        ("sklearn:digits:classes=0,1:per_class=12", {}, "validation images"),
        (DIGITS, {"num_classes": 5}, "at least 5 classes.*use --num-classes 3"),
        ("nowhere.zip", {}, "nowhere"),
    ],
)
def test_a_proxy_that_is_too_small_is_refused(
    judging: EvaluateConfig, data: str, change: dict[str, int], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        load_proxy(data, replace(judging, **change))  # type: ignore[arg-type]


def test_a_stopped_training_is_the_beginning_of_the_full_one(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    rates: dict[str, list[float]] = {}
    for early_stop in ("stopped", "compressed"):
        config = replace(judging, epochs=12, stop_share=0.25, early_stop=early_stop)
        schedule = module._schedule(len(data.train), config)
        trainer = module._trainer(SPEC, data, config, 0, WallClock(0.0), None, None)
        rates[early_stop] = []
        trainer._progress = lambda now, of=rates[early_stop]: of.append(now.lr)
        result = trainer.run()
        assert result.ended == "iterations"
        assert result.iterations == num_iterations(len(data.train), config)
        assert result.curve[-1].iteration == result.iterations
        assert schedule[1] in (0, result.iterations)
    stopped, compressed = rates["stopped"], rates["compressed"]
    assert len(stopped) == len(compressed)
    full = replace(judging, epochs=12, stop_share=1.0)
    whole: list[float] = []
    trainer = module._trainer(SPEC, data, full, 0, WallClock(0.0), None, None)
    trainer._progress = lambda now: whole.append(now.lr)
    trainer.run()
    assert stopped == pytest.approx(whole[: len(stopped)])
    assert compressed[-1] < 0.2 * max(compressed) < stopped[-1]


def test_a_stopped_training_that_takes_too_long_is_a_failure(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    config = replace(judging, epochs=10**6, stop_share=0.5, timeout_s=1.0, early_stop="stopped")
    assert train(SPEC, data, config, seed=0).failure == "timeout"


def test_the_paper_s_proxies_are_the_paper_s() -> None:
    block, macro = EvaluateConfig.paper("block"), EvaluateConfig.paper("macro")
    assert (block.batch_size, block.epochs, block.lr, block.stop_share) == (32, 90, 0.1, 0.1)
    assert (block.num_classes, block.train_per_class, block.val_per_class) == (100, 500, 100)
    assert (macro.batch_size, macro.epochs, macro.lr, macro.stop_share) == (1024, 40, 0.2, 1.0)
    assert (macro.num_classes, macro.train_per_class) == (0, 0)
    assert block.early_stop == macro.early_stop == "stopped"
    assert block.all_if_fewer


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_classes", -3), ("num_classes", 1), ("timeout_s", 0), ("step_batch_size", 0)],
)
def test_settings_that_cannot_be_are_refused(
    judging: EvaluateConfig, name: str, value: float
) -> None:
    with pytest.raises(InvalidInput, match=f"expected {name} to be"):
        replace(judging, **{name: value})


def test_images_of_each_class_are_drawn_from_any_larger_set(judging: EvaluateConfig) -> None:
    config = replace(judging, num_classes=3, train_per_class=20, val_per_class=17)
    data = load_proxy("sklearn:digits:per_class=60", config)
    assert data.train.labels.bincount().tolist() == [20, 20, 20]
    assert data.val.labels.bincount().tolist() == [17, 17, 17]
    other = load_proxy("sklearn:digits:per_class=60", replace(config, seed=1))
    indices = torch.arange(20)
    assert not torch.equal(data.train.images(indices), other.train.images(indices))
    with pytest.raises(DataError, match=r"expected 50 images of each class in train.*--images-per"):
        load_proxy(DIGITS, replace(config, train_per_class=50, val_per_class=17))


TRAIN_GREY, VAL_GREY = 200, 50


def folder_of_greys(root: Path, counts: dict[str, int]) -> str:
    """Write images of two classes, in `train` or `train/` and `val/`; the grey tells the split."""
    for split, count in counts.items():
        for name in ("a", "b"):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                grey = VAL_GREY if split == "val" else TRAIN_GREY
                image = Image.new("RGB", (32, 32), (grey, grey, grey + number))
                image.save(root / split / name / f"{number}.png")
    return str(root)


@pytest.mark.parametrize(
    "counts",
    [{"train": 30, "val": 5}, {"train": 12, "val": 5}, {"train": 12}, {"": 12}],
    ids=["more of both", "exactly enough for training", "training only", "no splits"],
)
def test_images_of_each_class_are_drawn_from_the_training_images(
    judging: EvaluateConfig,
    counts: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in 7.3.1, where the proxy is sampled from ImageNet's training set alone."""
    monkeypatch.setattr(module, "LEAST_VAL_IMAGES", 4)
    config = replace(judging, batch_size=16, train_per_class=10, val_per_class=2)
    data = load_proxy(folder_of_greys(tmp_path, counts), config)
    seen: list[torch.Tensor] = []
    for split, each in ((data.train, 10), (data.val, 2)):
        assert split.labels.bincount().tolist() == [each, each]
        seen.append(split.images(torch.arange(len(split)))[:, :, 0, 0])
        assert set(seen[-1][:, 0].tolist()) == {TRAIN_GREY}
    for label in (0, 1):
        train, val = (
            {int(image[2]) for image in images[split.labels == label]}
            for images, split in zip(seen, (data.train, data.val), strict=True)
        )
        assert not train & val


def test_without_numbers_all_images_are_used_and_own_validation_images_are_kept(
    judging: EvaluateConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_VAL_IMAGES", 4)
    config = replace(judging, batch_size=16)
    own = load_proxy(folder_of_greys(tmp_path / "own", {"train": 12, "val": 5}), config)
    assert (len(own.train), len(own.val), len(own.test)) == (24, 10, 0)
    assert set(own.val.images(torch.arange(10))[:, 0, 0, 0].tolist()) == {VAL_GREY}
    none = load_proxy(folder_of_greys(tmp_path / "none", {"": 20}), config)
    assert (len(none.train), len(none.val), len(none.test)) == (28, 12, 0)


def test_a_preset_takes_all_classes_where_there_are_fewer(
    judging: EvaluateConfig, caplog: pytest.LogCaptureFixture
) -> None:
    data = load_proxy(DIGITS, replace(judging, num_classes=5, all_if_fewer=True))
    assert len(data.class_names) == 3
    assert "all 3 classes" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"early_stop": "never"}, "early_stop"),
        ({"epochs": 0}, "epochs"),
        ({"stop_share": 1.5}, "stop_share"),
        ({"lr": 0.0}, "lr"),
        ({"min_scale": 0.0}, "min_scale"),
        ({"val_fraction": 1.0}, "val_fraction"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"train_per_class": 5}, "5 and 0"),
    ],
)
def test_what_cannot_be_a_proxy_is_refused(
    judging: EvaluateConfig, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        replace(judging, **change)


def test_the_loss_as_a_signal_tells_more_than_the_accuracy(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    plain = train(SPEC, data, judging, seed=1)
    short = train(SPEC, data, replace(judging, signal="loss"), seed=1)
    long = train(SPEC, data, replace(judging, signal="loss", epochs=16), seed=1)
    assert plain.score is None
    assert short.accuracy == plain.accuracy
    assert short.score is not None
    assert long.score is not None
    assert 0.0 <= short.score < long.score < 1.0


@pytest.mark.slow
def test_a_teacher_as_a_signal_needs_no_labels(judging: EvaluateConfig) -> None:
    data = load_proxy(DIGITS, judging)
    config = replace(
        judging,
        epochs=30,
        signal="teacher",
        teacher="efficientnet-lite0",
        teacher_resolution=96,
    )
    blind = replace(data, train=Unlabelled(data.train), val=Unlabelled(data.val))
    lesson = teach(blind, config)
    found = train(SPEC, blind, config, seed=0, lesson=lesson)
    less = train(SPEC, blind, replace(config, epochs=2), seed=0, lesson=lesson)
    assert found.score is not None
    assert less.score is not None
    assert 0.0 <= less.score < found.score < 1.0


class SlowTeacher:
    """A teacher of 4 features and classes; a batch takes a minute of the time of `Watch`."""

    resolution, num_features, digest = 32, 4, "slow"
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.now = 0.0

    def features(self, images: torch.Tensor) -> torch.Tensor:
        self.now += 60.0
        return images.float().mean(dim=(2, 3))[:, [0, 1, 2, 0]].half()

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        return features.float()


class Watch(WallClock):
    """A clock on which a slow teacher takes its time, and everything else a millisecond."""

    def __init__(self, teacher: SlowTeacher, used_s: float = 0.0) -> None:
        self._teacher = teacher
        self._begun = teacher.now - used_s

    def elapsed_s(self) -> float:
        self._teacher.now += 0.001
        return self._teacher.now - self._begun


def test_a_training_does_not_wait_for_its_teacher(
    judging: EvaluateConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor does a second process: the features are in the cache."""
    monkeypatch.setenv("NASOA_CACHE_DIR", str(tmp_path))
    data = load_proxy(DIGITS, judging)
    config = replace(judging, signal="teacher", timeout_s=90.0)
    asked = []
    for _process in range(2):
        slow = SlowTeacher()
        monkeypatch.setattr(module, "packaged_teacher", lambda *_, slow=slow: slow)
        monkeypatch.setattr(module, "WallClock", partial(Watch, slow))
        found = train(SPEC, data, config, seed=0)
        assert found.failure == ""
        assert found.elapsed_s < 5.0
        asked.append(slow.now)
    assert asked[0] > config.timeout_s
    assert asked[1] < 5.0


class Unlabelled:
    """A split whose images are all labelled as class 0."""

    def __init__(self, split: ImageSplit) -> None:
        self._split = split
        self.labels = torch.zeros_like(split.labels)
        self.shards = split.shards

    def __len__(self) -> int:
        return len(self._split)

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        return self._split.images(indices)

    def batches(
        self, index_batches: Iterable[torch.Tensor]
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for images, labels in self._split.batches(index_batches):
            yield images, torch.zeros_like(labels)
