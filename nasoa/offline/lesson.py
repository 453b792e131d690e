"""What a teacher says of the images of a data set: computed once, for every student.

A teacher costs more than its student, so each training image is seen in a fixed number of views
(crop and mirroring), and what the teacher says of a view is computed when it is first asked for.
Features are standardised by those of validation images: to know nothing is to say 0.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasoa.data import ImageDataset, ScratchFolder
from nasoa.data.augment import CHANCES, augment_by
from nasoa.offline.teacher import Teacher

Indices = NDArray[np.int64]

BATCH = 64
MOMENT_IMAGES = 512
LEAST_STD = 0.2  # of their median: a feature that is nearly always the same must not count most


class Lesson:
    """A teacher's features of views of training images, and of whole images of the other splits.

    Args:
        data: images; their labels are not looked at.
        teacher: whose features are wanted.
        views: of each training image; 2 d bytes each, in a temporary file.
        min_scale: least share of an image that a view keeps.
        seed: of the views.
    """

    def __init__(
        self, data: ImageDataset, teacher: Teacher, *, views: int, min_scale: float, seed: int
    ) -> None:
        self.data = data
        self.teacher = teacher
        self.views = views
        self._min_scale = min_scale
        self._scratch = ScratchFolder()
        generator = torch.Generator().manual_seed(seed)
        self._chances = torch.rand((CHANCES, views, len(data.train)), generator=generator)
        self._whole: dict[str, dict[int, Tensor]] = {}

    @cached_property
    def _kept(self) -> NDArray[np.float16]:
        """`(views, n, d)` features as the teacher has them; NaN first where there are none yet."""
        shape = (self.views, len(self.data.train), self.teacher.num_features)
        path = self._scratch.path / "views.npy"
        kept = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
        kept[:, :, 0] = np.nan
        return kept

    def view(self, images: Tensor, views: Tensor, places: Tensor, resolution: int) -> Tensor:
        """`(b, 3, r, r)` views of training images, float32 in [0, 1]; equal at any resolution.

        Args:
            images: `(b, 3, h, w)` uint8, those at `places`.
            views: `(b,)` which view of each.
            places: `(b,)` of the images in the split.
            resolution: r.
        """
        chances = self._chances[:, views, places]
        return augment_by(
            images, chances, resolution=resolution, flip=True, min_scale=self._min_scale
        )

    def of_views(self, images: Tensor, views: Tensor, places: Tensor) -> Tensor:
        """`(b, d)` float32 standardised features of views; see `view`."""
        rows = views.numpy(), places.numpy()
        unknown = torch.from_numpy(np.flatnonzero(np.isnan(self._kept[(*rows, 0)])))
        for some in unknown.split(BATCH) if len(unknown) else ():
            crops = self.view(images[some], views[some], places[some], self.teacher.resolution)
            found = self.teacher.features(crops).cpu().numpy()
            self._kept[views[some].numpy(), places[some].numpy()] = found
        return self._standardised(torch.from_numpy(self._kept[rows]))

    def of_whole(self, split: str, images: Tensor, places: Tensor) -> Tensor:
        """`(b, d)` float32 standardised features of whole images of a split.

        Args:
            split: "train", "val" or "test".
            images: `(b, 3, h, w)` uint8, those at `places`.
            places: `(b,)` in the split.
        """
        known = self._whole.setdefault(split, {})
        if any(place not in known for place in places.tolist()):
            known.update(zip(places.tolist(), self.teacher.features(images), strict=True))
        return self._standardised(torch.stack([known[place] for place in places.tolist()]))

    def logits(self, features: Tensor) -> Tensor:
        """`(b, d)` standardised features -> `(b, k)` logits of the teacher's own classes."""
        centre, scale = self._moments
        return self.teacher.logits(features.float() * scale + centre)

    def _standardised(self, features: Tensor) -> Tensor:
        centre, scale = self._moments
        return (features.to(centre.device).float() - centre) / scale

    @cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """`(d,)` mean and standard deviation of the features of some validation images."""
        places = torch.arange(min(len(self.data.val), MOMENT_IMAGES))
        found = [self.teacher.features(self.data.val.images(some)) for some in places.split(BATCH)]
        features = torch.cat(found).float()
        stds = features.std(dim=0)
        return features.mean(dim=0), stds.clamp(min=float(LEAST_STD * stds.median()))
