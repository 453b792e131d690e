"""A saved model in the formats of other runtimes, with its preprocessing inside.

The exported graph takes `images`, `(n, 3, r, r)` uint8 RGB, and returns `probabilities`,
`(n, num_classes)` float32. Scaling to [0, 1], normalisation, the mean over an image and its mirror
image (for models that use it), and the softmax are part of the graph. Resizing is not: resize the
whole decoded image to r x r pixels with an antialiasing bilinear filter. The file's metadata
describes this too, with what is inside the graph, and names the classes.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasoa.arch import StagedNetwork
from nasoa.errors import InvalidInput
from nasoa.online.tuning.saved_model import ModelCard

ONNX, TORCHSCRIPT = "onnx", "torchscript"
SUFFIXES = {ONNX: ".onnx", TORCHSCRIPT: ".torchscript.pt"}
CARD_KEY = "nasoa"
TRACED_IMAGES = 2
PREPROCESSING = (
    "RGB, the whole image resized to {side} x {side} pixels with an antialiasing bilinear filter, "
    "uint8, (n, 3, {side}, {side})"
)
SMALLER = "; before that, to {read} x {read} pixels, the size at which training images were stored"
DEEP = (
    "; first, values of images of more than 8 bits are scaled so that {black:g} becomes 0 and "
    "{white:g} becomes 255, and clipped"
)


class ExportedModel(nn.Module):
    """A saved network from uint8 images to probabilities.

    Args:
        network: the saved network.
        card: its card.
    """

    def __init__(self, network: StagedNetwork, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        self.mirrors = card.mirror_safe
        entry = card.entry
        self.register_buffer("mean", torch.tensor(entry.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(entry.std).view(1, 3, 1, 1))
        self.mean: Tensor
        self.std: Tensor
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """`(n, 3, r, r)` uint8 images -> `(n, num_classes)` probabilities."""
        placed = (images.float() / 255.0 - self.mean) / self.std
        logits = self.network(placed)
        if self.mirrors:
            logits = (logits + self.network(placed.flip(3))) / 2
        return cast(Tensor, logits.softmax(dim=1))


def metadata(card: ModelCard) -> dict[str, object]:
    """What a program that runs the model must know."""
    side, grey_range = card.regime.resolution, card.grey_range
    preprocessing = PREPROCESSING.format(side=side)
    if card.read_resolution < side:
        preprocessing += SMALLER.format(read=card.read_resolution)
    if grey_range is not None:
        preprocessing += DEEP.format(black=grey_range.black, white=grey_range.white)
    return {
        "task_id": card.task_id,
        "dataset": card.dataset,
        "class_names": list(card.class_names),
        "input": "images",
        "layout": "NCHW, RGB, uint8",
        "resolution": side,
        "read_resolution": card.read_resolution,
        "preprocessing": preprocessing,
        "grey_range": None if grey_range is None else list(grey_range),
        "inside": {
            "divided_by": 255,
            "mean": list(card.entry.mean),
            "std": list(card.entry.std),
            "mirrored": card.mirror_safe,
        },
        "model": card.entry.name,
        "license": card.entry.license,
        "accuracy": card.accuracy,
    }


def export(network: StagedNetwork, card: ModelCard, form: str) -> bytes:
    """Return a saved model as one file of another runtime.

    Args:
        network: the saved network; it is not changed.
        card: its card.
        form: `ONNX` or `TORCHSCRIPT`.

    Raises:
        InvalidInput: another format, or the packages for it are not installed.
    """
    if form not in SUFFIXES:
        raise InvalidInput(f"expected the format {' or '.join(SUFFIXES)}, got {form!r}")
    model = ExportedModel(network, card)
    side = card.regime.resolution
    images = torch.zeros(TRACED_IMAGES, 3, side, side, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exporters warn of their own future
        return (_to_onnx if form == ONNX else _to_torchscript)(model, images, metadata(card))


def _to_onnx(model: ExportedModel, images: Tensor, known: Mapping[str, object]) -> bytes:
    try:
        import onnx  # noqa: PLC0415  (optional)
        import onnxscript  # noqa: F401, PLC0415  (torch's exporter asks for it)
    except ImportError:
        raise InvalidInput(
            "expected the packages for ONNX, which are not installed: pip install 'nasoa[onnx]'"
        ) from None
    program = torch.onnx.export(
        model,
        (images,),
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, {CARD_KEY: json.dumps(known)})
    return bytes(proto.SerializeToString())


def _to_torchscript(model: ExportedModel, images: Tensor, known: Mapping[str, object]) -> bytes:
    traced = torch.jit.trace(model, (images,))
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer, _extra_files={CARD_KEY: json.dumps(known)})
    return buffer.getvalue()


def run_exported(content: bytes, form: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return `(n, num_classes)` probabilities that an exported file gives.

    Args:
        content: what `export` returned.
        form: `ONNX` or `TORCHSCRIPT`.
        images: `(n, 3, r, r)`.
    """
    if form == ONNX:
        import onnxruntime  # noqa: PLC0415  (optional)

        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(["probabilities"], {"images": images})[0], dtype=np.float32)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        loaded = torch.jit.load(io.BytesIO(content))
        return np.asarray(loaded(torch.from_numpy(images)).numpy(), dtype=np.float32)
