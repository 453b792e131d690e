"""Saved models in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from nasoa.api.in_memory import image_bytes
from nasoa.api.notebook import framed
from nasoa.data import find_images
from nasoa.data.grey_range import WHOLE
from nasoa.report.model_page import model_page
from nasoa.steps.classifying import Answer, classify, load_classifier

if TYPE_CHECKING:
    from nasoa.online.tuning.saved_model import Classifier, ModelCard

FRAME_HEIGHT = 480


class Model:
    """Model saved by a fine-tune.

    Args:
        model_dir: folder or `s3://` prefix of the model.

    Raises:
        InvalidInput: there is no model in `model_dir`.
    """

    def __init__(self, model_dir: str | os.PathLike[str]) -> None:
        self.model_dir = os.fspath(model_dir)

    @cached_property
    def classifier(self) -> Classifier:
        """Return the loaded model, which classifies tensors."""
        return load_classifier(self.model_dir)

    @property
    def card(self) -> ModelCard:
        """Description of the model: classes, network, regime and test accuracy."""
        return self.classifier.card

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.card.class_names

    def predict(
        self, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    ) -> list[Answer]:
        """Return the most likely class of each image, and the probability of every class.

        Args:
            images: a file, a folder, a glob pattern, or several of these.

        Returns:
            One answer per image. If an image cannot be read, its `error` is the reason.

        Raises:
            InvalidInput: there are no images.
        """
        given = [images] if isinstance(images, str | os.PathLike) else list(images)
        found = find_images([os.fspath(path) for path in given], ())
        batches = classify(self.classifier, found.paths)
        return [answer for batch in batches for answer in batch]

    def probabilities(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return `(n, num_classes)` probabilities of images in memory.

        Args:
            images: `(n, h, w, 3)`, `(n, 3, h, w)` or `(n, h, w)` images of uint8, uint16, or floats
                in [0, 1].

        Raises:
            InvalidInput: the array has another shape, type or range.
        """
        pixels = image_bytes(images, self.card.grey_range or WHOLE)
        coloured = pixels if pixels.ndim == 4 else np.repeat(pixels[..., None], 3, axis=3)
        batch = torch.from_numpy(np.ascontiguousarray(coloured.transpose(0, 3, 1, 2)))
        known = self.classifier
        parts = [known.probabilities(some) for some in batch.split(known.batch_size) if len(some)]
        return torch.cat([torch.empty(0, len(self.class_names)), *parts]).numpy()

    def __repr__(self) -> str:
        return f"Model({self.model_dir!r})"

    def _repr_html_(self) -> str:
        return framed(model_page(self.card), "model", FRAME_HEIGHT)


def load(model_dir: str | os.PathLike[str]) -> Model:
    """Load a model that `nasoa finetune` saved.

    Args:
        model_dir: folder or `s3://` prefix of the model.

    Raises:
        InvalidInput: there is no model in `model_dir`.
    """
    model = Model(model_dir)
    _ = model.card
    return model
