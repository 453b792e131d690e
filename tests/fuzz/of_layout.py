"""Names of files: folders that are splits, classes or neither, in every spelling."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

from nasoa.data.labelling import read_records
from nasoa.data.splits import check_classes, split_indices
from tests.fuzz.given import CONFIG
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_TEXTS, damaged_text, often, reordered, some

_FOLDERS = (
    *("cat", "dog", "Cat", "caf\u00e9", "cafe\u0301", "caf\udce9", "images", "data", "a", "A", "0"),
    *("train", "Training", "test", "val", "validation", "seg_train", "test1", "holdout", "dev"),
    *("eval", "unlabeled", "g1_x", ".hidden", "__MACOSX", "train_images", "my_test_set", "", "."),
)
_FILES = (
    *("0.png", "1.jpg", "g12_3.jpg", "goat_000.jpg", "0.xml", "0.jpg.cat", "Thumbs.db", "README"),
    *("labels.csv", "x.CSV", "0", "0.1", ".png", "a.b.c.png", "\u00e9.png", "x\ny.png", "0.png/"),
)


def make(rng: Random) -> list[str]:
    roots = [
        "/".join(some(rng, _FOLDERS) for _ in range(rng.choice((0, 1, 1, 2, 3)))) for _ in "12345"
    ]
    paths = []
    for _ in range(rng.choice((0, 1, 4, 12, 40))):
        file = some(rng, _FILES)
        if rng.random() < 0.5:
            file = f"{rng.randrange(30)}.png"
        paths.append(f"{some(rng, roots)}/{file}".lstrip("/"))
    for _ in often(rng):
        if not paths:
            break
        at = rng.randrange(len(paths))
        choice = rng.randrange(4)
        if choice == 0:
            paths[at] = f"{some(rng, ODD_TEXTS)[:1000]}/{paths[at]}"
        elif choice == 1:
            paths[at] = damaged_text(rng, paths[at])[:5000]
        elif choice == 2:
            top = some(rng, _FOLDERS)
            paths = [f"{top}/{path}" for path in paths]
        else:
            reordered(rng, paths)
    return paths


def run(case: list[str], _folder: Path) -> None:
    records = read_records(case, lambda _path: b"path,label\n0.png,cat\n", "DATA", CONFIG)
    assert set(records) <= set(case)
    for record in records.values():
        assert record.class_name.isprintable() or record.class_name.strip()
        record.class_name.encode()
    found = list(records.values())
    check_classes(found, "DATA", CONFIG)
    parts = split_indices(found, seed=0, config=CONFIG)
    assert sorted(i for own in parts.values() for i in own) == list(range(len(found)))
    trained = {found[i].class_name for i in parts["train"]}
    assert trained == {record.class_name for record in found}


def warm_up() -> Iterable[list[str]]:
    names = [f"{c}/{n}.png" for c in ("cat", "dog") for n in range(5)]
    return (names, [f"{s}/{name}" for s in ("train", "test") for name in names])


KIND = Kind(make, run, warm_up)
