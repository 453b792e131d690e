"""The images of a pretraining, stored as large as student and teacher need them."""

from __future__ import annotations

from collections.abc import Callable

from nasoa.config import PretrainConfig
from nasoa.data import ImageDataset


def load_source(load: Callable[[int], ImageDataset], config: PretrainConfig) -> ImageDataset:
    """Load the images for a student and its teacher.

    A teacher whose images are larger than the student's gets them stored larger, but not larger
    than the files are: pixels made by enlarging would only fill the memory, and the teacher
    enlarges its crops itself. So Tiny ImageNet (64 px) stays within the two gigabytes of decoded
    images that are kept in memory (`DataConfig.memory_budget_bytes`), for a teacher at any
    resolution.

    Args:
        load: returns the data set with images stored at a resolution in pixels.
        config: the recipe.
    """
    data = load(config.resolution)
    if not config.teacher:
        return data
    wanted = min(config.teacher_resolution, data.image_resolution)
    return load(wanted) if wanted > config.resolution else data
