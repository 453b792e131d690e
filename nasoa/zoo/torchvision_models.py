"""Classification networks of torchvision; see `nasoa.zoo.library.Library`.

torchvision is imported on first use: the CPU container image does not have it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn

from nasoa.errors import BackboneError, UnknownName, WeightsError
from nasoa.torchvision_import import import_torchvision
from nasoa.zoo.download import download
from nasoa.zoo.library import IMAGENET, Pretraining
from nasoa.zoo.weight_files import load_strictly

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum
    from torchvision.models.vision_transformer import VisionTransformer

SIZED = ("vit_", "maxvit_")
# torchvision's README leaves the terms of weights to the data that they were trained on, and names
# one licence for those of SWAG.
LICENSE = "BSD-3-Clause as torchvision, and the terms of the data they were trained on"
SWAG_LICENSE = "CC-BY-NC-4.0"
# By default every weight is drawn with scipy, for a minute, and colours are not transformed as the
# pretrained weights expect.
INCEPTION = {"init_weights": False, "transform_input": True}


def names() -> list[str]:
    """See `Library`."""
    models = _models()
    return list(models.list_models(module=models))


def takes_one_size(name: str) -> bool:
    """See `Library`."""
    return name.startswith(SIZED)


def build(name: str, num_classes: int, resolution: int) -> nn.Module:
    """See `Library`."""
    if name not in names():
        raise UnknownName("torchvision model", name, names())
    options: dict[str, object] = {}
    if name.startswith("vit_"):
        options = {"image_size": resolution}
    elif name.startswith("maxvit_"):
        options = {"input_size": (resolution, resolution)}
    elif name in ("googlenet", "inception_v3"):
        options = dict(INCEPTION)
    network: nn.Module = _models().get_model(name, weights=None, num_classes=num_classes, **options)
    return network


def load(name: str, num_classes: int, resolution: int, state: Mapping[str, Tensor]) -> nn.Module:
    """See `Library`. Position embeddings are resized to the resolution."""
    network = build(name, num_classes, resolution)
    if isinstance(network, _models().VisionTransformer):
        state = _at_resolution(network, state)
    if name.startswith("densenet"):  # published before submodules could not have a dot
        state = {re.sub(r"\.(norm|conv)\.([12])\.", r".\1\2.", k): v for k, v in state.items()}
    load_strictly(network, state, f"torchvision:{name}")
    return network


def pretraining(name: str, weights: str) -> Pretraining:
    """See `Library`."""
    chosen = _weights(name, weights)
    preset = chosen.transforms()
    (source, metrics), *_ = chosen.meta["_metrics"].items()
    return Pretraining(
        name=f"{name}-{chosen.name}",
        resolution=preset.crop_size[0],
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        source=IMAGENET if source == "ImageNet-1K" else source,
        accuracy=round(metrics["acc@1"] / 100, 5),
        license=SWAG_LICENSE if "SWAG" in chosen.name else LICENSE,
    )


def weights_file(name: str, weights: str) -> Path:
    """See `Library`. The file's SHA-256 must begin as its name says, even if it was cached."""
    url: str = _weights(name, weights).url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    # The name ends with the first digits of the file's hash.
    hash_prefix = path.stem.rpartition("-")[2]
    if path.exists():
        _check_hash(path, hash_prefix, url)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download(url, path, hash_prefix)
    except (OSError, RuntimeError, HTTPException) as error:
        raise WeightsError(
            f"weights of torchvision:{name} are not at {path}, and cannot be downloaded ({error}); "
            f"put {url} there, or give a file with --weights"
        ) from None
    return path


def _check_hash(path: Path, prefix: str, url: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from None
    if not found.startswith(prefix):
        raise WeightsError(
            f"{path} is damaged or a different file: expected a SHA-256 that begins with {prefix}, "
            f"got {found[: len(prefix)]}; delete it, so that {url} is downloaded again"
        )


def _weights(name: str, weights: str) -> WeightsEnum:
    models = _models()
    if name not in names():
        raise UnknownName("torchvision model", name, names())
    known = {member.name: member for member in models.get_model_weights(name)}
    if not weights:
        return models.get_model_weights(name).DEFAULT
    if weights not in known:
        raise UnknownName(f"weights of torchvision:{name}", weights, known)
    return known[weights]


def _models() -> ModuleType:
    try:
        return import_torchvision("torchvision.models")
    except (ImportError, RuntimeError) as error:  # RuntimeError if built for another torch
        raise BackboneError(
            f"expected torchvision for torchvision:NAME, but it cannot be imported here ({error}); "
            "use the GPU image, which also runs on a CPU, or install the torchvision for this torch"
        ) from None


def _at_resolution(network: VisionTransformer, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    key = "encoder.pos_embedding"
    resized = dict(state)
    if key in state and state[key].shape != network.encoder.pos_embedding.shape:
        resized = _models().vision_transformer.interpolate_embeddings(
            network.image_size, network.patch_size, resized
        )
    return resized
