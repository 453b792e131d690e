"""Detect folders that are splits, and find the classes in them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

from nasoa.data.class_names import readable
from nasoa.data.split_names import decided, mentioned_split, split_kind
from nasoa.errors import DataError

LAYOUT = (
    "class folders with images, with or without train/, val/ and test/ around them, or a "
    "labels.csv of paths and labels"
)
_SHOWN = 6  # folders of a layout that a message shows
_MAY_BE_CLASSES = frozenset(("dev", "train", "training", "trains", "valid"))
_UNLABELLED = frozenset(
    (
        *("infer", "inference", "pred", "predict", "prediction", "predictions", "submission"),
        *("unknown", "unlabeled", "unlabelled", "unseen"),
    )
)

# Path -> its relevant folders, and the name of the file.
Pieces = dict[str, list[str]]

logger = logging.getLogger(__name__)


class UnreadableLayout(DataError):
    """Images that are not in class folders; a table of labels may still give their classes."""


def split_folders(pieces: Pieces, data: str) -> dict[str, str]:
    """Return the split of each top folder that is one; empty if the top folders are classes.

    Names that state a split suffice if all top folders have such names, or if one of them contains
    the training classes. Names that merely contain the word suffice if the folders have mostly the
    same subfolders. Otherwise even `train`, with images directly inside, may be a class.

    Args:
        pieces: paths, split into parts.
        data: DATA, for messages.

    Raises:
        UnreadableLayout: the folders look like splits, but contain no common classes.
    """
    folders = {top: _subfolders(inside) for top, inside in _by_top(pieces).items()}
    stated = {top: split_kind(top) for top in folders if split_kind(top)}
    mentioned = {top: mentioned_split(top) for top in folders if mentioned_split(top)}
    nested = [top for top in stated if folders[top]]
    if nested and (len(stated) == len(folders) or any(_is_train(top, folders) for top in nested)):
        return decided(stated | _of_the_same_classes(folders, stated, mentioned))
    kinds = decided({top: kind for top, kind in mentioned.items() if folders[top]})
    to_train = set().union(*(folders[top] for top in kinds if kinds[top] == "train"))
    held_out = [folders[top] for top in kinds if kinds[top] != "train"]
    if held_out and all(_mostly_in(names, to_train) for names in held_out):
        return kinds
    _refuse_seeming_splits(folders, stated, mentioned, data)
    return {}


def splits_inside(pieces: Pieces, data: str) -> Pieces:
    """Turn `<class>/train/<image>` into `train/<class>/<image>` if all classes have such folders.

    There must be one more split than the one for training. Images outside the splits are left out.

    Args:
        pieces: paths, split into parts.
        data: DATA, for the log.
    """
    inside = {path: own for path, own in pieces.items() if len(own) >= 2}
    seconds: dict[str, set[str]] = defaultdict(set)
    for own in inside.values():
        seconds[own[0]] |= {own[1]} if len(own) >= 3 else set()
    for kind in (split_kind, mentioned_split):
        kinds = {name: kind(name) for names in seconds.values() for name in names}
        trains = all("train" in map(kinds.__getitem__, names) for names in seconds.values())
        if trains and not any(map(kind, seconds)) and len({*kinds.values()} - {""}) > 1:
            _warn_of_common(seconds, _thirds(inside), data)
            return {
                path: [own[1], own[0], *own[2:]]
                for path, own in inside.items()
                if len(own) >= 3 and kinds[own[1]]
            }
    return pieces


def classes_beside_splits(pieces: Pieces) -> Pieces:
    """Turn `<class>/<image>` into `train/<class>/<image>` beside a `test/<class>/<image>`."""
    folders = {top: _subfolders(inside) for top, inside in _by_top(pieces).items()}
    held_out = {top for top in folders if split_kind(top) and folders[top]}
    classes = {top for top in folders if not split_kind(top)}
    kinds = {split_kind(top) for top in folders}
    if "train" in kinds or not held_out or len(classes) < 2:
        return pieces
    if not all(_mostly_in(folders[top], classes) for top in held_out):
        return pieces
    return {
        path: own if split_kind(own[0]) or len(own) < 2 else ["train", *own]
        for path, own in pieces.items()
    }


def in_splits(
    pieces: Pieces, splits: Mapping[str, str], data: str
) -> dict[str, tuple[str, str, str]]:
    """Return the split, the class and the file name of each path.

    Files in a split that are not in a class folder are left out.

    Args:
        pieces: paths, split into parts.
        splits: result of `split_folders`.
        data: DATA, for messages.

    Raises:
        UnreadableLayout: there are no training images.
    """
    inside = {top: own for top, own in _by_top(pieces).items() if top in splits}
    named = {
        path: (splits[top], own[0], own[-1])
        for top, files in _unwrapped(inside).items()
        for path, own in files.items()
        if len(own) >= 2
    }
    found = {split for split, _name, _file in named.values()}
    if named and "train" not in found:
        raise UnreadableLayout(
            f"no training images in {data}: it has {' and '.join(sorted(found))} folders; "
            "add train/<class>/<image>"
        )
    return named


def shown(paths: Iterable[str]) -> str:
    """Return the end of a message, which lists the folders of some paths."""
    folders = sorted({path.rpartition("/")[0] + "/" for path in paths})
    if not folders:
        return ""
    more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
    listed = ", ".join("images at the top" if name == "/" else name for name in folders[:_SHOWN])
    return f"; found {listed}{more}"


def _is_train(top: str, folders: Mapping[str, set[str]]) -> bool:
    """Return whether a folder contains the training classes, so that others are not classes."""
    others_flat = not any(names for name, names in folders.items() if not split_kind(name))
    several = len(folders[top]) > 1 and others_flat
    return top.lower() == "train" or (split_kind(top) == "train" and several)


def _of_the_same_classes(
    folders: Mapping[str, set[str]], stated: Mapping[str, str], mentioned: Mapping[str, str]
) -> dict[str, str]:
    """Return further splits: folders like `minival` with the same classes as the training split."""
    to_train = set().union(*(folders[top] for top in stated if stated[top] == "train"))
    return {
        top: kind
        for top, kind in mentioned.items()
        if top not in stated and kind != "train"
        if folders[top] and _plain(folders[top]) <= _plain(to_train)
    }


def _refuse_seeming_splits(
    folders: Mapping[str, set[str]],
    stated: Mapping[str, str],
    mentioned: Mapping[str, str],
    data: str,
) -> None:
    """Check that the top folders, which will be used as classes, are not in fact splits.

    Raises:
        UnreadableLayout: they look like splits.
    """
    trains = "train" in stated.values()
    several = len(set(stated.values())) > 1
    common = set.intersection(*folders.values()) if len(folders) > 1 else set()
    all_mention = len(mentioned) == len(folders) and len(set(mentioned.values())) > 1
    seem = all_mention and ("train" in mentioned.values() or bool(common))
    # Without class folders, `train` may be a vehicle, but `train_images` or `test` is a split.
    flat = [top for top in stated if not folders[top]]
    seem |= any(top.lower() not in _MAY_BE_CLASSES for top in flat)
    seem |= bool(flat) and all(top in stated or top.lower() in _UNLABELLED for top in folders)
    if seem or (trains and (several or len(common) > 1)):
        layout = (f"{top}/{name}/" for top in folders for name in folders[top] or [""])
        raise UnreadableLayout(
            f"the folders of {data} look like splits, but have no common class folders in them: "
            "expected train/<class>/<image> and test/<class>/<image>, or a labels.csv of paths and "
            f"labels{shown(path.replace('//', '/') for path in layout)}"
        )
    _warn_of_common(folders, common, data)


def _warn_of_common(classes: Iterable[str], common: set[str], data: str) -> None:
    """Log that all classes contain the same folders, if there are several of these."""
    if len(common) > 1:
        logger.warning(
            "%s: the folders %s are used as the classes, but all of them contain the same folders "
            "(%s); if those are the classes, move them to the top",
            data,
            _listed(classes),
            _listed(common),
        )


def _thirds(pieces: Pieces) -> set[str]:
    """Return the folders that are in a folder of every top folder."""
    found: dict[str, set[str]] = defaultdict(set)
    for own in pieces.values():
        found[own[0]] |= {own[2]} if len(own) >= 4 else set()
    return set.intersection(*found.values()) if len(found) > 1 else set()


def _by_top(pieces: Pieces) -> dict[str, Pieces]:
    """Return the parts of paths after the top folder, by top folder and path."""
    inside: dict[str, Pieces] = defaultdict(dict)
    for path, own in pieces.items():
        if len(own) >= 2:
            inside[own[0]][path] = own[1:]
    return {top: _without_repeated(top, own) for top, own in inside.items()}


def _without_repeated(top: str, inside: Pieces) -> Pieces:
    """Remove a repeated folder, as in `seg_train/seg_train/<class>/...` or `train/train/...`."""
    if split_kind(top) and _subfolders(inside) == {top}:
        inside = _without_first(inside)
    while mentioned_split(top) and _is_wrapped(inside):
        name = next(iter(_subfolders(inside)))
        if name.lower() != top.lower() and not split_kind(name):
            break
        inside = _without_first(inside)
    return inside


def _unwrapped(inside: dict[str, Pieces]) -> dict[str, Pieces]:
    """Remove the only folder inside each of the splits, as in `train/images/<class>/...`."""
    while all(_is_wrapped(own) for own in inside.values()):
        inside = {top: _without_first(own) for top, own in inside.items()}
    return inside


def _is_wrapped(inside: Pieces) -> bool:
    return len(_subfolders(inside)) == 1 and any(len(own) >= 3 for own in inside.values())


def _without_first(inside: Pieces) -> Pieces:
    return {path: own[1:] for path, own in inside.items() if len(own) >= 2}


def _subfolders(inside: Pieces) -> set[str]:
    return {own[0] for own in inside.values() if len(own) >= 2}


def _plain(names: Iterable[str]) -> set[str]:
    """Return names without the differences that class names may have."""
    return {readable(name).casefold() for name in names}


def _mostly_in(names: set[str], others: set[str]) -> bool:
    """Return whether most names are among others."""
    plain = _plain(names)
    return 2 * len(plain & _plain(others)) > len(plain)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
