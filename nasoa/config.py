"""A frozen dataclass for each step; every default is cited or measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from nasoa.errors import InvalidInput

T = TypeVar("T")

SCALES = ("small", "paper")
EARLY_STOPS = ("compressed", "stopped")  # of `EvaluateConfig`
SIGNALS = ("accuracy", "loss", "teacher")  # of `EvaluateConfig`
SAMPLINGS = ("by_size", "uniform")  # of blocks, in `nasoa.offline.space.BlockSpace`


def preset(kind: type[T], scale: str, *arguments: Any) -> T:
    """What `kind.small(...)` or `kind.paper(...)` gives, by the scale's name.

    Raises:
        InvalidInput: another scale.
    """
    if scale not in SCALES:
        raise InvalidInput(f"expected the scale to be {' or '.join(SCALES)}, got {scale!r}")
    made: T = getattr(kind, scale)(*arguments)
    return made


class CheckTime(Protocol):
    """Called again and again while data are read; raises where they cannot be read in time."""

    def __call__(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """`share` of the part that began at the monotonic time `since_s` is done; 0: not known."""


def untimed(share: float = 0.0, since_s: float = 0.0) -> None:
    """Let reading take as long as it takes; see `CheckTime`."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How a data set is read.

    Args:
        val_fraction: share of the training images that validates, where DATA has no val/. Small:
            what validates is not trained on.
        test_fraction: share that tests, where DATA has no test/.
        memory_budget_bytes: decoded images are kept in memory up to this; 2 GiB.
        max_pixels: an image with more cannot be read; 64 Mpx. Of a baseline JPEG, which is decoded
            at a reduced scale, 178 Mpx.
        max_total_pixels: of all images of a set that is decoded at once; 3,000 images of 64 Mpx.
        max_bad_share: unreadable files are skipped up to this share of all files.
        workers: threads that decode, or processes that read from disk.
        max_resolution: images are stored at no more than this unless a resolution is asked for.
        max_classes: of a data set; more are folders of something else.
        max_entries: files in an archive, against zip bombs.
        max_file_bytes: one file in an archive, unpacked; an uncompressed 64 Mpx image has 192 MB.
        max_archive_bytes: an archive, unpacked.
        check_time: ends the reading where it would take too long.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.15
    memory_budget_bytes: int = 2 * 1024**3
    max_pixels: int = 64_000_000
    max_total_pixels: int = 200_000_000_000
    max_bad_share: float = 0.05
    workers: int = 2
    max_resolution: int = 224
    max_classes: int = 50_000
    max_entries: int = 2_000_000
    max_file_bytes: int = 256 * 1024**2
    max_archive_bytes: int = 64 * 1024**3
    check_time: CheckTime = untimed


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hyperparameters of the one training loop.

    Args:
        lr: the schedule's peak.
        lr_schedule: a name in `nasoa.training.schedules.SCHEDULES`.
        iterations: updates that are asked for.
        batch_size: images an update.
        fills_limit: train on until the deadline; `iterations` is then only a first guess.
        momentum: Nesterov momentum; 0.9 as in appendix 6.1.
        weight_decay: on weights of convolutions and linear layers; 1e-4 in appendix 6.1, 5e-4
            for the small networks here.
        label_smoothing: Szegedy et al. 2016; 0.1.
        averages: keep a moving average of the weights and take it as the result; schedules
            without a horizon always do.
        average_decay: decay of that average.
        num_validations: validations spread over the run.
        max_val_images: a validation looks at no more than these.
        checkpoint_every_s: least seconds between two saved states.
        fixed_bn: batch-normalisation statistics stay as they are.
        stop_after: updates after which training stops, in the schedule of all `iterations`; 0:
            never.
    """

    lr: float
    lr_schedule: str
    iterations: int
    batch_size: int
    fills_limit: bool = False
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    averages: bool = False
    average_decay: float = 0.99
    num_validations: int = 10
    max_val_images: int = 1000
    checkpoint_every_s: float = 2.0
    fixed_bn: bool = False
    stop_after: int = 0


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """How a zoo model is pretrained on a source data set.

    Warm-up and cosine, label smoothing, and a moving average of the weights. `min_scale` is the
    least share of an image that a random crop keeps. `batch_size` is that of all processes
    together, `checkpoint_every_s` the least seconds between two saved states.
    """

    epochs: int
    batch_size: int
    lr: float
    resolution: int
    weight_decay: float
    min_scale: float
    average_decay: float
    label_smoothing: float = 0.1
    checkpoint_every_s: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InvalidInput(f"expected at least 1 epoch of pretraining, got {self.epochs}")

    @classmethod
    def paper(cls) -> PretrainConfig:
        """ImageNet at 224 px on GPUs, "following common practice" (4.2).

        That of Goyal et al. 2017: 90 epochs, and a rate of 0.1 for each 256 images of a batch.
        """
        return cls(
            epochs=90,
            batch_size=1024,
            lr=0.4,
            resolution=224,
            weight_decay=1e-4,
            min_scale=0.08,
            average_decay=0.9998,
        )

    @classmethod
    def small(cls) -> PretrainConfig:
        """28,000 images of 64 px on two CPU cores, in some tens of minutes."""
        return cls(
            epochs=100,
            batch_size=128,
            lr=0.2,
            resolution=64,
            weight_decay=5e-4,
            min_scale=0.35,
            average_decay=0.995,
        )


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How the search judges an architecture: a short training on a proxy, and measured times.

    Args:
        epochs: of a full training.
        stop_share: share of them that is trained (7.3.1, "early stop": 10 % of the cost, rank
            correlation .966 with the full training).
        early_stop: "stopped" in the schedule of the full training, as the paper has it, or
            "compressed", with a schedule that ends there.
        batch_size: images an update.
        lr: peak of the schedule: a short warm-up, then cosine.
        resolution: pixels.
        num_classes: of the proxy, taken evenly from those of its data set; 0 takes all.
        all_if_fewer: a data set of fewer classes is taken whole, which is said; else it is refused.
        val_fraction: share of the proxy's training images that measures the accuracy. The data
            set's own test images are never looked at.
        train_per_class: training images of each class, sampled at random; 0 takes all.
        val_per_class: the same of validation images; where it is above 0, `val_fraction` follows
            from both.
        weight_decay: see `TrainingConfig`.
        min_scale: least share of an image that a random crop keeps.
        step_batch_size: images of a timed step.
        repeats: timed steps; the median counts.
        signal: what is maximised beside speed, in `SIGNALS`: "accuracy" in validation, as the
            paper has it; "loss", one less the validation cross-entropy over that of guessing; or
            "teacher", the share that the network learns of what a teacher says, from images
            without labels (`nasoa.offline.teaching_loss.share_learned`).
        teacher: a model of the package's zoo, for the signal "teacher".
        teacher_resolution: pixels at which it looks at images.
        timeout_s: a training that takes longer is recorded as failed.
        seed: of the split, the initial weights, and the order of images.
    """

    epochs: int
    stop_share: float
    batch_size: int
    lr: float
    resolution: int
    num_classes: int
    val_fraction: float
    weight_decay: float
    min_scale: float
    step_batch_size: int
    timeout_s: float
    repeats: int = 10
    seed: int = 0
    early_stop: str = "compressed"
    all_if_fewer: bool = False
    train_per_class: int = 0
    val_per_class: int = 0
    signal: str = "accuracy"
    teacher: str = "efficientnet-lite2"
    teacher_resolution: int = 224

    def __post_init__(self) -> None:
        if self.signal not in SIGNALS:
            raise InvalidInput(
                f"expected the signal to be one of {', '.join(SIGNALS)}, got {self.signal!r}"
            )
        if self.early_stop not in EARLY_STOPS:
            known = " or ".join(EARLY_STOPS)
            raise InvalidInput(f"expected early_stop to be {known}, got {self.early_stop!r}")
        for name in ("epochs", "stop_share", "batch_size", "lr", "resolution"):
            value = getattr(self, name)
            if not value > 0:
                raise InvalidInput(f"expected {name} to be above 0, got {value}")
        if self.seed < 0:
            raise InvalidInput(f"expected a seed of 0 or more, got {self.seed}")
        if self.stop_share > 1:
            raise InvalidInput(f"expected stop_share to be at most 1, got {self.stop_share:g}")
        if (self.train_per_class > 0) != (self.val_per_class > 0) or self.train_per_class < 0:
            raise InvalidInput(
                "expected images of each class for training and validation, both 0 or both above, "
                f"got {self.train_per_class} and {self.val_per_class}"
            )

    @classmethod
    def paper(cls, space: str = "block") -> EvaluateConfig:
        """The paper's proxies on a GPU, by what is searched.

        block: ImageNet-100, 500 and 100 images of each class out of the training images; 90 epochs,
        batch 32, lr 0.1; stopped at a tenth (7.3.1). macro: the whole of ImageNet; 40 epochs, batch
        1024, lr 0.2, not stopped (7.3.2).
        """
        common: dict[str, Any] = {
            "resolution": 224,
            "weight_decay": 1e-4,
            "min_scale": 0.08,
            "step_batch_size": 64,
            "early_stop": "stopped",
        }
        if space == "macro":
            return cls(
                epochs=40,
                stop_share=1.0,
                batch_size=1024,
                lr=0.2,
                num_classes=0,
                val_fraction=0.04,  # as many as ImageNet's validation images; where DATA has none
                timeout_s=48 * 3600.0,
                **common,
            )
        return cls(
            epochs=90,
            stop_share=0.1,
            batch_size=32,
            lr=0.1,
            num_classes=100,
            val_fraction=1 / 6,
            train_per_class=500,
            val_per_class=100,
            timeout_s=12 * 3600.0,
            **common,
        )

    @classmethod
    def small(cls, space: str = "block") -> EvaluateConfig:
        """20 classes of 64 px, for either space: ten to thirty seconds on one core of a CPU."""
        return cls(
            epochs=20,
            stop_share=0.25,
            batch_size=64,
            lr=0.1,
            resolution=64,
            num_classes=20,
            all_if_fewer=True,
            val_fraction=0.25,
            weight_decay=5e-4,
            min_scale=0.35,
            step_batch_size=64,
            timeout_s=900.0,
        )


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig:
    """What fine-tuning does that regimes do not vary.

    Args:
        min_scale: least share of an image that a random crop keeps; 0.8 was better than 0.5 on
            three of four sets in 30 s fine-tunes.
        weight_decay: see `TrainingConfig`; 2e-3 was better than 5e-4 on two of three sets of a
            thousand images, which a fine-tune of 30 s sees fifty times.
        label_smoothing: see `TrainingConfig`.
        head_share: at most this share of the remaining time goes into the features that the
            first head is fitted to, where more than the head is trained on images.
        cache_share: the same where they are cached and serve the training too.
        mirror_share: at most this share goes into mirror images of what a head is fitted to.
        search_images: images that choose the penalty of a fitted head.
        margin_share: share of the limit left at the end for saving and learning.
        least_margin_s: seconds left at the end at least.
        max_test_share: at most this share of the limit goes into testing.
        test_slack: the test is reserved its predicted time times this.
    """

    min_scale: float = 0.8
    weight_decay: float = 2e-3
    label_smoothing: float = 0.1
    head_share: float = 0.15
    cache_share: float = 0.8
    mirror_share: float = 0.5
    search_images: int = 2000
    margin_share: float = 0.015
    least_margin_s: float = 0.35
    max_test_share: float = 0.2
    test_slack: float = 1.3

    def margin_s(self, limit_s: float) -> float:
        """Seconds of a limit that are left for saving and learning."""
        return max(self.least_margin_s, self.margin_share * limit_s)


@dataclass(frozen=True, kw_only=True)
class DescribeConfig:
    """How much of a data set the meta-features look at: a bounded, seeded sample.

    Args:
        max_images: images in all that features are taken of.
        per_class: images of one class.
        max_mirrored: images in all that are asked whether mirroring is safe.
        mirrored_per_class: images of one class.
    """

    max_images: int = 1000
    per_class: int = 60
    max_mirrored: int = 2500
    mirrored_per_class: int = 100


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How much of a task's limit goes into probing models.

    Args:
        share: of what is left when the task is described.
        fewest_images: images that a model is probed on at least.
        fewest_per_class: images for each class, on average, that it is probed on at least.
        most_images: images that it is probed on at most.
        worse_by: models that are expected to be worse than the best by more, as log-odds, are not
            probed.
        load_s: seconds of loading a network.
        import_s: seconds of importing its library, where that is still to be done.
    """

    share: float = 0.06
    fewest_images: int = 100
    fewest_per_class: int = 4
    most_images: int = 600
    worse_by: float = 1.0
    load_s: float = 0.8
    import_s: float = 1.5
