"""Configuration: a frozen dataclass for each step, with defaults that are cited or measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from nasoa.errors import InvalidInput

T = TypeVar("T")

SCALES = ("small", "paper")
EARLY_STOPS = ("compressed", "stopped")  # values of `EvaluateConfig.early_stop`
SIGNALS = ("accuracy", "loss", "teacher")  # values of `EvaluateConfig.signal`
SAMPLINGS = ("by_size", "uniform")  # ways to sample blocks in `nasoa.offline.space.BlockSpace`


def preset(kind: type[T], scale: str, *arguments: Any) -> T:
    """Return `kind.small(*arguments)` or `kind.paper(*arguments)`, as `scale` names it.

    Raises:
        InvalidInput: `scale` is not one of `SCALES`.
    """
    if scale not in SCALES:
        raise InvalidInput(f"expected the scale to be {' or '.join(SCALES)}, got {scale!r}")
    made: T = getattr(kind, scale)(*arguments)
    return made


class CheckTime(Protocol):
    """A function called repeatedly while data is read; it raises if there is too little time."""

    def __call__(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """Check the time.

        Args:
            share: fraction of the current part of the reading that is done; 0 if unknown.
            since_s: `time.monotonic()` at the beginning of that part.
        """


def untimed(share: float = 0.0, since_s: float = 0.0) -> None:
    """Do nothing: reading may take any time; see `CheckTime`."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How a data set is read.

    Args:
        val_fraction: fraction of the training images held out for validation if DATA has no
            validation split. It is small because validation images are not trained on.
        test_fraction: fraction of the training images held out for testing if DATA has no test
            split; 0 if nothing is tested.
        own_val: whether DATA's own validation split is used; if not, its images are left out, and
            `val_fraction` of the training images are held out as if it did not exist.
        memory_budget_bytes: largest size of decoded images that are kept in memory; 2 GiB.
        max_pixels: most pixels of a readable image; 64 megapixels. A baseline JPEG, which is
            decoded at a reduced scale, may have up to 178 megapixels.
        max_total_pixels: most pixels of all images of a data set that is decoded at once; about
            3,000 images of 64 megapixels.
        max_bad_share: largest fraction of unreadable files, which are skipped.
        workers: threads that decode, or processes that read from disk.
        max_resolution: largest resolution at which images are stored, unless the caller asks for
            another one.
        max_classes: most classes of a data set; if there are more, the folders are probably not
            classes.
        max_entries: most files in an archive; protects against zip bombs.
        max_file_bytes: largest size of a file, unpacked; an uncompressed image of 64 megapixels has
            192 MB.
        max_archive_bytes: largest size of all files of an archive or a download, unpacked.
        check_time: called while data is read; raises if reading would take too long.
    """

    val_fraction: float = 0.1
    test_fraction: float = 0.15
    own_val: bool = True
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
    """Hyperparameters of the training loop.

    Args:
        lr: peak learning rate of the schedule.
        lr_schedule: a name in `nasoa.training.schedules.SCHEDULES`.
        iterations: requested number of updates.
        batch_size: images per update.
        fills_limit: train until the deadline; `iterations` is then only a first estimate.
        momentum: Nesterov momentum; 0.9 as in appendix 6.1.
        weight_decay: weight decay of convolutions and linear layers; 1e-4 in appendix 6.1, 5e-4
            for the small networks here.
        label_smoothing: label smoothing (Szegedy et al. 2016); 0.1.
        averages: whether the result is a moving average of the weights; with a schedule without a
            horizon it always is.
        average_decay: decay of that average.
        num_validations: most intermediate validations of a run; there are fewer if they would take
            too much of the time.
        max_val_images: most images of a validation.
        checkpoint_every_s: shortest time between two saved checkpoints, in seconds.
        fixed_bn: whether batch-normalisation statistics stay fixed.
        stop_after: number of updates after which training stops, while the schedule still spans
            all `iterations`; 0 to train all of them.
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

    Training uses warm-up and cosine decay, label smoothing, and a moving average of the weights.

    Args:
        epochs: passes over the training images.
        batch_size: images per update, of all processes together.
        lr: peak learning rate.
        resolution: height and width of the images in pixels.
        weight_decay: see `TrainingConfig`.
        min_scale: smallest fraction of an image's area that a random crop keeps.
        average_decay: decay of the moving average.
        label_smoothing: see `TrainingConfig`.
        checkpoint_every_s: shortest time between two saved checkpoints, in seconds.
        seed: random seed.
        teacher: a model of the package's zoo; the network learns its features and predictions for
            the same crops (Beyer et al. 2022) instead of labels, and its head is fitted to the
            labels afterwards. "" for none.
        teacher_resolution: height and width of the images that the teacher is given, in pixels;
            that of the teacher if it is smaller, unless the user sets it.
        teacher_views: crops of each image, for which the teacher's features are kept in a
            temporary file.
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
    teacher: str = ""
    teacher_resolution: int = 160
    teacher_views: int = 4

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InvalidInput(f"expected at least 1 epoch of pretraining, got {self.epochs}")
        if not self.lr > 0:
            raise InvalidInput(f"expected a learning rate above 0, got {self.lr:g}")
        if self.resolution < 32:
            raise InvalidInput(f"expected images of at least 32 px, got {self.resolution}")
        if self.teacher_resolution < 32 or self.teacher_views < 1:
            raise InvalidInput(
                "expected a teacher resolution of 32 px or more and 1 view or more, got "
                f"{self.teacher_resolution} px and {self.teacher_views} views"
            )

    @classmethod
    def paper(cls) -> PretrainConfig:
        """Return settings for ImageNet at 224 px on GPUs, "following common practice" (4.2).

        They follow Goyal et al. 2017: 90 epochs, and a learning rate of 0.1 per 256 images of a
        batch.
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
        """Return settings for 28,000 images of 64 px: some tens of minutes on two CPU cores."""
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
    """How the search evaluates an architecture: by a short training on a proxy and measured times.

    Args:
        epochs: number of epochs of the full training.
        stop_share: fraction of the epochs after which training ends (7.3.1, "early stop": 10 % of
            the cost, rank correlation .966 with the full training).
        early_stop: "stopped" to follow the schedule of the full training until then, as in the
            paper, or "compressed" to follow a schedule that ends there.
        batch_size: images per update.
        lr: peak learning rate of the schedule: a short warm-up, then cosine decay.
        resolution: height and width of the images in pixels.
        num_classes: number of classes of the proxy, evenly spaced among those of its data set; 0
            for all.
        all_if_fewer: if the data set has fewer classes than that, use all of them and log a
            warning; otherwise it is an error.
        val_fraction: fraction of the proxy's training images that are held out to measure the
            accuracy, unless the data set has a validation split. Its test images are never used.
        train_per_class: training images per class, sampled at random; 0 for all.
        val_per_class: the same for validation images; if it is above 0, they are held out of the
            training images in any case, and `val_fraction` is computed from both numbers.
        weight_decay: see `TrainingConfig`.
        min_scale: smallest fraction of an image's area that a random crop keeps.
        step_batch_size: images per timed step.
        repeats: number of timed steps, of which the median is used.
        signal: the objective maximised besides speed, one of `SIGNALS`: "accuracy", the validation
            accuracy, as in the paper; "loss", one minus the validation cross-entropy divided by
            that of guessing; or "teacher", how much of a teacher's predictions the network learns
            from images without labels (`nasoa.offline.teaching_loss.fraction_learned`).
        teacher: a model of the package's zoo, for the signal "teacher".
        teacher_resolution: height and width of the teacher's images in pixels; that of the teacher
            if it is smaller, unless the user sets it.
        timeout_s: time after which a training is recorded as failed, in seconds.
        seed: random seed for the split, the initial weights and the order of images; that of the
            search, unless the user sets it.
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
        if self.signal == "teacher" and self.teacher_resolution < 32:
            raise InvalidInput(
                f"expected a teacher resolution of 32 px or more, got {self.teacher_resolution} px"
            )
        if self.early_stop not in EARLY_STOPS:
            known = " or ".join(EARLY_STOPS)
            raise InvalidInput(f"expected early_stop to be {known}, got {self.early_stop!r}")
        for name in (
            *("epochs", "batch_size", "lr", "resolution"),
            *("step_batch_size", "timeout_s", "repeats"),
        ):
            value = getattr(self, name)
            if not value > 0:
                raise InvalidInput(f"expected {name} to be above 0, got {value}")
        if self.num_classes != 0 and self.num_classes < 2:
            raise InvalidInput(
                f"expected num_classes to be 2 or more, or 0 for all, got {self.num_classes}"
            )
        if self.seed < 0:
            raise InvalidInput(f"expected a seed of 0 or more, got {self.seed}")
        for name in ("stop_share", "min_scale"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise InvalidInput(f"expected {name} to be above 0 and at most 1, got {value:g}")
        if not 0 <= self.val_fraction < 1:
            raise InvalidInput(
                f"expected val_fraction to be 0 or more and below 1, got {self.val_fraction:g}"
            )
        if not self.weight_decay >= 0:
            raise InvalidInput(f"expected weight_decay to be 0 or more, got {self.weight_decay:g}")
        if (self.train_per_class > 0) != (self.val_per_class > 0) or self.train_per_class < 0:
            raise InvalidInput(
                "expected the numbers of training and validation images per class to be both 0 or "
                f"both above 0, got {self.train_per_class} and {self.val_per_class}"
            )

    @classmethod
    def paper(cls, space: str = "block") -> EvaluateConfig:
        """Return the paper's settings for a GPU.

        Args:
            space: "block" for ImageNet-100 with 500 training and 100 validation images per class,
                90 epochs, batch size 32 and learning rate 0.1, stopped after a tenth (7.3.1), or
                "macro" for all of ImageNet, 40 epochs, batch size 1024 and learning rate 0.2, not
                stopped early (7.3.2).
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
                val_fraction=0.04,  # about as many images as the validation split of ImageNet has
                timeout_s=48 * 3600.0,
                **common,
            )
        return cls(
            epochs=90,
            stop_share=0.1,
            batch_size=32,
            lr=0.1,
            num_classes=100,
            all_if_fewer=True,
            val_fraction=1 / 6,
            train_per_class=500,
            val_per_class=100,
            timeout_s=12 * 3600.0,
            **common,
        )

    @classmethod
    def small(cls, space: str = "block") -> EvaluateConfig:
        """Return settings for 20 classes at 64 px: ten to thirty seconds on one CPU core.

        They are the same for both spaces.
        """
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
    """Settings of fine-tuning that do not vary between regimes.

    Args:
        min_scale: smallest fraction of an image's area that a random crop keeps; 0.8 was better
            than 0.5 on three of four data sets in 30 s fine-tunes.
        weight_decay: see `TrainingConfig`; 2e-3 was better than 5e-4 on two of three data sets of
            1,000 images, which a fine-tune of 30 s passes over fifty times.
        label_smoothing: see `TrainingConfig`.
        head_time_fraction: largest fraction of the remaining time to spend on the features that the
            first head is fitted to, if images are augmented and more than the head is trained.
        cache_time_fraction: the same if the features are cached and used for training, too.
        mirror_time_fraction: largest fraction of the time left for features to spend on those of
            mirror images.
        search_images: number of images used to select the penalty of a fitted head.
        margin_fraction: fraction of the time limit left for saving and learning.
        least_margin_s: shortest time left for saving and learning, in seconds.
        max_test_time_fraction: largest fraction of the time limit to reserve for the test.
        test_slack: factor on the predicted time of the test when time is reserved for it.
    """

    min_scale: float = 0.8
    weight_decay: float = 2e-3
    label_smoothing: float = 0.1
    head_time_fraction: float = 0.15
    cache_time_fraction: float = 0.8
    mirror_time_fraction: float = 0.5
    search_images: int = 2000
    margin_fraction: float = 0.015
    least_margin_s: float = 0.35
    max_test_time_fraction: float = 0.2
    test_slack: float = 1.3

    def may_mirror(self, image_s: float, num_test: int, limit_s: float) -> bool:
        """Whether testing leaves time for the mirror images of test images.

        Args:
            image_s: seconds for the features of an image.
            num_test: number of test images.
            limit_s: time limit of the task in seconds.
        """
        return 2 * self.test_slack * image_s * num_test <= self.most_test_s(limit_s)

    def most_test_s(self, limit_s: float) -> float:
        """Return the most seconds of a time limit of `limit_s` seconds to reserve for the test."""
        return self.max_test_time_fraction * limit_s

    def margin_s(self, limit_s: float) -> float:
        """Return the seconds of a time limit of `limit_s` seconds left for saving and learning."""
        return max(self.least_margin_s, self.margin_fraction * limit_s)


@dataclass(frozen=True, kw_only=True)
class DescribeConfig:
    """Size of the seeded sample of a data set that meta-features are computed from.

    Args:
        max_images: most images whose features are computed; with many classes, `least_per_class`
            for each if that is more.
        per_class: most of them per class.
        least_per_class: images per class that the landmark needs, on average.
        most_images: most images whose features are computed, however many classes there are.
        max_mirrored: most images for the test whether mirroring keeps an image in its class.
        mirrored_per_class: most of them per class.
    """

    max_images: int = 1000
    per_class: int = 60
    least_per_class: int = 2
    most_images: int = 4000
    max_mirrored: int = 2500
    mirrored_per_class: int = 100


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """How much of a task's time limit is spent on probing models.

    Args:
        time_fraction: fraction of the time that is left once the task has been described.
        fewest_images: fewest images that a model is probed on.
        fewest_per_class: the same per class, on average.
        most_images: most images that a model is probed on, unless its classes need more.
        worse_by: models whose expected log-odds are below those of the best model by more than this
            are not probed.
        load_s: seconds to load a network.
        import_s: seconds to import its library, unless that has been done.
    """

    time_fraction: float = 0.06
    fewest_images: int = 100
    fewest_per_class: int = 4
    most_images: int = 600
    worse_by: float = 1.0
    load_s: float = 0.8
    import_s: float = 1.5
