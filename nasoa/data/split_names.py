"""Recognise the names of splits: `train`, `Testing`, `val_images`, `seg_test`."""

from __future__ import annotations

import re
from collections.abc import Mapping

SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

# Either validation or test: the one that is not there yet; see `decided`.
EVALUATION = "eval"
# If a name contains several of them, the first counts: `trainval` is for training.
_KINDS = {
    "train": r"train(?:ing)?",
    "test": r"test(?:ing)?|hold[^a-z]?out",
    EVALUATION: r"eval(?:uation)?",
    "val": r"val(?:id|idation)?|dev(?:el|elopment)?",
}
_WORD = {kind: re.compile(f"(?:{word})(?:s|set|data)?") for kind, word in _KINDS.items()}
_PART = {"train": "train", "test": "test|hold[^a-z]?out", EVALUATION: "eval", "val": "val|dev"}
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_AFFIXES = frozenset(
    (
        *("all", "aug", "augmented", "cropped", "data", "dataset", "datasets", "dir", "ds"),
        *("files", "final", "folder", "full", "image", "images", "img", "imgs", "jpeg", "jpg"),
        *("labeled", "labelled", "large", "mini", "my", "new", "part", "photos", "pics"),
        *("pictures", "png", "raw", "resized", "rgb", "sample", "samples", "seg", "set", "sets"),
        *("small", "split", "splits", "the"),
    )
)


def split_kind(name: str) -> str:
    """Return the split of a name that states only a split: `Training`, `val_images`, `test2017`.

    Returns:
        "train", "val", "test" or `EVALUATION`; "" for a name with any other word.
    """
    joined = re.sub(r"(?i)(?<![a-z])hold[-_ ]?out", "holdout", name.replace("_", " "))
    tokens = [token.lower() for token in _TOKEN.findall(joined)]
    others = [token for token in tokens if token not in _AFFIXES]
    kinds = [_kind_of_word(token) for token in others]
    if not kinds or "" in kinds:
        return ""
    return next(kind for kind in _KINDS if kind in kinds)


def mentioned_split(name: str) -> str:
    """Return the split in any part of a name, perhaps by coincidence, as in `contest`."""
    lower = name.lower()
    return next((kind for kind, part in _PART.items() if re.search(part, lower)), "")


def decided(kinds: Mapping[str, str]) -> dict[str, str]:
    """Replace `EVALUATION` by "test" or, if there is a test split already, by "val".

    Args:
        kinds: kind of split of each folder.

    >>> decided({"training": "train", "evaluation": "eval"})
    {'training': 'train', 'evaluation': 'test'}
    """
    evaluates = "val" if "test" in kinds.values() else "test"
    return {name: evaluates if kind == EVALUATION else kind for name, kind in kinds.items()}


def _kind_of_word(word: str) -> str:
    return next((kind for kind, pattern in _WORD.items() if pattern.fullmatch(word)), "")
