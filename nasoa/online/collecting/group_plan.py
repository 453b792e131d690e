"""Plans for groups of runs that share a part of a data set, a model, and so frozen features.

The features computed for the images of a group are also used for smaller tasks among them: some of
its classes, with fewer images of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np

from nasoa.data import ImageDataset, subset
from nasoa.online.collecting.meta_train import (
    FEWEST_PER_CLASS,
    HORIZONLESS,
    LRS,
    MetaTrainConfig,
    doublings,
    head_alone,
    model_in_turn,
    random_part,
)
from nasoa.online.regimes.regime_space import admitted_resolutions
from nasoa.records import BN_FIXED, BN_TRAINED, HEAD_ONLY, Regime, ZooEntry

MOST_GROUP_TESTS = 300
HEADS_ALONE = 0.5  # fraction of the groups that consist of heads alone
HEAD_RESOLUTIONS = 3  # resolutions of such a group
EVALUATED = 0.75  # fraction of the trainings with a schedule that allows intermediate evaluations
FULLY_TRAINED = 0.2  # fraction of the groups with a run that trains on images
SECOND_DEPTH = 0.3  # fraction of the groups with a run that trains the last two stages
SMALLER_TASKS = 4  # per group
FEWER_HEADS = 2  # heads on fewer images of a smaller task, at each resolution


@dataclass(frozen=True, kw_only=True)
class PlannedGroup:
    """Runs that share a part of a data set, a model, and so frozen features.

    `regimes` are ordered by resolution, and within one by frozen stages, most first; the first at
    each resolution is the head alone on all images. Runs whose schedule has no horizon have
    intermediate evaluations.
    """

    number: int
    dataset: str
    seed: int
    is_whole: bool
    regimes: tuple[Regime, ...]


def plan_group(
    number: int,
    datasets: Sequence[str],
    entries: Mapping[str, ZooEntry],
    image_resolutions: Sequence[int],
    config: MetaTrainConfig,
) -> PlannedGroup:
    """Plan group number `number`: data sets and models in turn, all else at random.

    Args:
        number: number of the group, from 0.
        datasets: DATA of each meta-training data set.
        entries: models by name.
        image_resolutions: resolution of each data set's images, in pixels.
        config: settings to draw from.

    Raises:
        InvalidInput: there is no data set or no model.
    """
    entry = entries[model_in_turn(number, datasets, entries)]
    # The part and the kind of a group are the same for all models.
    index, turn = number % len(datasets), number // (len(datasets) * len(entries))
    shared = np.random.default_rng([config.seed, turn, index])
    group = partial(
        PlannedGroup,
        number=number,
        dataset=datasets[index],
        seed=int(shared.integers(2**31)),
        is_whole=bool(shared.random() < 0.5),
    )
    rng = np.random.default_rng([config.seed, number])
    admitted = admitted_resolutions(entry, image_resolutions[index])
    sizes = [size for size in admitted if size >= config.group_resolution] or [max(admitted)]
    # Small resolutions are quick, so more runs fit into the time.
    weights = np.array(sizes) ** -2.0
    if shared.random() < HEADS_ALONE:
        count = min(HEAD_RESOLUTIONS, len(sizes))
        chosen = rng.choice(sizes, count, replace=False, p=weights**0.5 / (weights**0.5).sum())
        most = config.group_images
        found = [_heads(head_alone(entry.name, int(size)), most) for size in sorted(chosen)]
        return group(regimes=tuple(chain.from_iterable(found)))
    resolution = int(rng.choice(sizes, p=weights / weights.sum()))
    head = head_alone(entry.name, resolution)
    depths = [HEAD_ONLY - 1] * 2
    depths += [HEAD_ONLY - 2] if rng.random() < SECOND_DEPTH else []
    trained = [_random_regime(rng, head, depth, config, cached=True) for depth in depths]
    if rng.random() < FULLY_TRAINED:
        depth = int(rng.choice((-1, -1, 1, 2)))
        trained.append(_random_regime(rng, head, depth, config, cached=False))
    return group(regimes=(head, *trained))


def plan_smaller_tasks(group: PlannedGroup, config: MetaTrainConfig) -> tuple[PlannedGroup, ...]:
    """Plan smaller tasks among a group's images: heads at its resolutions, some with a training.

    They train at the depth for which the group has features. All models get the same tasks.
    """
    shared = np.random.default_rng([group.seed, SMALLER_TASKS])
    seeds = shared.integers(2**31, size=SMALLER_TASKS).tolist()
    return tuple(
        replace(group, seed=seed, is_whole=False, regimes=_of_smaller_task(group, config, index))
        for index, seed in enumerate(seeds)
    )


def _of_smaller_task(
    group: PlannedGroup, config: MetaTrainConfig, index: int
) -> tuple[Regime, ...]:
    rng = np.random.default_rng([config.seed, group.number, index])
    trains = any(regime.frozen_stages == HEAD_ONLY - 1 for regime in group.regimes)
    found: list[Regime] = []
    for resolution in dict.fromkeys(regime.resolution for regime in group.regimes):
        head, *fewer = _heads(head_alone(group.regimes[0].model, resolution), config.group_images)
        chosen = rng.permutation(len(fewer))[:FEWER_HEADS]
        found += [head, *(fewer[i] for i in chosen)]
        if trains:
            found.append(_random_regime(rng, head, HEAD_ONLY - 1, config, cached=True))
    return tuple(found)


def _heads(head: Regime, most_images: int) -> list[Regime]:
    """Return the head alone on all images of a group, and on fewer, as time limits might allow."""
    fewer = doublings(1, most_images // head.batch_size)[:-1]
    return [head, *(replace(head, iterations=count, fills_limit=False) for count in fewer)]


def _random_regime(
    rng: np.random.Generator, head: Regime, depth: int, config: MetaTrainConfig, *, cached: bool
) -> Regime:
    """Draw a regime with `depth` frozen stages, and the model and resolution of `head`."""
    fewest, most = np.log(config.iterations)
    low, high = np.log10(LRS)
    # What begins with pretrained stages and a fitted head is lost at the rates of a whole network.
    rates = (low + 0.5, high) if depth < 0 else (low, high - 1.0)
    return replace(
        head,
        fills_limit=False,
        lr=float(10 ** rng.uniform(*rates)),
        frozen_stages=depth,
        iterations=round(math.exp(rng.uniform(fewest, most))),
        batch_size=int(rng.choice((32, 64, 64))),
        lr_schedule=HORIZONLESS if rng.random() < EVALUATED else "cosine",
        cached_features=cached,
        bn=str(rng.choice((BN_FIXED, BN_TRAINED))),
        fitted_head=bool(rng.random() < 0.5),
    )


def smaller_task(part: ImageDataset, seed: int) -> ImageDataset:
    """Draw some classes of a group's images and some training images of each, at random."""
    return random_part(part, seed)


def part_of_group(data: ImageDataset, planned: PlannedGroup, most_images: int) -> ImageDataset:
    """Return a group's images: all classes or some, at most `most_images` for training."""
    part = data if planned.is_whole else random_part(data, planned.seed)
    classes = range(len(part.class_names))
    return subset(
        part,
        classes,
        np.random.default_rng(planned.seed),
        per_class=max(FEWEST_PER_CLASS, most_images // len(classes)),
        max_test=MOST_GROUP_TESTS,
    )
