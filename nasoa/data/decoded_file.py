"""A decoded data set as one file, which a step hands to the steps after it.

The pods of a pipeline have no disk in common, so each would copy the data again and decode them
again. The file has the images of the three splits as they are in memory, the labels, and a CRC32 of
everything, in the safetensors format.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nasoa.data.dataset import ImageDataset, MemorySplit
from nasoa.data.grey_range import GreyRange
from nasoa.errors import CorruptRecord

SPLITS = ("train", "val", "test")
# At which a copy travels at least: to the object store and back, by disks of pods.
BYTES_PER_S = 50e6
_HEADER, _CHECKSUM = "dataset", "checksum"


@dataclass(frozen=True, kw_only=True)
class _Header:
    """The fields of an `ImageDataset` that are not images, and the CRC32 of each tensor."""

    name: str
    data: str
    class_names: tuple[str, ...]
    resolution: int
    image_resolution: int
    num_skipped: int
    grey_range: GreyRange | None
    checksums: dict[str, int]


def is_worth_handing_over(dataset: ImageDataset) -> bool:
    """Whether a copy of the decoded images arrives sooner than they can be decoded again."""
    splits = [getattr(dataset, name) for name in SPLITS]
    if not all(isinstance(split, MemorySplit) for split in splits):
        return False
    num_bytes = sum(map(len, splits)) * 3 * dataset.resolution**2
    return num_bytes / BYTES_PER_S < dataset.decoding_s


def write_decoded(dataset: ImageDataset, path: Path) -> None:
    """Write a data set whose images are in memory to a file.

    Raises:
        OSError: the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name in SPLITS:
        split = getattr(dataset, name)
        tensors[f"{name}.images"] = split.images(torch.arange(len(split)))
        tensors[f"{name}.labels"] = split.labels.contiguous()
    plain = {
        name: value for name, value in vars(dataset).items() if name in _Header.__dataclass_fields__
    }
    header = _Header(**plain, checksums={name: _checksum(t) for name, t in tensors.items()})
    text = msgspec.json.encode(header)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {_HEADER: text.decode(), _CHECKSUM: str(zlib.crc32(text))})


def read_decoded(path: Path) -> ImageDataset:
    """Read the data set that `write_decoded` wrote.

    Raises:
        CorruptRecord: the file is not what was written.
        OSError: there is no such file, or it cannot be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            text = metadata.get(_HEADER, "").encode()
            header = msgspec.json.decode(text, type=_Header)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, msgspec.MsgspecError) as error:
        raise CorruptRecord(str(path), str(error)) from None
    is_same = metadata.get(_CHECKSUM) == str(zlib.crc32(text))
    if not is_same or header.checksums != {
        name: _checksum(tensor) for name, tensor in tensors.items()
    }:
        raise CorruptRecord(str(path), "the checksums are not those that were written")
    splits: dict[str, Any] = {}
    for name in SPLITS:
        images, labels = tensors[f"{name}.images"], tensors[f"{name}.labels"]
        splits[name] = MemorySplit(images, torch.arange(len(labels)), labels)
    fields = {name: getattr(header, name) for name in vars(header) if name != "checksums"}
    return ImageDataset(**fields, **splits)


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(np.ascontiguousarray(tensor.numpy()).reshape(-1).view(np.uint8).data)
