"""Export a saved model for other runtimes, and check that its outputs do not change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nasoa.data import image_batches
from nasoa.data.grey_range import GreyRange
from nasoa.errors import NasoaError
from nasoa.home_path import expanded
from nasoa.online.tuning.exported_model import SUFFIXES, export, run_exported
from nasoa.online.tuning.saved_model import Classifier
from nasoa.partial_file import whole_file
from nasoa.steps.classifying import read_model
from nasoa.training.precision import Precision
from nasoa.work_progress import report_progress

NUM_SYNTHETIC = 8
MOST_CHECKED = 64
TOLERANCE = 1e-3  # of a probability
PARTS = "parts (reading, converting, checking)"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported file.

    `largest_difference`: largest absolute difference of a probability over `checked` images, which
    are made up if `is_synthetic`.
    """

    file: str
    format: str
    num_bytes: int
    resolution: int
    class_names: tuple[str, ...]
    checked: int
    is_synthetic: bool
    largest_difference: float


def export_model(model_dir: str, form: str, out: str = "", images: Iterable[str] = ()) -> Exported:
    """Write a saved model as one file, after checking that its outputs are the same.

    Args:
        model_dir: folder or `s3://` prefix in which a fine-tune saved a model.
        form: "onnx" or "torchscript".
        out: file to write; by default the name of `model_dir` in the working directory.
        images: image files for the check, of which at most 64 are used; synthetic images by
            default.

    Raises:
        InvalidInput: `model_dir` holds no saved model, the format is unknown, or packages for it
            are missing.
        NasoaError: the outputs of the exported model differ, or none of `images` can be read;
            nothing is written.
    """
    report_progress(PARTS, 0, 3)
    network, card = read_model(model_dir)
    report_progress(PARTS, 1, 3)
    content = export(network, card, form)
    report_progress(PARTS, 2, 3)
    side = card.regime.resolution
    is_synthetic = not images
    pixels = _made_up(side) if is_synthetic else _read(images, side, card.grey_range)
    # What `nasoa predict` answers, in the exported number format.
    float32 = Precision(torch.device("cpu"), None, channels_last=False)
    expected = Classifier(network, card, float32).probabilities(torch.from_numpy(pixels)).numpy()
    difference = float(np.abs(run_exported(content, form, pixels) - expected).max())
    if not difference <= TOLERANCE:
        raise NasoaError(
            f"expected the exported model to give the outputs of the saved one, but a probability "
            f"differs by {difference:.3g}; nothing was written"
        )
    path = Path(expanded(out) or f"{Path(model_dir).name or 'model'}{SUFFIXES[form]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        partial.write_bytes(content)
    return Exported(
        file=str(path),
        format=form,
        num_bytes=len(content),
        resolution=side,
        class_names=card.class_names,
        checked=len(pixels),
        is_synthetic=is_synthetic,
        largest_difference=difference,
    )


def _read(
    images: Iterable[str], side: int, grey_range: GreyRange | None
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    batches = image_batches(images, side, MOST_CHECKED, grey_range=grey_range)
    found = next(iter(batches)).images
    if not len(found):
        raise NasoaError("expected an image to check with, but none of those given can be read")
    return found.numpy()


def _made_up(side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return smooth images of random colours."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (NUM_SYNTHETIC, 3, 4, 4)))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return smooth.to(torch.uint8).numpy()
