"""Batches of source images for a network that is trained from fresh weights."""

from __future__ import annotations

from torch import nn

from nasoa.arch import StagedNetwork
from nasoa.config import EvaluateConfig, PretrainConfig
from nasoa.data import ImageDataset
from nasoa.offline.taught_inputs import TaughtInputs
from nasoa.offline.teacher_features import Lesson
from nasoa.training.inputs import ImageInputs, InputConfig, split_network
from nasoa.training.precision import Precision
from nasoa.training.processes import ALONE, Processes
from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD


def source_inputs(
    network: StagedNetwork,
    data: ImageDataset,
    config: EvaluateConfig | PretrainConfig,
    precision: Precision,
    seed: int,
    processes: Processes = ALONE,
    lesson: Lesson | None = None,
) -> tuple[ImageInputs, nn.Sequential]:
    """Return augmented and mirrored batches of `data`, and the whole network to train on them.

    With a lesson about `data`, the labels are the teacher's features.
    """
    prefix, trainable = split_network(network, frozen_stages=-1)
    how = InputConfig(
        resolution=config.resolution,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        batch_size=config.batch_size,
        flip=True,
        min_scale=config.min_scale,
        seed=seed,
    )
    if lesson is not None:
        return TaughtInputs(lesson, how, precision, processes), trainable
    return ImageInputs(data, prefix, how, precision, processes), trainable
