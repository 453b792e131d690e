"""The images of DATA as a plain script reads them: all training images, and the test images."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nasoa.config import DataConfig
from nasoa.data import load_dataset
from nasoa.data.open_data import open_source
from nasoa.data.reader import ImageReader

SAMPLE = 64


@dataclass(frozen=True)
class Survey:
    """Properties of DATA, determined before its images are decoded.

    Args:
        image_resolution: median of the images' shorter sides in pixels, from a sample.
        num_images: number of images of all splits.
        num_train: number of images that are not test images.
        num_classes: number of classes.
        image_s: seconds to decode one image with the decoding threads, from the sample.
    """

    image_resolution: int
    num_images: int
    num_train: int
    num_classes: int
    image_s: float


@dataclass(frozen=True)
class PlainData:
    """Decoded images; `train` includes the validation images if DATA has any.

    Args:
        train: `(n, 3, r, r)` uint8.
        train_labels: `(n,)` int64.
        test: `(m, 3, r, r)` uint8.
        test_labels: `(m,)` int64.
        num_classes: number of classes.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    num_classes: int


def survey(data: str) -> Survey:
    """Count the images of DATA, and time the decoding of some."""
    config = DataConfig()
    source = open_source(data, config, None)
    count = len(source.records)
    num_test = sum(record.split == "test" for record in source.records)
    sample = np.linspace(0, count - 1, min(count, SAMPLE)).astype(int).tolist()
    # The resolution of this reader only affects the cost of decoding; use the largest one.
    reader = ImageReader(source, config.max_resolution, config.max_pixels, config.workers)
    sizes, _unreadable = reader.sizes(sample)
    began = time.perf_counter()
    with ThreadPoolExecutor(config.workers) as pool:
        list(pool.map(reader.read, sample))
    return Survey(
        image_resolution=int(statistics.median(map(min, sizes))),
        num_images=count,
        num_train=count - (num_test or round(config.test_fraction * count)),
        num_classes=len(source.class_names),
        image_s=(time.perf_counter() - began) / len(sample),
    )


def read(data: str, seed: int, resolution: int) -> PlainData:
    """Decode DATA; the test images are those that nasoa uses for this seed.

    Args:
        data: DATA in any form that `nasoa finetune` accepts and that needs no credentials.
        seed: random seed of the test split, if DATA has none.
        resolution: height and width in pixels.
    """
    dataset = load_dataset(
        data, seed=seed, resolution=resolution, config=DataConfig(val_fraction=0.0)
    )
    splits = [split for split in (dataset.train, dataset.val) if len(split)]
    return PlainData(
        train=torch.cat([split.images(torch.arange(len(split))) for split in splits]),
        train_labels=torch.cat([split.labels for split in splits]),
        test=dataset.test.images(torch.arange(len(dataset.test))),
        test_labels=dataset.test.labels,
        num_classes=len(dataset.class_names),
    )
