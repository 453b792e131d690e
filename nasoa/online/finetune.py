"""One fine-tune inside a deadline: a network, a regime, a data set -> weights and accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.data import ImageDataset
from nasoa.records import HEAD_ONLY, Regime, ZooEntry
from nasoa.training.checkpoint import RunState
from nasoa.training.deadline import Deadline, Pace
from nasoa.training.inputs import (
    CachedInputs,
    ImageInputs,
    InputConfig,
    Inputs,
    split_network,
)
from nasoa.training.loop import Progress, Trainer, TrainingResult, WorkCost
from nasoa.training.precision import Precision
from nasoa.training.probe import fit_linear


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a fine-tune would have reached, had it ended after so many iterations."""

    iteration: int
    val_accuracy: float
    accuracy: float
    elapsed_s: float


@dataclass(frozen=True)
class FineTuned:
    """A finished fine-tune; the network holds the chosen checkpoint.

    `confusion[i][j]` counts tested images of class i classified as j; where the time was too
    short for the whole test split, a random part of it was tested.
    """

    training: TrainingResult
    confusion: tuple[tuple[int, ...], ...]
    looks: tuple[Look, ...] = ()

    @property
    def accuracy(self) -> float:
        """Share of the tested images that were classified rightly."""
        return _share_right(self.confusion)


def finetune(
    network: StagedNetwork,
    data: ImageDataset,
    regime: Regime,
    entry: ZooEntry,
    *,
    mirror_safe: bool,
    deadline: Deadline,
    precision: Precision,
    work: WorkCost,
    seed: int,
    config: FineTuneConfig,
    save: Callable[[RunState], None] | None = None,
    state: RunState | None = None,
    progress: Callable[[Progress], None] | None = None,
    looks: Sequence[int] = (),
) -> FineTuned:
    """Fine-tune `network` by `regime`, then look at the test split once.

    Args:
        network: pretrained, with a head of as many classes as `data` has; gets the result.
        data: validation chooses the checkpoint.
        regime: what to do.
        entry: the network's normalisation.
        mirror_safe: mirror images are of the same class.
        deadline: everything is over before it, testing included.
        precision: where and in which format to compute.
        work: what a step clock is charged.
        seed: order of images and augmentation.
        config: what regimes do not vary.
        save: called with a state when a checkpoint is due.
        state: a checkpoint to go on from.
        progress: called after every step.
        looks: iteration counts at which the best checkpoint so far is tested on the way, so that
            one training is as good as several. For collecting experience only: it looks at the
            test split several times.
    """
    precision.place(network)
    prefix, trainable = split_network(network, regime.frozen_stages)
    images = ImageInputs(
        data, prefix, _input_config(regime, entry, mirror_safe, seed, config), precision
    )
    inputs: Inputs = images
    if regime.cached_features:
        inputs = CachedInputs(images, head_only=regime.frozen_stages == HEAD_ONLY)
    num_test = len(data.test)
    margin_s = config.margin_s(deadline.limit_s)

    def reserve_s(pace: Pace) -> float:
        return margin_s + min(
            config.test_slack * pace.eval_image_s * num_test,
            config.max_test_share * deadline.limit_s,
        )

    trainer = Trainer(
        network=network,
        trainable=trainable,
        inputs=inputs,
        config=_training_config(regime, config),
        precision=precision,
        deadline=deadline,
        reserve_s=reserve_s,
        work=work,
        save=save,
        progress=progress,
        state=state,
    )
    if state is None:
        _begin(trainer, network, images, deadline, work, config, regime.frozen_stages == HEAD_ONLY)
    num_classes = len(data.class_names)
    looked: list[Look] = []

    def look() -> None:
        accuracy = _share_right(_test(inputs, trainable, deadline, work, margin_s, num_classes))
        looked.append(
            Look(
                iteration=trainer.state.iteration,
                val_accuracy=trainer.state.best_accuracy,
                accuracy=accuracy,
                elapsed_s=deadline.clock.elapsed_s(),
            )
        )

    trainer.pause_at(looks, look)
    result = trainer.run()
    confusion = _test(inputs, trainable, deadline, work, margin_s, num_classes)
    return FineTuned(result, confusion, tuple(looked))


def _share_right(confusion: Sequence[Sequence[int]]) -> float:
    right = sum(row[i] for i, row in enumerate(confusion))
    return right / max(sum(map(sum, confusion)), 1)


def _input_config(
    regime: Regime, entry: ZooEntry, mirror_safe: bool, seed: int, config: FineTuneConfig
) -> InputConfig:
    return InputConfig(
        resolution=regime.resolution,
        mean=entry.mean,
        std=entry.std,
        batch_size=regime.batch_size,
        flip=mirror_safe,
        min_scale=config.min_scale,
        seed=seed,
    )


def _training_config(regime: Regime, config: FineTuneConfig) -> TrainingConfig:
    return TrainingConfig(
        lr=regime.lr,
        lr_schedule=regime.lr_schedule,
        iterations=regime.iterations,
        batch_size=regime.batch_size,
        fills_limit=regime.fills_limit,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
    )


def _begin(
    trainer: Trainer,
    network: StagedNetwork,
    images: ImageInputs,
    deadline: Deadline,
    work: WorkCost,
    config: FineTuneConfig,
    head_only: bool,
) -> None:
    """Make a linear classifier on the pretrained features the first checkpoint.

    So the result is never worse on validation than the head alone. Training of more than the head
    then starts from a head of zeros: started from the fitted head it ended lower (pacs_photo .81
    against .87, 30 s), since large logits on the training images leave little to learn from.
    """
    head = network.head
    assert isinstance(head, PooledLinear)
    weight, bias = _fit_head(network, images, deadline, work, config)
    with torch.no_grad():
        head.fc.weight.copy_(weight)
        head.fc.bias.copy_(bias)
    trainer.validate()
    if not head_only:
        torch.nn.init.zeros_(head.fc.weight)
        torch.nn.init.zeros_(head.fc.bias)


def _fit_head(
    network: StagedNetwork,
    images: ImageInputs,
    deadline: Deadline,
    work: WorkCost,
    config: FineTuneConfig,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a linear classifier on the features of a sample of training images."""
    body = torch.nn.Sequential(network.stem, *network.stages)
    source = ImageInputs(images.data, torch.nn.Sequential(body), images.config, images.precision)
    spent_until = deadline.clock.elapsed_s() + config.probe_share * deadline.remaining_s
    features, labels = [], []
    for pooled, batch_labels in source.evaluate(_Pool(), "train", config.max_probe_images):
        features.append(pooled.clone())
        labels.append(batch_labels)
        deadline.clock.charge(work.eval_image_s * len(batch_labels))
        if deadline.clock.elapsed_s() > spent_until:
            break
    num_classes = len(images.data.class_names)
    return fit_linear(torch.cat(features), torch.cat(labels), num_classes, config.probe_l2)


class _Pool(torch.nn.Module):
    """The head's pooling without its linear layer."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean(dim=(2, 3))


def _test(
    inputs: Inputs,
    trainable: torch.nn.Module,
    deadline: Deadline,
    work: WorkCost,
    margin_s: float,
    num_classes: int,
) -> tuple[tuple[int, ...], ...]:
    """The confusion matrix of as much of the test split as time allows, at least one batch."""
    counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    slowest_s = 0.0
    started = deadline.clock.elapsed_s()
    for logits, labels in inputs.evaluate(trainable, "test", inputs.count("test")):
        predicted = logits.argmax(dim=1)
        counts.index_put_(
            (labels.cpu(), predicted.cpu()), torch.ones(len(labels), dtype=torch.int64), True
        )
        deadline.clock.charge(work.eval_image_s * len(labels))
        now = deadline.clock.elapsed_s()
        slowest_s, started = max(slowest_s, now - started), now
        if deadline.remaining_s < margin_s / 2 + slowest_s:
            break
    return tuple(map(tuple, counts.tolist()))
