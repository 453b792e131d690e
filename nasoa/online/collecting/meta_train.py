"""Collecting experience on meta-training data sets (Algorithm 3, offline training).

A run draws a random part of a data set (classes, and images of each), a random model and a random
regime, fine-tunes, and evaluates on the test images. With a schedule that has no horizon, the
averaged weights can be used at any time, so one run is evaluated after several iteration counts
and gives a record for each; these share a `run_id`, and no split of the records may separate them.

Few random regimes are close to those that are ever chosen, and choices favour regimes whose
accuracy a predictor overestimates. So runs can also be drawn like users' tasks: with a time limit,
and a regime from those that would be offered within it (`PlannedTask`).

Most of the cost of a run with frozen stages is that of the frozen features. So runs can be made in
groups that share a part and a model (`nasoa.online.collecting.group_plan`): the features of a
resolution are computed once, and a head, or the training of the last stage, then takes seconds. All
models get the same parts.

What a run does is a function of its number (and, for tasks, of the packaged predictor), so a
collection can be interrupted and resumed, shared by many workers, and reproduced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nasoa.data import ImageDataset, subset
from nasoa.errors import InvalidInput
from nasoa.records import BN_FIXED, FITTED, HEAD_ONLY, Regime, ZooEntry

HORIZONLESS = "horizonless"
LRS = (0.001, 1.0)
FROZEN_STAGES = (-1, 0, 1, 2, 3, HEAD_ONLY)
BATCH_SIZES = (32, 64, 128)
FEWEST_PER_CLASS = 8
LEAST_CLASSES = 2
MOST_GROUP_IMAGES = 600  # training images of a group
MAX_TEST = 500  # a standard error of at most .022
DRAWN = (10, 3000)  # fewest and most candidates of a task, of which the best is run


@dataclass(frozen=True, kw_only=True)
class MetaTrainConfig:
    """Settings from which runs are drawn.

    Args:
        schedules: learning rate schedules, each equally likely.
        horizonless_share: fraction of the runs that use the schedule without a horizon.
        resolutions: resolutions in pixels; a model uses those that are not above its own.
        iterations: fewest and most updates of a run, drawn evenly on a logarithmic scale.
        run_limit_s: number of seconds after which a run's training ends at the latest.
        limits_s: shortest and longest time limit of a task, in seconds of the reference machine,
            drawn evenly on a logarithmic scale. Runs are then drawn like users' tasks, and of the
            settings above only `run_limit_s` applies; it should leave time for slower machines.
            None for random regimes.
        heads: whether such a task may train the head alone. If not, more is learned about what
            training adds, as the head alone is mostly the best choice of a short limit.
        groups: whether runs are made in groups that share frozen features; of the settings above
            only `run_limit_s` and `iterations` then apply.
        group_images: largest number of training images of a group.
        group_resolution: smallest resolution of a group in pixels; a model that admits no such
            resolution is run at its largest.
        seed: random seed for everything that is drawn.
    """

    schedules: tuple[str, ...] = ("cosine", "constant", "one_cycle")
    horizonless_share: float = 0.75
    resolutions: tuple[int, ...] = (32, 48, 64)
    iterations: tuple[int, int] = (10, 1500)
    run_limit_s: float = 30.0
    limits_s: tuple[float, float] | None = None
    heads: bool = True
    groups: bool = False
    group_images: int = MOST_GROUP_IMAGES
    group_resolution: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.horizonless_share <= 1.0:
            raise InvalidInput(
                f"expected horizonless_share from 0 to 1, got {self.horizonless_share:g}"
            )
        if not 1 <= self.iterations[0] <= self.iterations[1]:
            raise InvalidInput(
                f"expected at least 1 iteration, the fewest first, got {self.iterations}"
            )
        if self.group_images < 1:
            raise InvalidInput(
                f"expected at least 1 training image in a group, got {self.group_images}"
            )
        if self.run_limit_s <= 0:
            raise InvalidInput(f"expected a run limit above 0 s, got {self.run_limit_s:g}")
        if self.limits_s and not 0 < self.limits_s[0] <= self.limits_s[1] <= self.run_limit_s:
            raise InvalidInput(
                "expected task limits above 0 s, the shortest first, and a run limit not below "
                f"the longest, got {self.limits_s[0]:g} and {self.limits_s[1]:g} s, and a run "
                f"limit of {self.run_limit_s:g} s"
            )


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """Plan of a run; `checkpoints` are the iteration counts at which it is evaluated."""

    number: int
    dataset: str
    seed: int
    regime: Regime
    checkpoints: tuple[int, ...]


def plan_run(
    number: int,
    datasets: Sequence[str],
    entries: Mapping[str, ZooEntry],
    config: MetaTrainConfig,
) -> PlannedRun:
    """Plan run number `number`: data sets and models in turn, all else at random.

    Args:
        number: number of the run, from 0.
        datasets: DATA of each meta-training data set.
        entries: models by name.
        config: settings to draw from.

    Raises:
        InvalidInput: there is no data set or no model.
    """
    model = model_in_turn(number, datasets, entries)
    rng = np.random.default_rng([config.seed, number])
    frozen = int(rng.choice(FROZEN_STAGES))
    low, high = np.log10(LRS)
    fewest, most = np.log(config.iterations)
    iterations = round(math.exp(rng.uniform(fewest, most)))
    usable = [r for r in config.resolutions if r <= entries[model].resolution]
    is_endless = rng.random() < config.horizonless_share
    resolution = int(rng.choice(usable or [entries[model].resolution]))
    regime = Regime(
        model=model,
        lr=float(10 ** rng.uniform(low, high)),
        frozen_stages=frozen,
        iterations=iterations,
        batch_size=int(rng.choice(BATCH_SIZES)),
        resolution=resolution,
        lr_schedule=HORIZONLESS if is_endless else str(rng.choice(config.schedules)),
        cached_features=frozen > 0 and bool(rng.random() < 0.5),
        fills_limit=False,
    )
    if frozen == HEAD_ONLY:
        regime, is_endless, iterations = head_alone(model, resolution), False, 1
    return PlannedRun(
        number=number,
        dataset=datasets[number % len(datasets)],
        seed=int(rng.integers(2**31)),
        regime=regime,
        checkpoints=doublings(config.iterations[0], iterations) if is_endless else (iterations,),
    )


def model_in_turn(number: int, datasets: Sequence[str], entries: Mapping[str, ZooEntry]) -> str:
    """Return the model of a run number: the next one after each round of the data sets."""
    if not datasets or not entries:
        raise InvalidInput("expected at least one data set and one model to learn from")
    return sorted(entries)[(number // len(datasets)) % len(entries)]


def head_alone(model: str, resolution: int) -> Regime:
    """Return the regime of a head alone on all images, whose number determines the iterations."""
    return Regime(
        model=model,
        lr=1.0,
        frozen_stages=HEAD_ONLY,
        iterations=1,
        batch_size=64,
        resolution=resolution,
        lr_schedule=FITTED,
        cached_features=True,
        fills_limit=True,
        bn=BN_FIXED,
        fitted_head=True,
    )


@dataclass(frozen=True, kw_only=True)
class PlannedTask:
    """Plan of a run drawn like a user's task; the regime is chosen when the images are read.

    Args:
        number: number of the run.
        dataset: DATA of the meta-training data set.
        seed: random seed for the part of it, for splits and for training.
        is_whole: whether all images are used rather than a random part.
        limit_s: time limit in seconds.
        num_drawn: number of candidates drawn at random, of which the best is run; the more, the
            closer to what would be chosen.
        by_experience: whether the packaged predictor chooses the best of them, rather than the
            default formula. Both are used, so that the predictor learns where it is wrong, and from
            candidates that it would not choose.
    """

    number: int
    dataset: str
    seed: int
    is_whole: bool
    limit_s: float
    num_drawn: int
    by_experience: bool


def plan_task(
    number: int, datasets: Sequence[str], limits_s: tuple[float, float], seed: int
) -> PlannedTask:
    """Plan run number `number` of a collection of tasks: data sets in turn, all else at random.

    Raises:
        InvalidInput: there is no data set.
    """
    if not datasets:
        raise InvalidInput("expected at least one data set to learn from")
    rng = np.random.default_rng([seed, number])
    return PlannedTask(
        number=number,
        dataset=datasets[number % len(datasets)],
        seed=int(rng.integers(2**31)),
        is_whole=bool(rng.random() < 0.5),
        limit_s=math.exp(rng.uniform(*np.log(limits_s))),
        num_drawn=round(math.exp(rng.uniform(*np.log(DRAWN)))),
        by_experience=bool(rng.random() < 0.5),
    )


def doublings(first: int, last: int) -> tuple[int, ...]:
    """Return `first`, doubled repeatedly while below `last`, and then `last`."""
    counts = [first * 2**k for k in range(64) if first * 2**k < last]
    return (*counts, last)


def part_of_task(data: ImageDataset, planned: PlannedTask) -> ImageDataset:
    """Return the images of a planned task."""
    if not planned.is_whole:
        return random_part(data, planned.seed)
    everything = range(len(data.class_names))
    return subset(data, everything, np.random.default_rng(planned.seed), max_test=MAX_TEST)


def random_part(data: ImageDataset, seed: int) -> ImageDataset:
    """Draw some classes of a data set and some training images of each, both at random.

    Half of the parts have all classes, like users' data sets; half have all images of their
    classes.
    """
    rng = np.random.default_rng(seed)
    known = len(data.class_names)
    count = known
    if known > LEAST_CLASSES and rng.random() < 0.5:
        count = round(math.exp(rng.uniform(math.log(LEAST_CLASSES), math.log(known))))
    classes = np.sort(rng.permutation(known)[:count]).tolist()
    largest = int(data.train.labels.bincount(minlength=known).max())
    per_class = largest
    if largest > FEWEST_PER_CLASS and rng.random() < 0.5:
        low, high = math.log(FEWEST_PER_CLASS), math.log(largest)
        per_class = round(math.exp(rng.uniform(low, high)))
    return subset(data, classes, rng, per_class=per_class, max_test=MAX_TEST)
