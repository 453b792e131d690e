"""The training loop: what it trains, which checkpoint it keeps, and when it ends."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
import torch

from nasoa.arch import StagedNetwork
from nasoa.config import TrainingConfig
from nasoa.data import ImageDataset
from nasoa.records import BN_ALL, BN_FIXED, BN_TRAINED
from nasoa.training.cached_features import CachedFeatures
from nasoa.training.checkpoint import RunState, from_bytes, to_bytes
from nasoa.training.clock import Clock, StepClock, WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import ImageInputs, InputConfig, evaluation_order, split_network
from nasoa.training.loop import Trainer
from nasoa.training.precision import Precision
from nasoa.training.run import Callbacks, RunTime, TrainedPart, WorkCost
from nasoa.training.schedules import SCHEDULES

WORK = WorkCost(step_s=0.1, eval_image_s=0.001)
BNS = (BN_ALL, BN_TRAINED, BN_FIXED)


def make(
    network: StagedNetwork,
    data: ImageDataset,
    precision: Precision,
    *,
    frozen: int = -1,
    cached: bool = False,
    bn: str = BN_ALL,
    clock: Clock | None = None,
    limit_s: float = 1e6,
    save: Any = None,
    state: RunState | None = None,
    **config: Any,
) -> Trainer:
    prefix, trainable = split_network(network, frozen)
    images = ImageInputs(
        data,
        prefix,
        InputConfig(
            resolution=32,
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            batch_size=16,
            flip=False,
            min_scale=0.8,
            seed=0,
            adapts_frozen_bn=bn == BN_ALL,
        ),
        precision,
    )
    inputs = filled(CachedFeatures(images, pooled=frozen == 4)) if cached else images
    settings = {"lr": 0.05, "lr_schedule": "cosine", "iterations": 30, "batch_size": 16}
    trainer = Trainer(
        TrainedPart(network, trainable),
        inputs,
        TrainingConfig(**{**settings, "fixed_bn": bn == BN_FIXED, **config}),
        precision=precision,
        time=RunTime(Deadline(clock or StepClock(), limit_s), work=WORK),
        callbacks=Callbacks(save=save),
    )
    if state is not None:
        trainer.resume(state)
    return trainer


def filled(inputs: CachedFeatures) -> CachedFeatures:
    for split in ("train", "val"):
        for _ in inputs.fill(split):
            pass
    return inputs


def snapshot(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_it_learns_with_every_schedule(
    network: StagedNetwork, digits: ImageDataset, precision: Precision, schedule: str
) -> None:
    result = make(network, digits, precision, lr_schedule=schedule, iterations=80).run()
    assert result.iterations == 80
    assert result.ended == "iterations"
    assert result.val_accuracy > 0.8 > result.curve[0].val_accuracy


@pytest.mark.parametrize("bn", BNS)
@pytest.mark.parametrize("frozen", [-1, 0, 1, 2, 3, 4])
def test_trained_parameters_move_and_bn_statistics_where_they_are_to(
    network: StagedNetwork, digits: ImageDataset, precision: Precision, frozen: int, bn: str
) -> None:
    # With one validation the last checkpoint is selected, so its statistics are the latest.
    trainer = make(network, digits, precision, frozen=frozen, bn=bn, num_validations=1)
    before = snapshot(network)
    trainer.validate()
    trainer.state.highest_accuracy = -1.0
    trainer.run()
    frozen_parts = ["stem.", *(f"stages.{i}." for i in range(4))][: frozen + 1]
    for name, value in snapshot(network).items():
        in_prefix = name.startswith(tuple(frozen_parts))
        moved = not torch.equal(before[name], value)
        if name in dict(network.named_parameters()):
            assert moved == (not in_prefix), name
        else:
            assert moved == (bn == BN_ALL or (bn == BN_TRAINED and not in_prefix)), name


@pytest.mark.parametrize("bn", BNS)
def test_frozen_parts_are_evaluated_with_their_present_statistics(
    network: StagedNetwork, digits: ImageDataset, precision: Precision, bn: str
) -> None:
    """Validation evaluates the network in the state that is saved."""
    trainer = make(network, digits, precision, frozen=2, bn=bn, iterations=10)
    trainer.run()
    logits, labels = next(trainer.inputs.evaluate(trainer.trainable, "val", len(digits.val)))
    order = evaluation_order(len(digits.val), 0)
    images = (digits.val.images(order).float() / 255 - 0.5) / 0.25
    with torch.no_grad():
        expected = network.eval()(images)
    assert torch.equal(labels, digits.val.labels[order])
    assert torch.allclose(logits, expected, atol=1e-4)


def test_cached_features_leave_the_prefix_alone(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    before = snapshot(network)
    make(network, digits, precision, frozen=4, cached=True, lr=0.5).run()
    changed = {n for n, v in snapshot(network).items() if not torch.equal(before[n], v)}
    assert changed == {"head.fc.weight", "head.fc.bias"}


def test_a_cached_head_learns_what_an_uncached_one_would(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    trainer = make(network, digits, precision, frozen=4, cached=True)
    features, labels = next(trainer.inputs.train_batches(0))
    assert features.shape[1:] == (32, 1, 1)
    assert len(labels) == 16
    logits, _ = next(trainer.inputs.evaluate(trainer.trainable, "val", 10))
    uncached = make(network, digits, precision, frozen=4)
    expected, _ = next(uncached.inputs.evaluate(uncached.trainable, "val", 10))
    assert torch.allclose(logits, expected, atol=1e-5)


def test_a_loss_that_is_not_finite_ends_the_run_with_the_best_checkpoint(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    trainer = make(network, digits, precision, lr=1e9, lr_schedule="constant", iterations=500)
    result = trainer.run()
    assert result.ended == "diverged"
    assert result.iterations < 500
    assert all(v.isfinite().all() for v in network.state_dict().values() if v.is_floating_point())
    highest = max(point.val_accuracy for point in result.curve)
    error = math.sqrt(highest * (1 - highest) / len(digits.val))
    assert result.val_accuracy >= highest - error


def test_the_network_holds_the_best_checkpoint(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    trainer = make(network, digits, precision, iterations=40)
    result = trainer.run()
    logits_and_labels = trainer.inputs.evaluate(trainer.trainable, "val", len(digits.val))
    right = sum(int((logits.argmax(1) == y).sum()) for logits, y in logits_and_labels)
    assert right / len(digits.val) == result.val_accuracy


def test_the_step_clock_gives_the_same_result_twice(
    digits: ImageDataset, precision: Precision
) -> None:
    from nasoa.arch import build_network, parse

    outcomes = []
    for _ in range(2):
        torch.manual_seed(0)
        network = build_network(parse("020- 8 1-2-1-2"), num_classes=3)
        trainer = make(network, digits, precision, clock=StepClock(), limit_s=5.0, fills_limit=True)
        result = trainer.run()
        outcomes.append((result, snapshot(network)))
        assert result.ended == "deadline"
    (first, weights), (second, same) = outcomes
    assert first == second
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    # 5 s at 0.1 s a step, less eleven validations of 27 images at 1 ms.
    assert 40 <= first.iterations <= 49


@pytest.mark.parametrize("limit_s", [1.0, 2.5])
def test_the_wall_clock_limit_is_filled_and_held(
    network: StagedNetwork, digits: ImageDataset, precision: Precision, limit_s: float
) -> None:
    started = time.monotonic()
    trainer = make(network, digits, precision, clock=WallClock(), limit_s=limit_s, fills_limit=True)
    result = trainer.run()
    elapsed = time.monotonic() - started
    assert result.ended == "deadline"
    assert 0.7 * limit_s < elapsed < limit_s + 0.2


def test_iterations_end_a_run_that_does_not_fill_its_limit(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    result = make(network, digits, precision, limit_s=1000.0, iterations=12).run()
    assert (result.iterations, result.ended) == (12, "iterations")


class Killed(Exception):
    """Simulates a process that is killed during training."""


def test_many_dear_validations_leave_time_to_train(
    network: StagedNetwork, digits: ImageDataset, precision: Precision
) -> None:
    validation_s = WORK.eval_image_s * len(digits.val)
    limit_s, num_validations = 20.0, math.ceil(2 * 20.0 / validation_s)
    trainer = make(
        network,
        digits,
        precision,
        limit_s=limit_s,
        iterations=1000,
        num_validations=num_validations,
    )
    result = trainer.run()
    assert result.iterations * WORK.step_s > 0.7 * limit_s
    assert trainer.deadline.clock.elapsed_s() <= limit_s


@pytest.mark.parametrize(
    ("accuracies", "kept"),
    [
        ([0.8, 0.7, 0.79, 0.8, 0.81], 0),  # no checkpoint is clearly better than the start
        ([0.8, 0.7, 0.88, 0.86, 0.85], 4),  # the last is within the error of the highest
        ([0.8, 0.7, 0.87, 0.86, 0.82], 3),  # but it must also be clearly better than the start
        ([0.1, 0.1, 0.9, 0.2, 0.3], 2),
    ],
)
def test_the_last_good_checkpoint_that_betters_the_start_is_kept(
    network: StagedNetwork,
    digits: ImageDataset,
    precision: Precision,
    accuracies: list[float],
    kept: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = make(network, digits, precision, iterations=8, num_validations=4)
    scripted = iter(accuracies)
    monkeypatch.setattr(trainer, "_val_accuracy", lambda: next(scripted))
    result = trainer.run()
    assert [point.val_accuracy for point in result.curve] == accuracies
    assert trainer.state.best_iteration == result.curve[kept].iteration
    assert result.val_accuracy == accuracies[kept]


@pytest.mark.parametrize(
    "regime",
    [
        {},
        {"frozen": 1},
        {"bn": BN_TRAINED, "frozen": 1},
        {"bn": BN_FIXED},
        {"bn": BN_TRAINED, "frozen": 2, "cached": True},
    ],
    ids=["full", "frozen", "trained BN", "fixed BN", "cached"],
)
def test_a_resumed_run_ends_where_an_undisturbed_one_does(
    digits: ImageDataset, precision: Precision, regime: dict[str, Any]
) -> None:
    from nasoa.arch import build_network, parse

    def fresh() -> StagedNetwork:
        torch.manual_seed(0)
        return build_network(parse("020- 8 1-2-1-2"), num_classes=3)

    settings = {"iterations": 40, "lr_schedule": "horizonless", **regime}
    whole = fresh()
    undisturbed = make(whole, digits, precision, **settings).run()

    saved: list[bytes] = []

    def save(state: RunState) -> None:
        saved.append(to_bytes(state))
        if state.iteration >= 20:
            raise Killed

    with pytest.raises(Killed):
        make(fresh(), digits, precision, save=save, **settings).run()
    state = from_bytes(saved[-1], "checkpoint")
    assert state.iteration >= 20
    resumed = fresh()
    clock = StepClock(state.elapsed_s)
    result = make(resumed, digits, precision, state=state, clock=clock, **settings).run()
    assert result.iterations == undisturbed.iterations == 40
    assert result.curve == undisturbed.curve
    for name, value in whole.state_dict().items():
        assert torch.allclose(value.float(), resumed.state_dict()[name].float(), atol=1e-4), name


def test_a_state_comes_back_from_bytes() -> None:
    state = RunState(iteration=3, elapsed_s=1.5, best_accuracy=0.5)
    state.network = {"a.b": torch.rand(2, 3), "n": torch.tensor(4)}
    state.best = {"a.b": torch.rand(2, 3)}
    back = from_bytes(to_bytes(state), "key")
    assert (back.iteration, back.elapsed_s, back.best_accuracy, back.curve) == (3, 1.5, 0.5, [])
    assert torch.equal(back.network["a.b"], state.network["a.b"])
    assert back.network["n"] == 4
    assert set(back.best) == {"a.b"}
    assert back.momentum == {}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_stays_between_0_and_1(name: str) -> None:
    values = [SCHEDULES[name].multiplier(i / 1000, i) for i in range(1001)]
    assert all(0 <= value <= 1 and math.isfinite(value) for value in values)
    assert max(values) > 0.95
    if name in ("cosine", "one_cycle"):
        assert values[-1] < 1e-6
