"""Fine-tune a network on a data set with a regime, within a deadline, and measure its accuracy."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.data import ImageDataset
from nasoa.online.tuning.first_head import FirstHead, FittedHeads, HeadLimits
from nasoa.online.tuning.job import Job, Known, Listeners, Tested
from nasoa.records import BN_ALL, BN_FIXED, FITTED, HEAD_ONLY, CurvePoint, Regime
from nasoa.training.cached_features import CachedFeatures, NoRoom
from nasoa.training.deadline import Deadline
from nasoa.training.inputs import EVAL_BATCH, ImageInputs, InputConfig, Inputs, split_network
from nasoa.training.linear_head import LinearHead, pass_s, put_head
from nasoa.training.loop import Trainer
from nasoa.training.run import Callbacks, RunTime, TrainedPart, TrainingResult, WorkCost
from nasoa.work_progress import report_progress
from nasoa.zoo.step_times import FIT_S

logger = logging.getLogger(__name__)

FEWEST_TESTED = 16  # images, however short the time
FIT_SLACK = 2.0  # times the expected time of a fit
REFIT_SLACK = 1.3  # times the time of the last fit, from whose weights it starts


@dataclass(frozen=True, kw_only=True)
class CheckpointEvaluation:
    """Checkpoint evaluation: the result that a fine-tune would have had after `iteration` steps."""

    iteration: int
    val_accuracy: float
    accuracy: float
    elapsed_s: float


@dataclass(frozen=True)
class FineTuned:
    """A finished fine-tune; the network holds the selected checkpoint.

    `heads` are the linear classifiers of the first checkpoint, or None for a run that was resumed
    from a better one.
    `is_cached`: whether features of the frozen stages were kept, if there are frozen stages.
    `confusion[i][j]` counts tested images of class i that were classified as j. If there was too
    little time for the whole test split, a random part of it was tested.
    """

    training: TrainingResult
    confusion: tuple[tuple[int, ...], ...]
    evaluations: tuple[CheckpointEvaluation, ...] = ()
    heads: FittedHeads | None = None
    is_cached: bool = False

    @property
    def accuracy(self) -> float:
        """Fraction of the tested images that were classified correctly."""
        return _accuracy(self.confusion)


NOTHING = Known()
NOBODY = Listeners()


def finetune(
    job: Job,
    deadline: Deadline,
    work: WorkCost,
    *,
    known: Known = NOTHING,
    listeners: Listeners = NOBODY,
) -> FineTuned:
    """Fine-tune a network with a regime, then evaluate it on the test split once.

    Args:
        job: the fine-tune to run.
        deadline: time limit for everything, testing included.
        work: costs that a step clock is charged.
        known: results of earlier work to reuse.
        listeners: callbacks, and the iterations of intermediate evaluations.

    If there is no space for cached features, they are computed in every step instead.

    Raises:
        NoRoom: there is no space for the features of a head alone.
    """
    regime = job.regime
    try:
        return _finetune(job, deadline, work, known, listeners)
    except NoRoom as error:
        if regime.frozen_stages == HEAD_ONLY:
            raise
        # A record of the log must not keep the error, and with it the features.
        why = str(error)
        logger.warning("%s; meanwhile they are computed in every step, which is slower", why)
    uncached = replace(job, regime=replace(regime, cached_features=False))
    return _finetune(uncached, deadline, work, replace(known, cache=None), listeners)


def _finetune(
    job: Job, deadline: Deadline, work: WorkCost, known: Known, listeners: Listeners
) -> FineTuned:
    network, data, regime, config = job.network, job.data, job.regime, job.config
    state, heads = known.state, known.heads
    job.precision.place(network)
    run = _Run(network, data, regime, deadline, work, config)
    prefix, trainable = split_network(network, regime.frozen_stages)
    images = ImageInputs(data, prefix, _input_config(job), job.precision)
    inputs = run.inputs(images, known.cache)
    time = RunTime(
        deadline,
        # The features of test images are not cached yet.
        lambda pace: run.reserve_s(pace.eval_image_s + first.image_s) + run.refit_s(first, trainer),
        work,
    )
    trainer = Trainer(
        TrainedPart(network, trainable),
        inputs,
        _training_config(regime, config),
        precision=job.precision,
        time=time,
        callbacks=Callbacks(save=listeners.save, progress=listeners.progress),
    )
    if state is not None:
        trainer.resume(state)
    there = known.features
    if there is not None and isinstance(inputs, CachedFeatures):
        inputs.put("train", there.indices, there.features[:, :, None, None])
    # When a run is resumed, the first head, on pretrained weights, may still be the best.
    is_first_best = state is None or state.best_iteration == 0
    if state is not None and is_first_best:
        network.load_state_dict(state.best)
    first = run.first_head(inputs)
    if is_first_best or isinstance(inputs, CachedFeatures):
        first.fill()
        # Where time is short, validation sees what there are features of.
        trainer.num_val = min(trainer.num_val, max(first.num_validated, 1))
    evaluated: list[CheckpointEvaluation] = []

    def evaluate() -> None:
        nonlocal heads
        heads = run.keep_head(first, trainer, heads)
        evaluated.append(
            CheckpointEvaluation(
                iteration=trainer.state.iteration,
                val_accuracy=trainer.state.best_accuracy,
                accuracy=_accuracy(run.test(inputs, trainable, first.features_s)),
                elapsed_s=deadline.clock.elapsed_s(),
            )
        )

    if is_first_best and heads is None and regime.frozen_stages != HEAD_ONLY:
        heads = FittedHeads(first.fit(run.labels))
    if regime.frozen_stages == HEAD_ONLY:
        result, heads = run.fit_head_alone(first, trainer)
    elif heads is not None and state is None and run.is_over(first, trainer):
        put_head(network, heads.chosen)
        result = run.untrained(first)
    else:
        if state is not None:
            network.load_state_dict(state.network)
        elif heads is not None:
            run.begin(heads, trainer)
        trainer.pause_at(listeners.evaluate_at, evaluate)
        result = trainer.run()
        heads = run.keep_head(first, trainer, heads)
    if heads is not None and heads.chosen.is_constant and len(result.curve) == 1:
        confusion = run.test_constant(heads.chosen, listeners.tested)
    else:
        confusion = run.test(inputs, trainable, first.features_s, listeners.tested)
    is_cached = isinstance(inputs, CachedFeatures)
    return FineTuned(result, confusion, tuple(evaluated), heads, is_cached)


@dataclass(frozen=True)
class _Run:
    """Data shared by the parts of one fine-tune."""

    network: StagedNetwork
    data: ImageDataset
    regime: Regime
    deadline: Deadline
    work: WorkCost
    config: FineTuneConfig

    @property
    def margin_s(self) -> float:
        return self.config.margin_s(self.deadline.limit_s)

    def inputs(
        self, images: ImageInputs, cache: CachedFeatures | None
    ) -> ImageInputs | CachedFeatures:
        """Return the inputs to train on: images, or features of a given cache or of a new one."""
        is_head = self.regime.frozen_stages == HEAD_ONLY
        if cache is not None:
            return cache.with_batch_size(self.regime.batch_size)
        if not (is_head or self.regime.cached_features):
            return images
        image_s = self.work.frozen_image_s
        return CachedFeatures(
            images, pooled=is_head, charge=lambda n: self.deadline.clock.charge(n * image_s)
        )

    def first_head(self, inputs: ImageInputs | CachedFeatures) -> FirstHead:
        return FirstHead(
            self.network,
            self.regime.frozen_stages,
            inputs,
            limits=HeadLimits(
                deadline=self.deadline,
                reserve_s=lambda image_s, images: (
                    self.reserve_s(image_s)
                    + FIT_SLACK * self._fit_slowness * self.work.fit_image_s * images
                ),
                may_mirror=lambda image_s: self.config.may_mirror(
                    image_s, len(self.data.test), self.deadline.limit_s
                ),
                work=self.work,
                most_images=self._most_images,
            ),
            config=self.config,
        )

    @property
    def _most_images(self) -> int | None:
        """Training images for a head alone whose regime gives their number; None for others."""
        is_bounded = self.regime.frozen_stages == HEAD_ONLY and not self.regime.fills_limit
        return self.regime.iterations * self.regime.batch_size if is_bounded else None

    @cached_property
    def _fit_slowness(self) -> float:
        """How many times longer fits take now than on the reference machine, at least 1.

        It is measured, as features are no guide: they are several times slower on a machine without
        bfloat16, while fits are not.
        """
        head, images = self.network.head, len(self.data.train)
        assert isinstance(head, PooledLinear)
        size = (images, head.fc.in_features, head.fc.out_features)
        measured_s = pass_s(*size, self.deadline.clock.elapsed_s, head.fc.weight.device)
        return max(1.0, measured_s / (FIT_S * math.prod(size)))

    def reserve_s(self, eval_image_s: float) -> float:
        """Return the seconds to reserve after training: for the test, saving and learning."""
        return self.margin_s + min(
            self.config.test_slack * eval_image_s * len(self.data.test),
            self.config.most_test_s(self.deadline.limit_s),
        )

    def begin(self, heads: FittedHeads, trainer: Trainer) -> None:
        """Make the fitted head the first checkpoint, and train from it or from a head of zeros.

        A fitted head has large logits on the training images, which leaves little to learn from in
        a long training of many parameters; in a short one, a head of zeros never catches up. So the
        regime specifies which to use.
        """
        put_head(self.network, heads.chosen)
        trainer.validate()
        if not self.regime.fitted_head:
            head = self.network.head
            assert isinstance(head, PooledLinear)
            torch.nn.init.zeros_(head.fc.weight)
            torch.nn.init.zeros_(head.fc.bias)

    def refit_s(self, first: FirstHead, trainer: Trainer) -> float:
        """Return the seconds to reserve after training for `keep_head`."""
        return REFIT_SLACK * first.last_fit_s if trainer.state.best_iteration == 0 else 0.0

    def keep_head(
        self, first: FirstHead, trainer: Trainer, heads: FittedHeads | None
    ) -> FittedHeads | None:
        """Fit the first head to all images, if training has not improved on it so far.

        The network holds the best checkpoint.
        """
        if heads is None or trainer.state.best_iteration > 0:
            return heads
        return self._fit_to_all(first, heads)

    def fit_head_alone(
        self, first: FirstHead, trainer: Trainer
    ) -> tuple[TrainingResult, FittedHeads]:
        """Fit the head, validate it, then fit it to the validation images too if time allows."""
        heads = FittedHeads(first.fit(self.labels))
        put_head(self.network, heads.chosen)
        batches = -(-first.num_fitted // self.regime.batch_size)
        if heads.chosen.is_constant or self.is_over(first, trainer):
            return replace(self.untrained(first), iterations=batches), heads
        trainer.state.iteration = batches
        trainer.validate()
        heads = self._fit_to_all(first, heads)
        result = TrainingResult(
            iterations=batches,
            val_accuracy=trainer.state.best_accuracy,
            curve=tuple(trainer.state.curve),
            ended="iterations",
        )
        return result, heads

    def is_over(self, first: FirstHead, trainer: Trainer) -> bool:
        """Whether there is not even time to validate the first head."""
        validating_s = 0.0 if isinstance(trainer.inputs, CachedFeatures) else first.features_s
        left_s = self.deadline.remaining_s - self.reserve_s(first.image_s)
        return left_s < validating_s * trainer.num_val

    def untrained(self, first: FirstHead) -> TrainingResult:
        """The result where the first head is all that there was time for."""
        elapsed_s = round(self.deadline.clock.elapsed_s(), 3)
        point = CurvePoint(
            iteration=0, elapsed_s=elapsed_s, train_loss=0.0, val_accuracy=first.val_accuracy
        )
        return TrainingResult(
            iterations=0, val_accuracy=first.val_accuracy, curve=(point,), ended="deadline"
        )

    def _fit_to_all(self, first: FirstHead, heads: FittedHeads) -> FittedHeads:
        """Load the head fitted to all images into the network, or the chosen one if time is short.

        The validation images, a tenth of all, improve the head, and nothing is left to select with
        them.
        """
        left_s = self.deadline.remaining_s - self.reserve_s(first.image_s)
        is_fitted = not heads.chosen.is_constant
        if heads.whole is None and is_fitted and 0.0 < first.last_fit_s < left_s:
            heads = FittedHeads(heads.chosen, first.fit_to_all(heads.chosen))
        put_head(self.network, heads.whole or heads.chosen)
        return heads

    def test(
        self,
        inputs: Inputs,
        trainable: torch.nn.Module,
        image_s: float,
        tested: Tested | None = None,
    ) -> tuple[tuple[int, ...], ...]:
        """Return the confusion matrix of as much of the test split as time allows.

        Args:
            inputs: inputs with the test images.
            trainable: the part of the network that classifies them.
            image_s: seconds that an image is expected to take at first.
            tested: called with the logits and labels of each batch.
        """
        counts = torch.zeros(self.network.num_classes, self.network.num_classes, dtype=torch.int64)
        clock, slowest_s = self.deadline.clock, 0.0  # an image
        left_s = self.deadline.remaining_s - self.margin_s / 2
        affordable = int(left_s / image_s) if image_s else EVAL_BATCH
        # Batches are of `EVAL_BATCH`; where not even the first fits, it is smaller.
        left = inputs.count("test")
        if affordable < min(left, EVAL_BATCH):
            left = min(left, max(affordable, FEWEST_TESTED))
        all_images = left
        started = clock.elapsed_s()
        for logits, labels in inputs.evaluate(trainable, "test", left):
            predicted = logits.argmax(dim=1)
            counts.index_put_(
                (labels.cpu(), predicted.cpu()), torch.ones(len(labels), dtype=torch.int64), True
            )
            if tested is not None:
                tested(logits, labels)
            clock.charge(self.work.eval_image_s * len(labels))
            now = clock.elapsed_s()
            slowest_s, started = max(slowest_s, (now - started) / len(labels)), now
            left -= len(labels)
            report_progress("test images", all_images - left, all_images)
            if self.deadline.remaining_s < self.margin_s / 2 + slowest_s * min(left, EVAL_BATCH):
                break
        return tuple(map(tuple, counts.tolist()))

    def test_constant(self, head: LinearHead, tested: Tested | None) -> tuple[tuple[int, ...], ...]:
        """Return the confusion matrix of a head that predicts one class for every image."""
        counts = torch.zeros(len(head.bias), len(head.bias), dtype=torch.int64)
        labels = self.labels("test")
        counts[:, int(head.bias.argmax())] = torch.bincount(labels, minlength=len(head.bias))
        if tested is not None:
            tested(head.bias.expand(len(labels), -1), labels)
        return tuple(map(tuple, counts.tolist()))

    def labels(self, split: str) -> torch.Tensor:
        labels: torch.Tensor = getattr(self.data, split).labels
        return labels


def _accuracy(confusion: Sequence[Sequence[int]]) -> float:
    correct = sum(row[i] for i, row in enumerate(confusion))
    return correct / max(sum(map(sum, confusion)), 1)


def _input_config(job: Job) -> InputConfig:
    regime = job.regime
    return InputConfig(
        resolution=regime.resolution,
        mean=job.entry.mean,
        std=job.entry.std,
        batch_size=regime.batch_size,
        flip=job.mirror_safe,
        min_scale=job.config.min_scale,
        seed=job.seed,
        adapts_frozen_bn=regime.bn == BN_ALL and not regime.cached_features,
    )


def _training_config(regime: Regime, config: FineTuneConfig) -> TrainingConfig:
    return TrainingConfig(
        lr=regime.lr,
        lr_schedule="constant" if regime.lr_schedule == FITTED else regime.lr_schedule,
        iterations=regime.iterations,
        batch_size=regime.batch_size,
        fills_limit=regime.fills_limit,
        weight_decay=config.weight_decay,
        label_smoothing=config.label_smoothing,
        fixed_bn=regime.bn == BN_FIXED,
    )
