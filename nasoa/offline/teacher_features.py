"""A teacher's features for the images of a data set, computed once for every student.

A teacher costs more than its student, so each training image is used in a fixed number of views
(crop and mirroring), and the features of a view are computed once. They are standardised by those
of validation images, so that predicting 0 means knowing nothing.
"""

from __future__ import annotations

import hashlib
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from nasoa.data import ImageDataset
from nasoa.data.augment import CHANCES, augment_by
from nasoa.data.dataset import ImageSplit
from nasoa.errors import InvalidInput
from nasoa.offline.feature_file import FeatureFile, FeatureFolder, Indices
from nasoa.offline.teacher import Teacher
from nasoa.scratch import ScratchFolder
from nasoa.training.processes import ALONE, Processes

BATCH = 64
MOMENT_IMAGES = 512
LEAST_STD = 0.2  # fraction of their median: a nearly constant feature must not dominate
VERSION = 2  # changes when the same images, teacher and views give other features


class Lesson:
    """A teacher's features of views of training images, and of whole validation images.

    Args:
        data: images; their labels are not used.
        teacher: the network that computes the features.
        views: number of views of each training image; 2 d bytes each, in a file.
        min_scale: smallest fraction of an image's area that a view may keep.
        seed: random seed of the views.
        folder: folder in which the file stays for other processes and later lessons. Its name
            identifies the images, the teacher and the views. None for a temporary file.
    """

    def __init__(
        self,
        data: ImageDataset,
        teacher: Teacher,
        *,
        views: int,
        min_scale: float,
        seed: int,
        folder: FeatureFolder | None = None,
    ) -> None:
        self.data = data
        self.teacher = teacher
        self.views = views
        self._min_scale = min_scale
        self._seed = seed
        self._folder = folder
        self._scratch = ScratchFolder()
        generator = torch.Generator().manual_seed(seed)
        self._chances = torch.rand((CHANCES, views, len(data.train)), generator=generator)

    @property
    def num_images(self) -> int:
        """Number of images whose features are computed: all views, and the validation images."""
        return self.views * len(self.data.train) + len(self.data.val)

    def compute(self, processes: Processes = ALONE) -> None:
        """Compute all features that are unknown, so that no training has to wait for the teacher.

        Processes that train together divide the images. If other processes share the file, one of
        them computes while they wait.

        Args:
            processes: processes that train together; each must call this.
        """
        if processes.count > 1:
            processes.together(partial(self._compute, processes.rank, processes.count))
            # Nothing is left to do where all processes have one file.
            self._compute()
            return
        with self._file.locked():
            self._compute()

    def view(self, images: Tensor, views: Tensor, indices: Tensor, resolution: int) -> Tensor:
        """Return `(b, 3, r, r)` views of training images, float32 in [0, 1], same at any r.

        Args:
            images: `(b, 3, h, w)` uint8 images at `indices`.
            views: `(b,)` view number of each image.
            indices: `(b,)` indices of the images in the split.
            resolution: r in pixels.
        """
        chances = self._chances[:, views, indices]
        return augment_by(
            images, chances, resolution=resolution, flip=True, min_scale=self._min_scale
        )

    def of_views(self, images: Tensor, views: Tensor, indices: Tensor) -> Tensor:
        """Return the `(b, d)` float32 standardised features of views; see `view`."""
        self._add_views(images, views, indices)
        return self._standardised(self._file.read(self._rows_of_views(views, indices)))

    def of_whole(self, split: str, images: Tensor, indices: Tensor) -> Tensor:
        """Return the `(b, d)` float32 standardised features of whole images of a split.

        Those of validation images are computed once.

        Args:
            split: "train", "val" or "test".
            images: `(b, 3, h, w)` uint8 images at `indices`.
            indices: `(b,)` indices of the images in the split.
        """
        if split != "val":
            return self._standardised(_features(self.teacher, images))
        self._add_validation(images, indices)
        return self._standardised(self._file.read(self._rows_of_validation(indices)))

    def logits(self, features: Tensor) -> Tensor:
        """Return the teacher's `(b, k)` logits of its own classes for `(b, d)` features."""
        centre, scale = self._moments
        return self.teacher.logits(features.float() * scale + centre)

    @cached_property
    def _file(self) -> FeatureFile:
        shape = (self.num_images, self.teacher.num_features)
        kept = self._folder.open(self._digest(), shape) if self._folder else None
        return kept or FeatureFile(self._scratch.path / "features.npy", shape)

    def _digest(self) -> str:
        """Return a digest of all that the features depend on; all images are read for it."""
        how = (VERSION, self.teacher.resolution, self.views, self._min_scale, self._seed)
        found = hashlib.sha256(f"{self.teacher.digest} {how}".encode())
        for split in (self.data.train, self.data.val):
            found.update(f"{len(split)}\n".encode())
            for images, _labels in split.batches(torch.arange(len(split)).split(BATCH)):
                found.update(images.numpy().data)
        return found.hexdigest()[:32]

    def _rows_of_views(self, views: Tensor, indices: Tensor) -> Indices:
        return np.asarray(views.numpy() * len(self.data.train) + indices.numpy())

    def _rows_of_validation(self, indices: Tensor) -> Indices:
        return np.asarray(self.views * len(self.data.train) + indices.numpy())

    def _compute(self, rank: int = 0, count: int = 1) -> None:
        """Compute the unknown features of every `count`-th batch of images, from `rank` on."""
        for split in ("train", "val"):
            images_of: ImageSplit = getattr(self.data, split)
            own = torch.arange(len(images_of)).split(BATCH)[rank::count]
            wanted = [indices for indices in own if len(self._unknown(split, indices))]
            for indices, (images, _labels) in zip(wanted, images_of.batches(wanted), strict=True):
                if split == "val":
                    self._add_validation(images, indices)
                    continue
                placed = images.to(self.teacher.device)
                for view in range(self.views):
                    self._add_views(placed, torch.full_like(indices, view), indices)

    def _unknown(self, split: str, indices: Tensor) -> Tensor:
        """Return the positions of unknown features among all those of images of a split."""
        if split == "val":
            return self._file.unknown(self._rows_of_validation(indices))
        views = torch.arange(self.views).repeat_interleave(len(indices))
        return self._file.unknown(self._rows_of_views(views, indices.repeat(self.views)))

    def _add_views(self, images: Tensor, views: Tensor, indices: Tensor) -> None:
        """Compute and store the features of views, unless they are known."""
        unknown = self._file.unknown(self._rows_of_views(views, indices))
        for some in unknown.split(BATCH) if len(unknown) else ():
            crops = self.view(images[some], views[some], indices[some], self.teacher.resolution)
            rows = self._rows_of_views(views[some], indices[some])
            self._file.write(rows, _features(self.teacher, crops))

    def _add_validation(self, images: Tensor, indices: Tensor) -> None:
        """Compute and store the features of whole validation images, unless they are known."""
        unknown = self._file.unknown(self._rows_of_validation(indices))
        if len(unknown):
            rows = self._rows_of_validation(indices[unknown])
            self._file.write(rows, _features(self.teacher, images[unknown]))

    def _standardised(self, features: Tensor) -> Tensor:
        centre, scale = self._moments
        return (features.to(centre.device).float() - centre) / scale

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """`(d,)` mean and standard deviation of the features of some validation images."""
        # Images may be sorted by class.
        indices = spaced(len(self.data.val), MOMENT_IMAGES)
        for some in indices.split(BATCH):
            if len(self._unknown("val", some)):
                self._add_validation(self.data.val.images(some), some)
        features = self._file.read(self._rows_of_validation(indices)).float()
        return _moments_of(features.to(self.teacher.device), self.teacher)


def check_teacher(teacher: Teacher, data: ImageDataset) -> None:
    """Check on a few validation images that a student can learn a teacher's features of a data set.

    Raises:
        InvalidInput: the features are not finite, or do not differ between the images.
    """
    images = data.val.images(spaced(len(data.val), BATCH))
    _moments_of(_features(teacher, images).float(), teacher)


def _features(teacher: Teacher, images: Tensor) -> Tensor:
    """Return the `(b, d)` features of images; raise `InvalidInput` if they are not finite."""
    features = teacher.features(images)
    if not bool(features.isfinite().all()):
        raise InvalidInput(
            f"expected finite features of the teacher at {teacher.resolution} px, got infinite "
            "ones or NaN; use another --teacher or --teacher-resolution"
        )
    return features


def _moments_of(features: Tensor, teacher: Teacher) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of `(n, d)` features; see `LEAST_STD`.

    Raises:
        InvalidInput: most features are the same for all images.
    """
    stds = features.std(dim=0)
    least = float(LEAST_STD * stds.median())
    if not least > 0:
        raise InvalidInput(
            "expected a teacher whose features differ between images, but at "
            f"{teacher.resolution} px most of its {len(stds)} features are the same for all; use "
            "another --teacher or --teacher-resolution"
        )
    return features.mean(dim=0), stds.clamp(min=least)


def spaced(count: int, most: int) -> Tensor:
    """Return at most `most` different indices below `count`, evenly spaced, in ascending order."""
    number = min(count, most)
    return torch.arange(number) * count // max(number, 1)
