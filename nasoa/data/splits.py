"""Train, validation and test images: as DATA has them, the rest by seed, class and group."""

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

# Classes of the images of one group -> how many.
Group = Counter[str]


def check_classes(records: Sequence[ImageRecord], data: str, config: DataConfig) -> None:
    """Refuse what cannot be learned.

    A class with a single image to train on and to be split is only trained on.

    Raises:
        DataError: no image, one class, more classes than `config` allows, fewer than two classes
            with images for every split, or a class of val/ or test/ that train/ does not have.
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
    _check_counts(records, pool, data)


def _check_counts(records: Sequence[ImageRecord], pool: Counter[str], data: str) -> None:
    missing = missing_splits(records)
    counts = pool if missing else Counter(r.class_name for r in records)
    single = sorted(name for name, count in counts.items() if count == 1)
    if single and len(counts) - len(single) < 2:
        raise DataError(
            f"class {single[0]!r} of {data} has one image only: "
            "expected at least two, one to learn from and one to check with"
        )
    if max(counts.values()) <= len(missing):
        raise DataError(
            f"the classes of {data} have {max(counts.values())} images each at most: expected at "
            f"least {len(missing) + 1} in one of them, to learn from, to validate and to test with"
        )


def _tell_single(counts: Counter[str]) -> None:
    single = sorted(name for name, count in counts.items() if count == 1)
    if single:
        logger.warning(
            "%d classes have one image only, which is learned from; nothing checks them: %s%s",
            len(single),
            ", ".join(single[:_SHOWN]),
            ", ..." if len(single) > _SHOWN else "",
        )


def missing_splits(records: Sequence[ImageRecord]) -> list[str]:
    """Which of "test" and "val" have to come out of the training images."""
    given = {record.split for record in records}
    return [split for split in ("test", "val") if split not in given]


def split_indices(
    records: Sequence[ImageRecord], *, seed: int, config: DataConfig
) -> dict[str, list[int]]:
    """Indices into `records` of "train", "val" and "test", ascending.

    Splits that DATA has are kept. What is missing comes out of the training images, the same
    share of every class, whole groups at a time; every class keeps an image to train with.

    Args:
        records: images that `check_classes` accepts.
        seed: a non-negative integer.
        config: the shares.
    """
    parts: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for index, record in enumerate(records):
        parts[record.split or "train"].append(index)
    missing = missing_splits(records)
    if missing:
        _tell_single(Counter(records[index].class_name for index in parts["train"]))
    groups = _group_keys(records, parts["train"], num_parts=1 + len(missing))
    share = {"test": config.test_fraction, "val": config.val_fraction}
    pool = len(parts["train"])
    for number, split in enumerate(missing):
        if share[split] <= 0:
            continue
        # Of the images before anything was taken out, not of those that are left.
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
    """Index -> what must not be parted: the group, or the image itself.

    A class with fewer groups than parts cannot be split by group: its groups are given up.
    """
    found: dict[str, set[str | int]] = defaultdict(set)
    for index in pool:
        group = records[index].group
        found[records[index].class_name].add(index if group is None else group)
    images = Counter(records[index].class_name for index in pool)
    coarse = {name for name, keys in found.items() if len(keys) < min(num_parts, images[name])}
    if num_parts > 1 and coarse:
        logger.warning(
            "split by image instead of by group, for want of groups: classes %s",
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
    """Indices of about `fraction` of every class, in whole groups taken by chance.

    Every class is left a group to train with, and, where it has as many, one for each of the
    splits (`needed`, this one included) that are still to come.
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
    """Keys of groups with about `fraction` of every class, at most `spare` groups of a class."""
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
        # Where all groups are larger than what is wanted, the smallest is better than none.
        take_if(key, key not in chosen and any(not taken[name] for name in groups[key]))
    return chosen


def _gain(group: Group, taken: Group, wanted: dict[str, float]) -> float:
    """How much nearer to what is wanted of each class the group brings."""
    return sum(
        abs(taken[name] - wanted[name]) - abs(taken[name] + count - wanted[name])
        for name, count in group.items()
    )
