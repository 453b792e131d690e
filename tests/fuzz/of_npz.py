"""Arrays as DATA: a zip of headers that tell shapes and types, and bytes that should fit them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import of_zip
from tests.fuzz.given import place, read_path
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_INTS, damaged, damaged_text, number, odd_text, often, some

_KEYS = (
    *("x", "y", "images", "labels", "x_train", "y_train", "x_test", "y_test", "x_val", "y_val"),
    *("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
)
_TYPES = (
    *("|u1", "|i1", "<u2", ">u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", ">f4", "<f8", "<f16"),
    *("|b1", "<c8", "<c16", "|O", "|S0", "|S5", "<U0", "<U3", "|V0", "|V8", "<m8[s]", "<M8[ns]"),
    *(
        "<f4,<i2",
        "(2,3)<f4",
        "99999999999f4",
        "u1",
        "object",
        "x",
        "",
        "<M8[99999999999999999999s]",
    ),
)
_DESCRIPTIONS = (
    *("[('a', '<f4'), ('b', '|O')]", "[('a', '<f4', (1000000, 1000000))]", "[('a', '|V0')]"),
    *("[('', '')]", "('<f4', (2,))", "{'names': ['a'], 'formats': ['<f4'], 'offsets': [-8]}"),
    *("[('a', [('b', [('c', '|u1')])])]", "None", "5", "[[]]", "{}", "b'|u1'", "-1", "[('a',)]"),
)


class Array:
    """An array as an .npz holds it."""

    def __init__(self, values: np.ndarray) -> None:
        self.description = repr(np.lib.format.dtype_to_descr(values.dtype))
        self.shape = repr(values.shape)
        self.order = "False"
        self.content = values.tobytes()
        self.header: str | None = None  # instead of what the above makes
        self.version = (1, 0)
        self.length: int | None = None

    def to_bytes(self) -> bytes:
        """The .npy."""
        text = self.header
        if text is None:
            text = f"{{'descr': {self.description}, 'fortran_order': {self.order}, "
            text += f"'shape': {self.shape}, }}"
        body = text.encode("utf-8", "replace")
        size = 2 if self.version[0] == 1 else 4
        body += b" " * (-(len(body) + 7 + size) % 64) + b"\n"
        length = (len(body) if self.length is None else self.length) & ((1 << 8 * size) - 1)
        magic = b"\x93NUMPY" + bytes(part & 255 for part in self.version)
        return magic + struct.pack("<H" if size == 2 else "<L", length) + body + self.content


def arrays() -> dict[str, Array]:
    """Six images of two classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)
    return {"x": Array(pixels), "y": Array(np.array([0, 1, 0, 1, 0, 1]))}


def mutate(rng: Random, found: dict[str, Array]) -> None:
    """Change arrays in one way, in place."""
    key = some(rng, sorted(found))
    array = found[key]
    choice = rng.randrange(10)
    if choice == 0:
        found[rng.choice((some(rng, _KEYS), odd_text(rng)))] = found.pop(key)
    elif choice == 1:
        array.description = repr(some(rng, _TYPES))
        if rng.random() < 0.4:
            array.content = rng.randbytes(len(array.content) * rng.choice((1, 2, 4, 8)))
    elif choice == 2:
        array.description = some(rng, _DESCRIPTIONS)
    elif choice <= 4:
        array.shape = _shape(rng)
    elif choice == 5:
        array.order = rng.choice(("True", "0", "None", "'x'", "[]", "2"))
    elif choice == 6:
        array.header = _header(rng, array)
    elif choice == 7:
        array.version = rng.choice(((2, 0), (3, 0), (1, 1), (0, 0), (255, 255), (2, 0)))
        array.length = number(rng, 32) if rng.random() < 0.5 else None
    elif choice == 8:
        array.content = damaged(rng, array.content)
    else:
        values = rng.choice((np.uint16, np.float16, np.float32, np.float64, np.int64))
        some_values = np.random.default_rng(rng.getrandbits(32)).normal(0.5, 0.2, (6, 4, 5))
        factor = rng.choice((1, 1, 4095, -1)) if values != np.uint16 else rng.choice((1, 4095))
        other = Array((some_values.clip(0, 1) * factor).astype(values))
        array.description, array.shape, array.content = (
            other.description,
            other.shape,
            other.content,
        )
        if rng.random() < 0.2 and array.content:
            array.content = b"\xff" * len(array.content)  # of floats, not a number


def _shape(rng: Random) -> str:
    odd = ("()", "(6,)", "6", "(6, 4, 5, 3, 1)", "None", "(True, 4)", "(6.0,)", "('a',)", "[6, 4]")
    if rng.random() < 0.3:
        return rng.choice((*odd, "((6,),)", "(6, 120)", "(120, 6)", "(0, 4, 5)", "(6, 4, 15)"))
    sides = [str(some(rng, ODD_INTS)) for _ in range(rng.randrange(1, 5))]
    if rng.random() < 0.1:
        sides = ["1"] * rng.choice((32, 33, 64, 65, 1000))
    return "(" + ", ".join(sides) + ",)"


def _header(rng: Random, array: Array) -> str:
    text = f"{{'descr': {array.description}, 'fortran_order': False, 'shape': {array.shape}, }}"
    return rng.choice(
        (
            damaged_text(rng, text),
            text * 400,
            "(" * rng.choice((90, 250, 5000)) + text,
            "{'a': " * rng.choice((90, 3000)) + "}",
            "[" * 9000,
            "-" * 9000 + "1",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",)}",
            "{'descr': '|u1'}",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), 'more': 1}",
            "__import__('os').mkdir('run')",
            "'\\ud800\\x00'",
            "\0\0\0",
            "",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (6L, 4L)}",
            odd_text(rng),
        )
    )


def to_bytes(rng: Random, found: dict[str, Array]) -> bytes:
    """The .npz."""
    entries = [
        of_zip.Entry(
            f"{key}.npy".encode("utf-8", "replace")[:60000],
            array.to_bytes(),
            rng.choice((of_zip.STORED, of_zip.DEFLATED)),
        )
        for key, array in found.items()
    ]
    archive = of_zip.Archive(entries)
    if rng.random() < 0.15:
        of_zip.mutate(rng, archive)
    return archive.to_bytes()


def make(rng: Random) -> bytes:
    found = arrays()
    if rng.random() < 0.3:
        for key in ("x_test", "x_val"):
            if rng.random() < 0.5:
                found |= {key: arrays()["x"], key.replace("x", "y"): arrays()["y"]}
        found["x_train"], found["y_train"] = found.pop("x"), found.pop("y")
    for _ in often(rng):
        mutate(rng, found)
    raw = to_bytes(rng, found)
    return damaged(rng, raw) if rng.random() < 0.1 else raw


def run(case: bytes, folder: Path) -> None:
    read_path(place(folder, "set.npz", case), whole=len(case) % 16 == 2)


def warm_up() -> Iterable[bytes]:
    return (to_bytes(Random(0), arrays()),)


KIND = Kind(make, run, warm_up)
