"""Classify images with a model that a task saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasoa.data import read_images
from nasoa.errors import InvalidInput, ObjectNotFound
from nasoa.online.saved_model import classify, from_files
from nasoa.store import open_store
from nasoa.training.hardware import use_threads
from nasoa.training.precision import precision_for


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says of an image: the likeliest class, and all by name."""

    image: str
    class_name: str
    probability: float
    probabilities: dict[str, float]


def predict(model_dir: str, images: Sequence[str]) -> list[Answer]:
    """Classify image files with a saved model.

    Args:
        model_dir: a folder or `s3://` prefix that `finetune` saved a model in.
        images: paths of image files.

    Raises:
        InvalidInput: no model there, or an image cannot be read.
    """
    use_threads()
    try:
        network, card = from_files(open_store(model_dir).get)
    except ObjectNotFound:
        raise InvalidInput(
            f"expected a folder with a saved model, but {model_dir} has none; "
            "`nasoa finetune` says where it saved one"
        ) from None
    pixels = read_images(images, card.regime.resolution)
    probabilities = classify(network, card, pixels, precision_for(network)).tolist()
    answers = []
    for image, row in zip(images, probabilities, strict=True):
        named = dict(zip(card.class_names, row, strict=True))
        best = max(named, key=named.__getitem__)
        answers.append(
            Answer(image=image, class_name=best, probability=named[best], probabilities=named)
        )
    return answers
