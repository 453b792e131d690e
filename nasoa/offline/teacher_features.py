"""A teacher's features for the images of a data set, computed once for every student.

A teacher costs more than its student, so each training image is used in a fixed number of views
(crop and mirroring), and the features of a view are computed on first use. They are standardised
by those of validation images, so that predicting 0 means knowing nothing.
"""

from __future__ import annotations

import contextlib
import os
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.data import ImageDataset
from nasoa.data.augment import CHANCES, augment_by
from nasoa.errors import InvalidInput
from nasoa.offline.teacher import Teacher
from nasoa.scratch import ScratchFolder

Indices = NDArray[np.int64]

BATCH = 64
MOMENT_IMAGES = 512
LEAST_STD = 0.2  # fraction of their median: a nearly constant feature must not dominate


class Lesson:
    """A teacher's features of views of training images, and of whole images of the other splits.

    Args:
        data: images; their labels are not used.
        teacher: the network that computes the features.
        views: number of views of each training image; 2 d bytes each, in a temporary file.
        min_scale: smallest fraction of an image's area that a view may keep.
        seed: random seed of the views.
        kept: file in which the features stay for later lessons, which must have the same
            arguments; None for a temporary one.
    """

    def __init__(
        self,
        data: ImageDataset,
        teacher: Teacher,
        *,
        views: int,
        min_scale: float,
        seed: int,
        kept: Path | None = None,
    ) -> None:
        self.data = data
        self.teacher = teacher
        self.views = views
        self._min_scale = min_scale
        self._scratch = ScratchFolder()
        self._path = kept or self._scratch.path / "views.npy"
        generator = torch.Generator().manual_seed(seed)
        self._chances = torch.rand((CHANCES, views, len(data.train)), generator=generator)
        self._whole: dict[str, dict[int, Tensor]] = {}

    @cached_property
    def _kept(self) -> NDArray[np.float16]:
        """`(views, n, d)` features of the teacher; the first is NaN until it is computed."""
        shape = (self.views, len(self.data.train), self.teacher.num_features)
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Under another name first: a file that exists is marked where it is unknown.
            partial = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            made = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float16, shape=shape)
            made[:, :, 0] = np.nan
            made.flush()
            with contextlib.suppress(FileExistsError):  # made by another process meanwhile
                os.link(partial, self._path)
            partial.unlink()
        kept = np.lib.format.open_memmap(self._path, mode="r+")
        if kept.shape != shape:
            raise InvalidInput(
                f"expected features of shape {shape} in {self._path}, got {kept.shape}; they are "
                "of other images or another teacher: remove the file"
            )
        return kept

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
        rows = views.numpy(), indices.numpy()
        unknown = torch.from_numpy(np.flatnonzero(np.isnan(self._kept[(*rows, 0)])))
        for some in unknown.split(BATCH) if len(unknown) else ():
            crops = self.view(images[some], views[some], indices[some], self.teacher.resolution)
            found = self.teacher.features(crops).cpu().numpy()
            self._kept[views[some].numpy(), indices[some].numpy()] = found
        return self._standardised(torch.from_numpy(self._kept[rows]))

    def of_whole(self, split: str, images: Tensor, indices: Tensor) -> Tensor:
        """Return the `(b, d)` float32 standardised features of whole images of a split.

        Args:
            split: "train", "val" or "test".
            images: `(b, 3, h, w)` uint8 images at `indices`.
            indices: `(b,)` indices of the images in the split.
        """
        known = self._whole.setdefault(split, {})
        if any(index not in known for index in indices.tolist()):
            known.update(zip(indices.tolist(), self.teacher.features(images), strict=True))
        return self._standardised(torch.stack([known[index] for index in indices.tolist()]))

    def logits(self, features: Tensor) -> Tensor:
        """Return the teacher's `(b, k)` logits of its own classes for `(b, d)` features."""
        centre, scale = self._moments
        return self.teacher.logits(features.float() * scale + centre)

    def _standardised(self, features: Tensor) -> Tensor:
        centre, scale = self._moments
        return (features.to(centre.device).float() - centre) / scale

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """`(d,)` mean and standard deviation of the features of some validation images."""
        indices = torch.arange(min(len(self.data.val), MOMENT_IMAGES))
        found = [self.teacher.features(self.data.val.images(some)) for some in indices.split(BATCH)]
        features = torch.cat(found).float()
        stds = features.std(dim=0)
        return features.mean(dim=0), stds.clamp(min=float(LEAST_STD * stds.median()))
