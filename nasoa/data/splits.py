"""Split images for training, validation and test: as in DATA, or at random by class and group."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from nasoa.config import DataConfig
from nasoa.data.source import ImageRecord
from nasoa.errors import DataError

_SHOWN = 6  # names of classes in a message

logger = logging.getLogger(__name__)

# Class -> number of its images in a group.
Group = Counter[str]


def check_classes(records: Sequence[ImageRecord], data: str, config: DataConfig) -> None:
    """Check that a classifier can be trained on the classes.

    A class whose only image is still to be split is only used for training.

    Raises:
        DataError: there are no images, only one class, more classes than `config` allows, too few
            images for all splits, or a class in val/ or test/ that is not in train/.
    """
    if not records:
        raise DataError(f"no images in {data}: expected class folders with images")
    pool = Counter(r.class_name for r in records if r.split in ("", "train"))
    for record in records:
        if record.class_name not in pool:
            raise DataError(
                f"class {record.class_name!r} of {data} is in {record.split}/ but not in train/: "
                "every class needs training images"
            )
    if len(pool) == 1:
        raise DataError(f"{data} has one class only, {next(iter(pool))!r}: expected at least two")
    if len(pool) > config.max_classes:
        raise DataError(
            f"{data} has {len(pool)} classes: expected at most {config.max_classes}; check that "
            "its folders are classes"
        )
    _check_counts(records, pool, data, config)


def _check_counts(
    records: Sequence[ImageRecord], pool: Counter[str], data: str, config: DataConfig
) -> None:
    missing = missing_splits(records, config)
    counts = pool if missing else Counter(r.class_name for r in records)
    single = sorted(name for name, count in counts.items() if count == 1)
    if single and len(counts) - len(single) < 2:
        raise DataError(
            f"class {single[0]!r} of {data} has one image only: "
            "expected at least two, one for training and one for testing"
        )
    if max(counts.values()) <= len(missing):
        raise DataError(
            f"the largest class of {data} has {max(counts.values())} images: expected at least "
            f"{len(missing) + 1}, one for training and one for each split to be made"
        )


def _tell_single(counts: Counter[str]) -> None:
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        logger.warning(
            "%d classes have one image only, which is used for training and not for testing: %s%s",
            len(single),
            ", ".join(single[:_SHOWN]),
            ", ..." if len(single) > _SHOWN else "",
        )


def missing_splits(records: Sequence[ImageRecord], config: DataConfig) -> list[str]:
    """Return which of "test" and "val" must be split off the training images.

    A validation split counts even if its fraction is 0, so that the fraction does not change which
    images are the test images.
    """
    given = {record.split for record in records}
    if not config.own_val:
        given.discard("val")
    if config.test_fraction <= 0:
        given.add("test")
    return [split for split in ("test", "val") if split not in given]


def split_indices(
    records: Sequence[ImageRecord], *, seed: int, config: DataConfig
) -> dict[str, list[int]]:
    """Return the indices into `records` of "train", "val" and "test", in ascending order.

    Splits of DATA are kept, but for a validation split that is not used (`config.own_val`). Missing
    splits are taken from the training images: about the same fraction of every class, and groups as
    a whole. Every class keeps a training image.

    Args:
        records: images that `check_classes` accepts.
        seed: non-negative random seed.
        config: fractions of the splits, and whether DATA's own validation split is used.
    """
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for index, record in enumerate(records):
        if config.own_val or record.split != "val":
            parts[record.split or "train"].append(index)
    missing = missing_splits(records, config)
    if missing:
        _tell_single(Counter(records[index].class_name for index in parts["train"]))
    groups = _group_keys(records, parts["train"], num_parts=1 + len(missing))
    share = {"test": config.test_fraction, "val": config.val_fraction}
    pool = len(parts["train"])
    for number, split in enumerate(missing):
        if share[split] <= 0:
            continue
        # The fraction is of all images, not of those that remain after an earlier split.
        fraction = share[split] * pool / len(parts["train"])
        generator = np.random.default_rng((seed, ("test", "val").index(split)))
        taken = _hold_out(
            records,
            parts["train"],
            groups,
            fraction=fraction,
            needed=len(missing) - number,
            generator=generator,
        )
        parts[split] = [index for index in parts["train"] if index in taken]
        parts["train"] = [index for index in parts["train"] if index not in taken]
    return parts


def _group_keys(
    records: Sequence[ImageRecord], pool: Sequence[int], num_parts: int
) -> dict[int, Hashable]:
    """Return a key for each index, so that images with equal keys stay in the same split.

    The key is the group or, for an image without one, its index. A class with fewer groups than
    parts cannot be split by group, so its images are split individually.
    """
    found: dict[str, set[str | int]] = defaultdict(set)
    for index in pool:
        group = records[index].group
        found[records[index].class_name].add(index if group is None else group)
    images = Counter(records[index].class_name for index in pool)
    coarse = {name for name, keys in found.items() if len(keys) < min(num_parts, images[name])}
    if num_parts > 1 and coarse:
        logger.warning(
            "split by image instead of by group, because there are too few groups: classes %s",
            ", ".join(sorted(coarse)),
        )
    keys: dict[int, Hashable] = {}
    for index in pool:
        record = records[index]
        alone = record.group is None or record.class_name in coarse
        keys[index] = index if alone else record.group
    return keys


def _hold_out(
    records: Sequence[ImageRecord],
    pool: Sequence[int],
    keys: dict[int, Hashable],
    *,
    fraction: float,
    needed: int,
    generator: np.random.Generator,
) -> set[int]:
    """Return the indices of about `fraction` of every class, in randomly selected whole groups.

    Every class keeps a group for training and, if it has enough, one for each split that is still
    to be made.

    Args:
        records: all images.
        pool: indices to select from.
        keys: key of the group of each index.
        fraction: fraction of every class to select.
        needed: number of splits still to be made, including this one.
        generator: random generator.
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index in pool:
        members[keys[index]].append(index)
    order = list(members)
    order = [order[place] for place in generator.permutation(len(order))]
    groups = {key: Counter(records[i].class_name for i in members[key]) for key in order}
    spare = Counter(name for group in groups.values() for name in group)
    for name, count in spare.items():
        spare[name] = count - max(1, min(needed, count - 1))
    return {index for key in _choose(groups, spare, fraction) for index in members[key]}


def _choose(groups: dict[Hashable, Group], spare: Counter[str], fraction: float) -> set[Hashable]:
    """Return keys of groups with about `fraction` of every class, at most `spare` per class."""
    totals: Counter[str] = Counter()
    for group in groups.values():
        totals.update(group)
    wanted = {name: max(1.0, fraction * total) for name, total in totals.items()}
    taken: Group = Counter()
    chosen: set[Hashable] = set()

    def take_if(key: Hashable, useful: bool) -> None:
        if useful and all(spare[name] > 0 for name in groups[key]):
            chosen.add(key)
            taken.update(groups[key])
            spare.subtract(dict.fromkeys(groups[key], 1))

    for key, group in groups.items():
        take_if(key, _gain(group, taken, wanted) > 0)
    for key in sorted(groups, key=lambda key: groups[key].total()):
        # If all groups of a class are larger than wanted, the smallest is better than none.
        take_if(key, key not in chosen and any(not taken[name] for name in groups[key]))
    return chosen


def _gain(group: Group, taken: Group, wanted: dict[str, float]) -> float:
    """Return how much closer the group brings the numbers of images to those that are wanted."""
    return sum(
        abs(taken[name] - wanted[name]) - abs(taken[name] + count - wanted[name])
        for name, count in group.items()
    )
