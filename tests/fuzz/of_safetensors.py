"""Safetensors: weights, saved models, states of runs and versions of a predictor."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors.numpy import load as load_arrays

from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.tuning.saved_model import CARD_FILE, WEIGHTS_FILE, from_files
from nasoa.seal import seal_tensors
from nasoa.steps.learning import restore
from nasoa.store import keys, open_store, snapshots, starters, version_info
from nasoa.training import checkpoint
from nasoa.zoo.weight_files import read_checkpoint
from tests.fuzz.given import place
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import ODD_INTS, damaged, number, odd_text, often, some
from tests.random_model import random_model
from tests.store.finished import experience

# Who reads it, and the bytes.
Case = tuple[str, bytes]
READERS = ("checkpoint", "checkpoint", "run", "run", "version", "starter", "predictor", "model")
NAME = "p"
_TYPES = (
    *("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "U16", "U32", "U64", "BOOL"),
    *("F8_E5M2", "F8_E4M3", "C64", "F4", "F6_E2M3", "f32", "", "X", "F8_E8M0"),
)


@cache
def seeds(reader: str) -> tuple[dict[str, Any], bytes]:
    """The header and the numbers of a whole document."""
    raw = _whole(reader)
    end = 8 + int.from_bytes(raw[:8], "little")
    return json.loads(raw[8:end]), raw[end:]


@cache
def _whole(reader: str) -> bytes:
    if reader == "run":
        import torch

        state = checkpoint.RunState(3, 1.5, 2, 0.5, 0.6)
        state.network = {"a.weight": torch.ones(3, 2), "a.bias": torch.ones(3)}
        state.momentum = {"a.weight": torch.zeros(3, 2)}
        return checkpoint.to_bytes(state)
    if reader == "version":
        info = version_info.SnapshotInfo(
            name=NAME, version=1, parent=0, learned=("a", "b"), new=("b",), created_at="now",
            code_version="0",
        )  # fmt: skip
        return _saved({"x": np.ones(3), "y": np.array(2)}, version_info.to_metadata(info))
    if reader in ("predictor", "starter"):
        predictor = ExperiencePredictor()
        if reader == "predictor":
            predictor.learn([experience("a", 0.5), experience("b", 0.7)])
        return _saved(predictor.state(), {})
    files, _card = random_model(("a", "b"))
    return files[WEIGHTS_FILE]


def _saved(state: dict[str, Any], metadata: dict[str, str]) -> bytes:
    from safetensors.numpy import save

    arrays = {name: np.asarray(value, order="C") for name, value in state.items()}
    return save(arrays, metadata or None)


@cache
def _card() -> bytes:
    return random_model(("a", "b"))[0][CARD_FILE]


def _mutate(rng: Random, header: dict[str, Any]) -> None:
    """Change a header in one way, in place."""
    names = [name for name in header if name != "__metadata__"]
    name = some(rng, names or [""])
    tensor = header.get(name)
    choice = rng.randrange(9)
    if choice == 0 and "__metadata__" in header:
        metadata = header["__metadata__"]
        if isinstance(metadata, dict) and metadata:
            key = some(rng, sorted(metadata))
            if rng.random() < 0.3:
                del metadata[key]
            else:
                metadata[key] = _metadata(rng, metadata[key])
    elif choice == 1:
        header["__metadata__"] = rng.choice((None, [], 5, "x", {"a": 5}, {odd_text(rng): "x"}, {}))
    elif choice == 2:
        header[odd_text(rng)] = header.pop(name, None)
    elif choice == 3 and isinstance(tensor, dict):
        tensor["dtype"] = some(rng, _TYPES)
    elif choice == 4 and isinstance(tensor, dict):
        tensor["shape"] = _shape(rng, tensor.get("shape"))
    elif choice == 5 and isinstance(tensor, dict):
        start, end = (*(tensor.get("data_offsets") or ()), 0, 0)[:2]
        near = rng.choice((-8, -4, -1, 1, 4, 8))
        tensor["data_offsets"] = rng.choice(
            (
                [start, number(rng, 64)],
                [number(rng, 64), end],
                [end, start],
                [start],
                [start, end + near],
            )
        )
    elif choice == 6:
        header[name] = rng.choice((None, [], {}, 3, "x", {"dtype": "F32"}))
    elif choice == 7 and names:
        header[name], other = header[some(rng, names)], header[name]
        if rng.random() < 0.5:
            header[some(rng, names)] = other
    elif choice == 8:
        header.pop(name, None)


def _shape(rng: Random, shape: object) -> object:
    if isinstance(shape, list) and shape and rng.random() < 0.5:
        changed = [*shape]
        changed[rng.randrange(len(changed))] = some(rng, ODD_INTS)
        return rng.choice((changed, changed[::-1], [*shape, 1], shape[:-1], [*shape, 0]))
    return rng.choice(([], [0], [2**63], [2**32, 2**32], [-1], [1.5], None, ["a"], [1] * 5000))


def _metadata(rng: Random, text: object) -> object:
    if isinstance(text, str) and rng.random() < 0.6:
        return damaged(rng, text.encode("utf-8", "replace")).decode("utf-8", "replace")
    return rng.choice((odd_text(rng), 5, None, "[" * 3000, "{" * 200, text))


def _to_bytes(rng: Random, header: dict[str, Any], numbers: bytes) -> bytes:
    text = json.dumps(header, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:  # the same name twice
        text = text[:-1] + b"," + text[1:]
    if rng.random() < 0.1:
        text = damaged(rng, text)
    text += b" " * (-len(text) % 8)
    length = len(text)
    if rng.random() < 0.1:
        length = rng.choice((number(rng, 64), length + rng.choice((-8, -1, 1, 8))))
    return (length & (2**64 - 1)).to_bytes(8, "little") + text + numbers


def make(rng: Random) -> Case:
    reader = some(rng, READERS)
    header, numbers = seeds(reader)
    header = json.loads(json.dumps(header))
    if rng.random() < 0.85:
        for _ in often(rng):
            _mutate(rng, header)
    if rng.random() < 0.15:
        numbers = damaged(rng, numbers)
    if reader in ("predictor", "starter") and rng.random() < 0.5:
        _set_numbers(rng, header, numbers := bytearray(numbers))
    raw = _to_bytes(rng, header, bytes(numbers))
    if rng.random() < 0.15:
        raw = damaged(rng, raw)
    return reader, raw


def _set_numbers(rng: Random, header: dict[str, Any], numbers: bytearray) -> None:
    """Set a number of an array to one that is far from what it was."""
    if len(numbers) >= 8:
        at = 8 * rng.randrange(len(numbers) // 8)
        value = rng.choice((np.float64(rng.choice((np.nan, np.inf, 1e308, -1.0, 0.5))),))
        raw = value.tobytes() if rng.random() < 0.6 else number(rng, 64).to_bytes(8, "little")
        numbers[at : at + 8] = raw


def run(case: Case, folder: Path) -> None:
    reader, raw = case
    if reader == "checkpoint":
        read_checkpoint(place(folder, "weights.safetensors", raw))
    elif reader == "run":
        checkpoint.from_bytes(raw, "run")
    elif reader == "version":
        _stored(folder, keys.predictor(NAME, 1, "safetensors"), raw)
        snapshots.load(open_store(str(folder)), NAME, 1)
    elif reader == "starter":
        _stored(folder, keys.starter(NAME, 1), raw)
        restore(starters.load(open_store(str(folder)), NAME, 1))
    elif reader == "predictor":
        _stored(folder, keys.starter(NAME, 1), raw)
        predictor = restore(starters.load(open_store(str(folder)), NAME, 1))
        assert isinstance(predictor, ExperiencePredictor)
    else:
        from_files({CARD_FILE: _card(), WEIGHTS_FILE: raw}.__getitem__)


def _stored(folder: Path, key: str, raw: bytes) -> None:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    place(path.parent, path.name, raw)


def warm_up() -> Iterable[Case]:
    for reader in sorted(set(READERS)):
        yield reader, _whole(reader)
        yield reader, seal_tensors(_whole(reader))
        load_arrays(_whole(reader))


KIND = Kind(make, run, warm_up)
