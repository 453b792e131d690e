"""A saved model in Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from nasoa.data import find_images
from nasoa.errors import InvalidInput
from nasoa.steps.classifying import Answer, classify, load_classifier

if TYPE_CHECKING:
    from nasoa.online.tuning.saved_model import Classifier, ModelCard


class Model:
    """A model that a fine-tune saved.

    Args:
        model_dir: a folder or `s3://` prefix.

    Raises:
        InvalidInput: no model there.
    """

    def __init__(self, model_dir: str | os.PathLike[str]) -> None:
        self.model_dir = os.fspath(model_dir)

    @cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(self.model_dir)

    @property
    def card(self) -> ModelCard:
        """What the model is: classes, network, regime, test accuracy."""
        return self._classifier.card

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of probabilities."""
        return self.card.class_names

    def predict(
        self, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    ) -> list[Answer]:
        """The likeliest class of each image, and the probability of every class.

        Args:
            images: a file, a folder, a pattern, or several of these.

        Returns:
            One answer an image; of one that cannot be read, `error` says why.

        Raises:
            InvalidInput: there are no images.
        """
        given = [images] if isinstance(images, str | os.PathLike) else list(images)
        found = find_images([os.fspath(path) for path in given], ())
        batches = classify(self._classifier, found.paths)
        return [answer for batch in batches for answer in batch]

    def probabilities(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`(n, num_classes)` probabilities of images in memory.

        Args:
            images: `(n, h, w, 3)` or `(n, h, w)` uint8.

        Raises:
            InvalidInput: another shape or kind of number.
        """
        pixels = np.asarray(images)
        is_image = pixels.ndim in (3, 4) and pixels.shape[3:] in ((), (3,))
        if pixels.dtype != np.uint8 or not is_image:
            raise InvalidInput(
                "expected (n, h, w, 3) or (n, h, w) uint8 images, got "
                f"{pixels.shape} of {pixels.dtype}"
            )
        coloured = pixels if pixels.ndim == 4 else np.repeat(pixels[..., None], 3, axis=3)
        batch = torch.from_numpy(np.ascontiguousarray(coloured.transpose(0, 3, 1, 2)))
        known = self._classifier
        parts = [known.probabilities(some) for some in batch.split(known.batch_size) if len(some)]
        return torch.cat([torch.empty(0, len(self.class_names)), *parts]).numpy()

    def __repr__(self) -> str:
        return f"Model({self.model_dir!r})"


def load(model_dir: str | os.PathLike[str]) -> Model:
    """The model in a folder or under an `s3://` prefix, as `nasoa finetune` saves it.

    Raises:
        InvalidInput: no model there.
    """
    model = Model(model_dir)
    _ = model.card
    return model
