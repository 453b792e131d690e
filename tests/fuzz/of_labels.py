"""Tables of paths and labels beside images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

from nasoa.data.label_table import files_of_table
from tests.fuzz.given import CONFIG, place, png, read_files
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import damaged, damaged_text, odd_text, often, reordered, some

# The table's name, its bytes, and whether it is the DATA itself.
Case = tuple[str, bytes, bool]
IMAGES = tuple(f"images/{number}.png" for number in range(6))
_HEADERS = (
    *(["path", "label"], ["image", "class", "split"], ["id", "cat", "dog"], ["label", "file"]),
    ["", "x", "y", "label"],
)


def table(rng: Random) -> list[list[str]]:
    """Rows of cells, of a header or without."""
    header = some(rng, _HEADERS)
    rows = []
    for number, path in enumerate(IMAGES):
        named = rng.choice(
            (path, path, path[7:], path[7:-4], f"C:\\data\\{path}", f"/other/{path}")
        )
        label = "cat" if number % 2 else "dog"
        cells = {
            "path": named, "image": named, "id": named, "file": named, "label": label,
            "class": label, "cat": str(number % 2), "dog": str(1 - number % 2),
            "split": rng.choice(("train", "train", "test", "val")),
        }  # fmt: skip
        rows.append([cells.get(name, str(number)) for name in header])
    return [header, *rows] if rng.random() < 0.8 else rows


def make(rng: Random) -> Case:
    rows = table(rng)
    for _ in often(rng):
        choice = rng.randrange(5)
        row = some(rng, rows) if rows else []
        if choice == 0 and row:
            row[rng.randrange(len(row))] = odd_text(rng)
        elif choice == 1:
            reordered(rng, row)
        elif choice == 2:
            reordered(rng, rows)
        elif choice == 3 and row:
            at = rng.randrange(len(row))
            row[at] = damaged_text(rng, row[at])
        else:
            row.extend([""] * (300 if rng.random() < 0.02 else rng.choice((1, 3))))
    separator = rng.choice((",", ",", ",", ";", "\t", "|", ", "))
    quote = rng.choice(("", "", '"', "'"))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    text = end.join(separator.join(f"{quote}{cell}{quote}" for cell in row) for row in rows)
    coding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32"))
    errors = "replace" if coding == "cp1252" else "surrogatepass"
    raw = text.encode(coding, errors)
    if rng.random() < 0.3:
        raw = damaged(rng, raw)
    name = rng.choice(("labels.csv", "labels.csv", "train.csv", "a/labels.csv", "x.tsv"))
    return name, raw, rng.random() < 0.3


def run(case: Case, folder: Path) -> None:
    name, raw, is_data = case
    if is_data:
        path = place(folder, name.rpartition("/")[2], raw)
        files_of_table(path, CONFIG)
    files = {path: png(number) for number, path in enumerate(IMAGES)}
    read_files({**files, name: raw}, table=name if is_data else "")


def warm_up() -> Iterable[Case]:
    text = "path,label\n" + "".join(
        f"{p},{'cat' if i % 2 else 'dog'}\n" for i, p in enumerate(IMAGES)
    )
    return [
        (name, text.encode(), data)
        for name in ("labels.csv", "train.csv")
        for data in (True, False)
    ]


KIND = Kind(make, run, warm_up)
