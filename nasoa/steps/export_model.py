"""Export a saved model for other runtimes, and check that its outputs do not change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nasoa.errors import NasoaError
from nasoa.home_path import expanded
from nasoa.online.tuning.exported_model import SUFFIXES, export, run_exported
from nasoa.online.tuning.saved_model import Classifier
from nasoa.partial_file import whole_file
from nasoa.steps.check_images import given_images, own_images
from nasoa.steps.classifying import read_model
from nasoa.store import default_store
from nasoa.training.precision import Precision
from nasoa.work_progress import report_progress

TOLERANCE = 1e-3  # of a probability
PARTS = "parts (reading, converting, checking)"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An exported file.

    `largest_difference`: largest absolute difference of a probability over `checked` images;
    `checked_on` says what these are. They are made up if `is_synthetic`, for the reason in
    `synthetic_because`.
    """

    file: str
    format: str
    num_bytes: int
    resolution: int
    class_names: tuple[str, ...]
    checked: int
    checked_on: str
    is_synthetic: bool
    synthetic_because: str
    largest_difference: float


def export_model(
    model_dir: str, form: str, out: str = "", images: Iterable[str] = (), store: str | None = None
) -> Exported:
    """Write a saved model as one file, after checking that its outputs are the same.

    Args:
        model_dir: folder or `s3://` prefix in which a fine-tune saved a model.
        form: "onnx" or "torchscript".
        out: file to write; by default the name of `model_dir` in the working directory.
        images: image files for the check, of which at most 64 are used; by default, test images
            of the model's data if these are still there, or else made-up images.
        store: store of the task that the model comes from; by default NASOA_STORE, else `./.nasoa`.

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
    if images:
        check = given_images(images, card)
    else:
        check = own_images(card, model_dir, default_store() if store is None else store)
    pixels = check.pixels
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
        checked_on=check.kind,
        is_synthetic=bool(check.reason),
        synthetic_because=check.reason,
        largest_difference=difference,
    )
