"""Classification networks of timm, an optional dependency; see `nasoa.zoo.library.Library`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from nasoa.errors import BackboneError, UnknownName, WeightsError
from nasoa.zoo.library import IMAGENET, Pretraining

FILES = ("model.safetensors", "pytorch_model.bin")


def names() -> list[str]:
    """See `Library`."""
    return [*_timm().list_models(), *_timm().list_pretrained()]


def takes_one_size(name: str) -> bool:
    """See `Library`."""
    return bool(_config(name).fixed_input_size)


def build(name: str, num_classes: int, resolution: int) -> nn.Module:
    """See `Library`."""
    return _create(name, num_classes, resolution)


def load(name: str, num_classes: int, resolution: int, state: Mapping[str, Tensor]) -> nn.Module:
    """See `Library`. timm renames the keys of older files and resizes position embeddings."""
    overlay = {"state_dict": dict(state), "num_classes": num_classes}
    try:
        return _create(
            name, num_classes, resolution, pretrained=True, pretrained_cfg_overlay=overlay
        )
    except (RuntimeError, KeyError, AttributeError) as error:
        raise WeightsError(f"weights do not fit timm:{name}: {_first_difference(error)}") from None


def pretraining(name: str, weights: str) -> Pretraining:
    """See `Library`. timm does not provide accuracies, and names weights as part of the model."""
    if weights:
        raise UnknownName(f"weights of timm:{name}", weights, _timm().list_pretrained(f"{name}*"))
    config = _config(name)
    if not config.num_classes:
        raise BackboneError(f"timm:{name} has no classifier head")
    return Pretraining(
        name=f"{config.architecture}.{config.tag}" if config.tag else name,
        resolution=config.input_size[-1],
        mean=tuple(config.mean),
        std=tuple(config.std),
        source=IMAGENET if config.num_classes == 1000 else f"{config.num_classes} classes",
        accuracy=None,
        license=config.license or "",
    )


def weights_file(name: str, weights: str) -> Path:
    """See `Library`."""
    import huggingface_hub  # noqa: PLC0415  (comes with timm)

    repository = _config(name).hf_hub_id
    if not repository:
        raise WeightsError(f"timm has no weights of {name}; give a file with --weights")
    for file in FILES:
        cached = huggingface_hub.try_to_load_from_cache(repository, file)
        if isinstance(cached, str):
            return Path(cached)
    url = huggingface_hub.hf_hub_url(repository, FILES[0])
    try:
        # The download itself retries for a minute before it reports a missing network.
        huggingface_hub.get_hf_file_metadata(url)
        return Path(huggingface_hub.hf_hub_download(repository, FILES[0]))
    except Exception as error:  # errors of the HTTP client differ between versions of the hub
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"weights of timm:{name} ({FILES[0]} of {repository}) are not in "
            f"{huggingface_hub.constants.HF_HUB_CACHE}, and cannot be downloaded ({reason}); "
            f"copy {url} here, and give it with --weights"
        ) from None


def _first_difference(error: Exception) -> str:
    """Return the first difference from torch's message, which lists all below a heading."""
    _, _, differences = str(error).partition("\n")
    first = (differences or str(error)).strip().partition("\n")[0]
    return first.partition(', "')[0].rstrip(". ")


def _create(name: str, num_classes: int, resolution: int, **options: Any) -> nn.Module:
    if takes_one_size(name):
        options["img_size"] = resolution
    network: nn.Module = _timm().create_model(name, num_classes=num_classes, **options)
    return network


def _config(name: str) -> Any:
    known = names()
    if name not in known:
        raise UnknownName("timm model", name, known)
    return _timm().get_pretrained_cfg(name)


def _timm() -> ModuleType:
    try:
        import timm  # noqa: PLC0415
    except ImportError:
        raise BackboneError(
            "expected timm for timm:NAME, but it is not installed; pip install 'nasoa[timm]'"
        ) from None
    return timm
