"""Images with which an exported model is compared with the saved one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.data import bucket_uri, fingerprint, image_batches
from nasoa.data.augment import to_float
from nasoa.errors import InvalidInput, NasoaError, TimeLimitError
from nasoa.online.tuning.saved_model import ModelCard
from nasoa.records import Task
from nasoa.steps.compute_meta_features import difference, read_data
from nasoa.steps.reading import read_record
from nasoa.store import keys, open_store

MOST_CHECKED = 64
NUM_SYNTHETIC = 8
READING_S = 60.0  # most seconds for reading the data that a model was trained on


@dataclass(frozen=True)
class CheckImages:
    """Images `(n, 3, r, r)` of uint8, and what they are: "images", "test images of NAME" or
    "made-up images"; `reason` says why they are made up, if they are.
    """

    pixels: NDArray[np.uint8]
    kind: str
    reason: str = ""


def given_images(paths: Iterable[str], card: ModelCard) -> CheckImages:
    """Return images of files, of which at most `MOST_CHECKED` are used.

    Raises:
        NasoaError: none of them can be read.
    """
    batches = image_batches(paths, card.read_resolution, MOST_CHECKED, grey_range=card.grey_range)
    found = next(iter(batches)).images
    if not len(found):
        raise NasoaError("expected an image to check with, but none of those given can be read")
    return CheckImages(_resized(found, card), "images")


def own_images(card: ModelCard, model_dir: str, store_uri: str) -> CheckImages:
    """Return test images of the model's data if these are still there, or else made-up images.

    Args:
        card: card of the model.
        model_dir: folder or `s3://` prefix of the model.
        store_uri: store of the task that the model comes from, unless the model is in a store.
    """
    side = card.regime.resolution
    try:
        inside = f"/{keys.model(card.task_id)}"
        is_inside = model_dir.rstrip("/").endswith(inside)
        uri = model_dir.rstrip("/").removesuffix(inside) if is_inside else store_uri
        pixels = _test_images(card, uri)
    except TimeLimitError:
        reason = f"its data cannot be read within {READING_S:g} s"
    except NasoaError as error:
        reason = str(error)
    else:
        return CheckImages(pixels, f"test images of {card.dataset}")
    return CheckImages(_made_up(side), "made-up images", reason)


def _test_images(card: ModelCard, store_uri: str) -> NDArray[np.uint8]:
    """Return an evenly spaced sample of the test images of a model's task.

    Raises:
        NasoaError: the task is unknown, or its data are missing, have changed, or cannot be read.
    """
    task = read_record(open_store(store_uri), keys.task(card.task_id), Task)
    if task is None:
        raise InvalidInput(f"the store {store_uri} does not have its task {card.task_id}")
    if bucket_uri(task.data) is not None:
        raise InvalidInput("its data are in a bucket")
    began_s = time.monotonic()

    def check_time(share: float = 0.0, since_s: float = 0.0) -> None:
        if time.monotonic() - began_s > READING_S:
            raise TimeLimitError("reading takes too long")

    if task.fingerprint and fingerprint(task.data) != task.fingerprint:
        raise InvalidInput(f"{task.data} has changed since")
    dataset = read_data(task.data, task.seed, check_time)
    if difference(task, dataset) or not len(dataset.test):
        raise InvalidInput(f"{task.data} has changed since")
    most = min(len(dataset.test), MOST_CHECKED)
    chosen = np.unique(np.linspace(0, len(dataset.test) - 1, most).astype(int))
    return _resized(dataset.test.images(torch.from_numpy(chosen)), card)


def _resized(images: Tensor, card: ModelCard) -> NDArray[np.uint8]:
    """Return uint8 images at the model's resolution."""
    return (to_float(images, card.regime.resolution) * 255).round().to(torch.uint8).numpy()


def _made_up(side: int) -> NDArray[np.uint8]:
    """Return smooth images of random colours."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (NUM_SYNTHETIC, 3, 4, 4)))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")
    return smooth.to(torch.uint8).numpy()
