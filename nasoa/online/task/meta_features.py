"""Meta-features of a task, measured before any training (section 3.2.1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasoa.config import DescribeConfig
from nasoa.errors import InvalidInput
from nasoa.online.task.domain_similarity import class_counts, class_means, domain_similarity
from nasoa.online.task.landmark import landmark_accuracy
from nasoa.records import MetaFeatures


def meta_features(
    labels: ArrayLike,
    num_classes: int,
    features: ArrayLike,
    feature_labels: ArrayLike,
    *,
    source_means: ArrayLike,
    source_weights: ArrayLike,
    image_resolution: int,
) -> MetaFeatures:
    """Return the meta-features of a task.

    Class counts are those of all training images; domain similarity and landmark are computed on a
    sample of them.

    Args:
        labels: `(n,)` labels of the training split.
        num_classes: number of classes of the task; a class without training images has count 0.
        features: `(m, d)` features of sampled training images, from the same network as
            `source_means`.
        feature_labels: `(m,)` labels of the sampled images.
        source_means: `(k, d)` class means of the pretraining source.
        source_weights: `(k,)` image fractions of the source's classes.
        image_resolution: median of the images' shorter sides, in pixels.

    Raises:
        InvalidInput: shapes do not match, or a label is out of range.
    """
    counts = class_counts(np.asarray(labels), num_classes)
    # A class-balanced sample would hide an imbalance, so classes are weighted by their counts among
    # all images. A class that was not sampled has no mean and is dropped.
    means, _sampled_shares = class_means(features, feature_labels, num_classes)
    sampled = np.unique(np.asarray(feature_labels))
    return MetaFeatures(
        num_classes=num_classes,
        num_images=int(counts.sum()),
        mean_images_per_class=float(counts.mean()),
        std_images_per_class=float(counts.std()),
        domain_similarity=domain_similarity(means, counts[sampled], source_means, source_weights),
        landmark_accuracy=landmark_accuracy(features, feature_labels),
        image_resolution=image_resolution,
    )


def sample_size(num_classes: ArrayLike) -> NDArray[np.float64]:
    """Return the most images of a task whose features are computed, for numbers of classes."""
    config = DescribeConfig()
    wanted = config.least_per_class * np.asarray(num_classes, dtype=np.float64)
    return np.clip(wanted, config.max_images, config.most_images)


def sample_indices(
    labels: ArrayLike,
    per_class: int,
    max_images: int,
    rng: np.random.Generator,
    groups: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Sample the indices of at most `per_class` images per class and `max_images` in total.

    The indices are ascending. Of a group, only one image is used, because others of it would give
    away the class of an image that is left out; a class with a single group uses all its images. If
    `max_images` is the tighter limit, classes lose images evenly: the counts of two classes differ
    by at most 1, except for classes with no further images.

    Args:
        labels: `(n,)` integers of at least 0.
        per_class: maximum number of images per class, at least 1.
        max_images: maximum number of images in total, at least 1.
        rng: random generator that samples the images.
        groups: `(n,)` integers, equal for images that show the same thing; None if there are none.

    Raises:
        InvalidInput: a maximum is below 1, or labels are not integers of at least 0.
    """
    if per_class < 1 or max_images < 1:
        raise InvalidInput(
            f"Expected per_class and max_images to be at least 1 but they were {per_class} and "
            f"{max_images}"
        )
    classes = np.asarray(labels)
    class_counts(classes, int(classes.max(initial=0)) + 1)
    shuffled = rng.permutation(len(classes))
    if groups is not None:
        shuffled = _one_of_each_group(shuffled, classes, np.asarray(groups))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    _names, first, counts = np.unique(classes[by_class], return_index=True, return_counts=True)
    turn = np.arange(len(by_class)) - np.repeat(first, counts)
    by_turn = by_class[np.lexsort((rng.random(len(by_class)), turn))]
    num_kept = min(max_images, int(np.minimum(counts, per_class).sum()))
    # At least `num_kept` images have a turn below `per_class`, so the first `num_kept` all do.
    return np.sort(by_turn[:num_kept]).astype(np.int64)


def _one_of_each_group(
    indices: NDArray[np.int64], classes: NDArray[np.int64], groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the first of `indices` of every group in a class; all in classes of one group."""
    pairs, first, numbers = np.unique(
        np.stack([classes, groups], axis=1)[indices],
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    of_class = pairs[:, 0]
    is_single = np.bincount(of_class)[of_class] == 1
    is_first = np.zeros(len(indices), dtype=bool)
    is_first[first] = True
    kept: NDArray[np.int64] = indices[is_first | is_single[numbers.ravel()]]
    return kept
