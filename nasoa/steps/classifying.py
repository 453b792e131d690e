"""Classify images with a model that a task saved."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nasoa.arch import StagedNetwork
from nasoa.data import ImageBatch, image_batches
from nasoa.errors import InvalidInput, ObjectNotFound
from nasoa.home_path import expanded
from nasoa.near_paths import did_you_mean
from nasoa.online.tuning.saved_model import Classifier, ModelCard, from_files
from nasoa.store import open_store
from nasoa.training.hardware import use_threads
from nasoa.training.precision import precision_for


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The classification of an image file: the most likely class and the probability of each.

    If the image could not be read, `error` gives the reason in one line, and the fields after
    `image` are empty.
    """

    image: str
    class_name: str = ""
    probability: float = 0.0
    probabilities: dict[str, float] = field(default_factory=dict)
    error: str = ""


def predict(model_dir: str, images: Iterable[str]) -> Iterator[list[Answer]]:
    """Classify image files with a saved model, batch by batch, in order.

    The model is loaded immediately. Each batch is read, slightly ahead, and classified when the
    iterator is advanced, so memory use does not depend on the number of images.

    Args:
        model_dir: folder or `s3://` prefix in which `finetune` saved a model.
        images: paths of image files; the answer for one that cannot be read has `error` set.

    Returns:
        An iterator over batches, each a list with one answer per image.

    Raises:
        InvalidInput: `model_dir` holds no saved model.
    """
    return classify(load_classifier(model_dir), images)


def load_classifier(model_dir: str) -> Classifier:
    """Load the saved model in a folder or under an `s3://` prefix, ready to classify.

    Raises:
        InvalidInput: `model_dir` holds no saved model.
    """
    use_threads()
    network, card = read_model(model_dir)
    return Classifier(network, card, precision_for(network))


def read_model(model_dir: str) -> tuple[StagedNetwork, ModelCard]:
    """Return the network and the card of a saved model.

    Raises:
        InvalidInput: `model_dir` holds no saved model.
    """
    try:
        return from_files(open_store(model_dir).get)
    except ObjectNotFound:
        path = Path(expanded(model_dir))
        near = "" if "://" in model_dir or os.path.exists(path) else did_you_mean(path)
        raise InvalidInput(
            f"expected a folder with a saved model, but {model_dir} has none; {near}"
            "`nasoa finetune` prints the folder that it saved one in"
        ) from None


def classify(classifier: Classifier, images: Iterable[str]) -> Iterator[list[Answer]]:
    """Classify image files with a model that is already loaded; see `predict`."""
    card = classifier.card
    batches = image_batches(
        images, card.read_resolution, classifier.batch_size, grey_range=card.grey_range
    )
    return (_answers(classifier, batch) for batch in batches)


def _answers(classifier: Classifier, batch: ImageBatch) -> list[Answer]:
    names = classifier.card.class_names
    rows = iter(classifier.probabilities(batch.images).tolist() if len(batch.images) else [])
    answers = []
    for index, image in enumerate(batch.paths):
        if index in batch.errors:
            answers.append(Answer(image=image, error=batch.errors[index]))
            continue
        named = dict(zip(names, next(rows), strict=True))
        best = max(named, key=named.__getitem__)
        answers.append(
            Answer(image=image, class_name=best, probability=named[best], probabilities=named)
        )
    return answers
