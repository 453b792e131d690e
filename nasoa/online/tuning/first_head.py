"""The first checkpoint of every fine-tune: a linear classifier on the pretrained features.

It is fitted to all training images whose features can be computed in time, so that the result is
never worse on validation than the head alone. If it remains the best checkpoint, it is refitted
with the validation images added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.arch.network import PooledLinear
from nasoa.config import FineTuneConfig, TrainingConfig
from nasoa.records import HEAD_ONLY
from nasoa.training.cached_features import SLICE, CachedFeatures
from nasoa.training.deadline import Deadline, EndsInTime
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import ImageInputs
from nasoa.training.linear_head import (
    LinearHead,
    fit_head,
    is_clearly_better,
    is_right,
    majority_head,
    refit_head,
)
from nasoa.training.run import WorkCost
from nasoa.work_progress import report_progress

# Where the time is over, a head is still fitted if it has so few images times weights, for so long.
SMALL_FIT = 2e8
SHORTEST_FIT_S = 0.1
MAX_VAL_IMAGES = TrainingConfig.max_val_images
# What the progress is called, by split and side.
FEATURES_OF = {
    ("val", 0): "validation images",
    ("train", 0): "training images",
    ("val", 1): "mirrored validation images",
    ("train", 1): "mirrored training images",
}


@dataclass(frozen=True)
class FittedHeads:
    """Heads fitted to pretrained features.

    `chosen`: fitted to training images, with a penalty selected by validation; `whole`: fitted with
    that penalty to validation images too, or None if that was not done.
    """

    chosen: LinearHead
    whole: LinearHead | None = None


@dataclass(frozen=True, kw_only=True)
class HeadLimits:
    """The time for the first head, and the images that may be used.

    Args:
        deadline: time limit of the fine-tune.
        reserve_s: function from the seconds of one image, including its mirror image, and a number
            of images to fit to, to the seconds that must be left.
        may_mirror: function from the seconds of one image to whether all test images can be tested
            with their mirror images.
        work: costs that a step clock is charged.
        most_images: largest number of training images to fit the head to; all by default.
    """

    deadline: Deadline
    reserve_s: Callable[[float, int], float]
    may_mirror: Callable[[float], bool]
    work: WorkCost
    most_images: int | None = None


@dataclass
class _Pace:
    """Seconds for the features of an image, without the first images: kernels are prepared there.

    With those, a fit would be expected to take several times as long as it does.
    """

    num_images: int = 0
    spent_s: float = 0.0
    first: tuple[int, float] = (0, 0.0)
    is_first: bool = False

    def add(self, images: int, spent_s: float) -> None:
        """Add images; `spent_s` are the seconds for all so far."""
        self.is_first = self.num_images == 0
        self.num_images += images
        self.spent_s = spent_s
        if self.is_first:
            self.first = images, spent_s

    @property
    def image_s(self) -> float:
        """Seconds for an image: of those after the first, if there are any."""
        images, seconds = (0, 0.0) if self.is_first else self.first
        return (self.spent_s - seconds) / (self.num_images - images)


class FirstHead:
    """Computes features within a fraction of the time, and fits a head to them.

    Args:
        network: pretrained network.
        frozen_stages: frozen stages of the regime.
        inputs: inputs of the training.
        limits: the time, and the images that may be used.
        config: fractions of the time.
    """

    def __init__(
        self,
        network: StagedNetwork,
        frozen_stages: int,
        inputs: ImageInputs | CachedFeatures,
        *,
        limits: HeadLimits,
        config: FineTuneConfig,
    ) -> None:
        self._network = network
        self._deadline = limits.deadline
        self._reserve_s = limits.reserve_s
        self._may_mirror = limits.may_mirror
        self._work = limits.work
        self._is_cached = isinstance(inputs, CachedFeatures)
        self._time_fraction = (
            config.cache_time_fraction if self._is_cached else config.head_time_fraction
        )
        if frozen_stages == HEAD_ONLY:
            self._time_fraction = 1.0
        self._mirror_time_fraction = config.mirror_time_fraction
        self._cache, self._rest = _pooled(
            network, frozen_stages, inputs, limits.work, limits.deadline
        )
        self._most_images = limits.most_images or self._cache.count("train")
        self._image_s = 0.0
        self._fitted: dict[str, tuple[Tensor, Tensor]] = {}
        self.last_fit_s = 0.0  # seconds of the last fit, without the other penalties tried
        self.val_accuracy = 0.0  # of the head that it returned
        self.sides = 1

    def fill(self) -> None:
        """Compute features of validation images, training images, and then their mirror images.

        If time is short, training images are skipped, and validation images where they would take
        half of it; mirror images are used for all or for none, and so by later evaluations.
        """
        self._fill()
        self._cache.evaluated_sides = self.sides

    def _fill(self) -> None:
        clock = self._deadline.clock
        started, spendable_s, pace = clock.elapsed_s(), self._deadline.remaining_s, _Pace()
        if spendable_s <= self._needed_s(1):
            return
        for split in ("val", "train"):
            for images in self._cache.fill(split):
                self._report(split)
                spent_s = clock.elapsed_s() - started
                pace.add(images, spent_s)
                self._image_s = pace.image_s
                if pace.is_first and self._is_time_for_another(images):
                    continue
                # Time left for features once those of the test images are computed too.
                left_s = self._time_fraction * (spendable_s - self._needed_s(1)) - spent_s
                if split == "train" and left_s < SLICE * self._image_s:
                    return
                if split == "train" and self.num_fitted >= self._most_images:
                    break
                is_half_spent = self._deadline.remaining_s - self._needed_s(1) < spent_s
                if split == "val" and (pace.num_images >= MAX_VAL_IMAGES or is_half_spent):
                    break
        left_s = self._time_fraction * (self._deadline.remaining_s - self._needed_s(2))
        is_affordable = self._mirrored_s() < self._mirror_time_fraction * left_s
        if self._cache.sides == 2 and is_affordable and self._may_mirror(self._image_s):
            self.sides = 2
            for split in ("val", "train"):
                for _ in self._cache.fill(split, 1):
                    self._report(split, 1)
                    if self._deadline.remaining_s < self._needed_s(1):
                        self.sides = 1
                        return

    def _report(self, split: str, side: int = 0) -> None:
        """Report for how many images of a split features are computed."""
        most = MAX_VAL_IMAGES if split == "val" else self._most_images
        total = min(most, self._cache.count(split))
        done = min(len(self._cache.reached(split, side)), total)
        report_progress(FEATURES_OF[split, side], done, total)

    def _is_time_for_another(self, images: int) -> bool:
        """Return whether as many images again fit in, whatever the time that remains to fit."""
        left_s = self._deadline.remaining_s - self._reserve_s(self._image_s, 0)
        return left_s > images * self._image_s

    @property
    def image_s(self) -> float:
        """Measured seconds for a test image's features, both sides; 0 if none are cached."""
        return self.features_s if self._is_cached else 0.0

    @property
    def features_s(self) -> float:
        """Measured seconds for an image's features, both sides; 0 if none were computed."""
        return self.sides * self._image_s

    @property
    def num_validated(self) -> int:
        """Number of validation images with features, the first in the order of evaluation."""
        return len(self._cache.reached("val"))

    def fit(self, labels: Callable[[str], Tensor]) -> LinearHead:
        """Fit the head; `labels` returns the labels of a split.

        If there is no time to fit one, or it is worse in validation, return the head that predicts
        the classes' frequencies.
        """
        clock = self._deadline.clock
        began = clock.elapsed_s()
        left_s = self._deadline.remaining_s - self._reserve_s(self.image_s, 0)
        ends = began + left_s
        self._fitted = {split: self._pooled(split, labels) for split in ("train", "val")}
        features, targets = self._fitted["train"]
        device = self._cache.precision.device
        majority = majority_head(labels("train").to(device), self._network.num_classes, self._width)
        weights = self._network.num_classes * self._width
        is_affordable = left_s > 0.0 or len(targets) * weights < SMALL_FIT
        if not len(targets) or not is_affordable or self._deadline.remaining_s <= 0.0:
            self.val_accuracy = self._accuracy(majority, labels)
            return majority
        last_began = clock.elapsed_s()

        def may_go_on() -> bool:
            nonlocal last_began
            now = clock.elapsed_s()
            if now < ends:
                last_began = now
            return now < ends

        head = fit_head(
            features,
            targets,
            self._network.num_classes,
            validation=self._fitted["val"],
            may_go_on=may_go_on,
            may_iterate=EndsInTime(clock, max(ends, began + SHORTEST_FIT_S)),
        )
        if is_clearly_better(majority, head, *self._fitted["val"]):
            head = majority
        self.val_accuracy = self._accuracy(head, labels)
        clock.charge(self._work.fit_image_s * len(targets))
        self.last_fit_s = clock.elapsed_s() - last_began
        return head

    def _accuracy(self, head: LinearHead, labels: Callable[[str], Tensor]) -> float:
        """Return the accuracy of a head on validation images whose features were computed.

        Without any, it is 0, or that of a constant on all validation images.
        """
        features, targets = self._fitted["val"]
        if head.is_constant and not len(targets):
            targets = labels("val")
            features = targets.new_zeros(len(targets), self._width, dtype=torch.float32)
        if not len(targets):
            return 0.0
        return is_right(head, features, targets).float().mean().item()

    @property
    def num_fitted(self) -> int:
        """Number of training images that the head is fitted to."""
        return min(len(self._cache.reached("train")), self._most_images)

    def fit_to_all(self, head: LinearHead) -> LinearHead:
        """Refit a head that `fit` returned, to training and validation images."""
        parts = self._fitted.values()
        features, targets = (torch.cat(columns) for columns in zip(*parts, strict=True))
        self._deadline.clock.charge(self._work.fit_image_s * len(targets))
        ends = self._deadline.limit_s - self._reserve_s(self.image_s, 0)
        return refit_head(head, features, targets, EndsInTime(self._deadline.clock, ends))

    def _pooled(self, split: str, labels: Callable[[str], Tensor]) -> tuple[Tensor, Tensor]:
        """Return a split's available `(n, d)` features, averaged over both sides, and labels."""
        cache = self._cache
        indices = cache.reached(split)
        if split == "train":
            indices = indices[: self._most_images]
        sides = range(self.sides)
        rows = []
        for some in indices.split(256) if len(indices) else ():
            maps = [self._rest(cache.features(split, some, side)) for side in sides]
            rows.append(torch.stack([m.float().mean(dim=(2, 3)) for m in maps]).mean(dim=0))
        device = cache.precision.device
        found = torch.cat(rows).clone() if rows else torch.zeros(0, self._width, device=device)
        return found, labels(split)[indices].to(device)

    @property
    def _width(self) -> int:
        head = self._network.head
        assert isinstance(head, PooledLinear)
        return head.fc.in_features

    def _needed_s(self, sides: int) -> float:
        reached = min(self.num_fitted + SLICE, self._cache.count("train"))
        return self._reserve_s(self._image_s * sides, reached)

    def _mirrored_s(self) -> float:
        return self._image_s * (self._cache.count("train") + self._cache.count("val"))


def _pooled(
    network: StagedNetwork,
    frozen_stages: int,
    inputs: ImageInputs | CachedFeatures,
    work: WorkCost,
    deadline: Deadline,
) -> tuple[CachedFeatures, Callable[[Tensor], Tensor]]:
    """Return the cache of features, and the function from these to the head's inputs."""
    if isinstance(inputs, CachedFeatures):
        between = nn.Sequential(*network.parts[frozen_stages + 1 : -1])
        return inputs, FrozenPrefix(between, inputs.precision)
    body = nn.Sequential(*network.parts[:-1])
    source = ImageInputs(inputs.data, body, inputs.config, inputs.precision)
    kept = CachedFeatures(
        source,
        pooled=True,
        charge=lambda images: deadline.clock.charge(work.eval_image_s * images),
    )
    return kept, lambda features: features
