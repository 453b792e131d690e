"""Collecting experience on known data sets (Algorithm 3, offline training).

A run takes a random part of a data set (classes, and images of each), a random model and a random
regime, fine-tunes, and looks at the test images. With a schedule that has no horizon the averaged
weights are a result at any time, so one run is looked at after several iteration counts and gives a
record each; they share a `run_id`, which no split of the records may separate.

Few random regimes are near what is ever chosen, and choosing goes to where a predictor's errors are
most in its favour. So runs can be drawn as users' tasks come, too: with a time limit, and a regime
out of those that would be offered within it (`PlannedTask`).

Most of the cost of a run with frozen stages is the frozen part's features. So runs can be made in
groups that share a part and a model (`nasoa.online.collecting.group_plan`): features of a
resolution are computed once, and a head, or a last stage that is trained, costs seconds. All models
get the same parts.

What a run does is a function of its number (and, of tasks, of the package's predictor): so a
collection can be stopped and gone on with, shared by many workers, and made again.
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
MAX_TEST = 500  # a standard error of at most .022
DRAWN = (10, 3000)  # fewest and most candidates of a task, of which the best is tried


@dataclass(frozen=True, kw_only=True)
class MetaTrainConfig:
    """What runs are drawn from.

    Args:
        schedules: of the learning rate, each as likely as its weight.
        horizonless_share: share of the runs with the schedule without a horizon.
        resolutions: in pixels; a model is used at those that are not above its own.
        iterations: fewest and most updates of a run, drawn evenly on a logarithmic scale.
        run_limit_s: a run's training ends after so many seconds at the latest.
        limits_s: shortest and longest time limit of a task, in seconds of the reference machine,
            drawn evenly on a logarithmic scale: runs are then as users' tasks come, and nothing of
            the above but `run_limit_s` counts, which should leave time to slower machines. None
            for random regimes.
        groups: runs are made in groups that share frozen features; of the above only `run_limit_s`
            and `iterations` count then.
        seed: of everything that is left to chance.
    """

    schedules: tuple[str, ...] = ("cosine", "constant", "one_cycle")
    horizonless_share: float = 0.75
    resolutions: tuple[int, ...] = (32, 48, 64)
    iterations: tuple[int, int] = (10, 1500)
    run_limit_s: float = 30.0
    limits_s: tuple[float, float] | None = None
    groups: bool = False
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
        if self.run_limit_s <= 0:
            raise InvalidInput(f"expected a run limit above 0 s, got {self.run_limit_s:g}")
        if self.limits_s and not 0 < self.limits_s[0] <= self.limits_s[1] <= self.run_limit_s:
            raise InvalidInput(
                "expected limits of tasks above 0 s, the shortest first, and a run limit not below "
                f"the longest, got {self.limits_s[0]:g} and {self.limits_s[1]:g} s, and a run "
                f"limit of {self.run_limit_s:g} s"
            )


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """What a run does; `checkpoints` are the iteration counts at which it is looked at."""

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
    """Run number `number`: data sets and models in turn, all else by chance.

    Args:
        number: from 0.
        datasets: DATA of each known data set.
        entries: models by name.
        config: what to draw from.

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
    """The model of a number: the next one whenever all data sets have had their turn."""
    if not datasets or not entries:
        raise InvalidInput("expected at least one data set and one model to learn from")
    return sorted(entries)[(number // len(datasets)) % len(entries)]


def head_alone(model: str, resolution: int) -> Regime:
    """The regime of a head alone that is fitted to all images; iterations follow from these."""
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
    """A run as a user's task comes; its regime follows when the images are read.

    Args:
        number: of the run.
        dataset: DATA of the known data set.
        seed: of the part of it, of splits and training.
        is_whole: whether all images are taken, not a random part.
        limit_s: the time limit.
        num_drawn: of so many candidates, drawn by chance, the best is tried: the more, the nearer
            to what would be chosen.
        by_experience: whether the predictor of the package says which is best, not the table of
            defaults: so that it learns where it is wrong, and where it would not look.
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
    """Run number `number` of a collection of tasks: data sets in turn, all else by chance.

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
    """`first`, doubled until `last`, and `last`."""
    counts = [first * 2**k for k in range(64) if first * 2**k < last]
    return (*counts, last)


def part_of_task(data: ImageDataset, planned: PlannedTask) -> ImageDataset:
    """The images of a planned task."""
    if not planned.is_whole:
        return random_part(data, planned.seed)
    everything = range(len(data.class_names))
    return subset(data, everything, np.random.default_rng(planned.seed), max_test=MAX_TEST)


def random_part(data: ImageDataset, seed: int) -> ImageDataset:
    """Some classes of a data set and some training images of each, both by chance.

    Half of the parts have all classes, as users' data sets have; half all images of their classes.
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
