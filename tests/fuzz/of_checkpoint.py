"""PyTorch's checkpoints: a zip with a pickle in it, whose tensors tell of storages."""

from __future__ import annotations

import io
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random

import torch

from nasoa.zoo.weight_files import read_checkpoint
from tests.fuzz import of_zip
from tests.fuzz.given import place
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_INTS, damaged, number, odd_text, often, some

STATE = OrderedDict(
    [("module.a.weight", torch.ones(4, 3)), ("module.a.bias", torch.zeros(4)), ("b", torch.ones(2))]
)
_FOLDER = "archive"
_GLOBALS = (
    *("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "os mkdir"),
    *("torch._utils _rebuild_sparse_tensor", "torch._utils _rebuild_qtensor", "builtins eval"),
    *("torch._utils _rebuild_meta_tensor_no_storage", "torch.serialization load", "torch Size"),
    *("collections OrderedDict", "collections Counter", "torch._tensor _rebuild_from_type_v2"),
    *("torch FloatStorage", "torch HalfStorage", "torch QInt8Storage", "torch UntypedStorage"),
    *("torch.nn.modules.linear Linear", "nt system", "numpy._core.multiarray _reconstruct"),
)
_STORAGES = ("FloatStorage", "DoubleStorage", "HalfStorage", "LongStorage", "ByteStorage",
             "BoolStorage", "BFloat16Storage", "ComplexFloatStorage", "QInt8Storage")  # fmt: skip


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<L", len(raw)) + raw


def _int(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<l", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _tuple(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def _global(name: str) -> bytes:
    module, _, what = name.partition(" ")
    return b"c" + module.encode() + b"\n" + what.encode() + b"\n"


def _tensor(rng: Random | None, key: str, shape: tuple[int, ...]) -> bytes:
    """What makes a tensor over a storage; with a generator, of one that may not fit."""
    count = 1
    for side in shape:
        count *= side
    strides = tuple(count // (shape[0] or 1) if not i else 1 for i in range(len(shape)))
    values = {"count": count, "offset": 0, "type": "FloatStorage", "device": "cpu"}
    made = "torch._utils _rebuild_tensor_v2"
    if rng is not None:
        for _ in often(rng):
            what = rng.randrange(8)
            if what == 0:
                values["count"] = some(rng, ODD_INTS)
            elif what == 1:
                values["offset"] = some(rng, ODD_INTS)
            elif what == 2:
                values["type"] = some(rng, _STORAGES)
            elif what == 3:
                values["device"] = rng.choice(("cuda:0", "meta", "", odd_text(rng), "xpu", "cpu:9"))
            elif what == 4:
                shape = tuple(some(rng, ODD_INTS) for _ in range(rng.randrange(4)))
            elif what == 5:
                strides = tuple(rng.choice((0, 0, 1, some(rng, ODD_INTS))) for _ in shape)
            elif what == 6:
                made = some(rng, _GLOBALS)
            else:
                key = rng.choice((odd_text(rng), "0", "1", "../data.pkl", "9"))
    storage = _tuple(
        _text("storage"),
        _global(f"torch {values['type']}"),
        _text(key),
        _text(str(values["device"])),
        _int(int(values["count"])),
    )
    arguments = _tuple(
        storage + b"Q",
        _int(int(values["offset"])),
        _tuple(*map(_int, shape)),
        _tuple(*map(_int, strides)),
        b"\x89",
        _global("collections OrderedDict") + b")R",
    )
    return _global(made) + arguments + b"R"


def _pickle(rng: Random | None) -> bytes:
    """The pickle of a state dict."""
    items = [(name, tuple(value.shape)) for name, value in STATE.items()]
    odd = rng.randrange(len(items)) if rng is not None else -1
    body = b"".join(
        _text(name) + _tensor(rng if index == odd else None, str(index), shape)
        for index, (name, shape) in enumerate(items)
    )
    return b"\x80\x02}(" + body + b"u."


_ODD_PICKLES = (
    b"",
    b".",
    b"\x80\x02N.",
    b"\x80\x05\x95" + b"\xff" * 8 + b".",
    b"\x80\x02]" + b"]" * 5000 + b"a" * 5000 + b".",
    b"\x80\x02(" + b"(" * 100_000 + b".",
    b"\x80\x02X\xff\xff\xff\x7fabc.",
    b"\x80\x02\x8b\xff\xff\xff\x7f.",
    b"\x80\x02B\xff\xff\xff\x7f.",
    b"\x80\x02I" + b"9" * 10_000 + b"\n.",
    b"\x80\x02r\xff\xff\xff\xff.",
    b"\x80\x02h\x05.",
    b"\x80\x02cos\nmkdir\nX\x03\x00\x00\x00run\x85R.",
    b"cposix\nmkdir\n(S'run'\ntR.",
    b"\x80\x02ctorch.hub\ndownload_url_to_file\n)R.",
    b"\x80\x02}X\x01\x00\x00\x00a}s.",
    b"\x80\x02}X\x05\x00\x00\x00model}s.",
    b"\x80\x02}X\x05\x00\x00\x00modelK\x05s.",
    b"\x80\x02}K\x05K\x06s.",
    b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.",  # holds itself
    b"\x80\x02}q\x00X\x0a\x00\x00\x00state_dicth\x00s.",
    b"\x80\x02U\x05abcdeQ.",
    b"\x80\x02(X\x07\x00\x00\x00storageK\x01K\x01K\x01K\x01tQ.",
    b"\x80\x02ccollections\nOrderedDict\n]]]K\x01K\x02eaa\x85R.",
    b"\x80\x02ctorch._utils\n_rebuild_meta_tensor_no_storage\n(ctorch\nfloat32\n(J\x00\x00\x00\x7f"
    b"J\x00\x00\x00\x7ft(K\x01K\x01t\x89tR.",
)


def _members(pickle: bytes) -> list[of_zip.Entry]:
    entries = [
        of_zip.Entry(f"{_FOLDER}/data.pkl".encode(), pickle),
        of_zip.Entry(f"{_FOLDER}/byteorder".encode(), b"little"),
    ]
    for index, value in enumerate(STATE.values()):
        entries.append(of_zip.Entry(f"{_FOLDER}/data/{index}".encode(), value.numpy().tobytes()))
    entries.append(of_zip.Entry(f"{_FOLDER}/version".encode(), b"3\n"))
    return entries


@cache
def _saved(zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(STATE, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def _anew(raw: bytes) -> list[of_zip.Entry]:
    """The members that PyTorch itself wrote."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return [of_zip.Entry(i.filename.encode(), archive.read(i)) for i in archive.infolist()]


def make(rng: Random) -> bytes:
    choice = rng.random()
    if choice < 0.12:
        return damaged(rng, _saved(False))
    if choice < 0.3:
        entries = _anew(_saved(True))
        for _ in often(rng):
            member = some(rng, entries)
            member.content = damaged(rng, member.content)
    elif choice < 0.45:
        entries = _members(some(rng, _ODD_PICKLES))
    else:
        entries = _members(_pickle(rng))
    archive = of_zip.Archive(entries)
    if rng.random() < 0.2:
        of_zip.mutate(rng, archive)
    elif rng.random() < 0.1:
        version = some(rng, archive.entries)
        version.content = rng.choice((b"", b"99999999999999999999", b"big", b"x", b"-1", b"\xff"))
    if rng.random() < 0.1:
        largest = some(rng, archive.entries)
        largest.lies["size"] = largest.lies["packed"] = number(rng, 32)
    raw = archive.to_bytes()
    return damaged(rng, raw) if rng.random() < 0.15 else raw


def run(case: bytes, folder: Path) -> None:
    read_checkpoint(place(folder, "weights.pth", case))


def warm_up() -> Iterable[bytes]:
    return (
        _saved(True),
        _saved(False),
        of_zip.Archive(_members(_pickle(None))).to_bytes(),
        of_zip.Archive(_anew(_saved(True))).to_bytes(),
    )


KIND = Kind(make, run, warm_up)
