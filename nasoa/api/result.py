"""Result of a fine-tune in Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasoa.api.notebook import framed
from nasoa.report.task_page import task_page
from nasoa.report.words import whole_regime

if TYPE_CHECKING:
    import os

    from nasoa.api.model import Model
    from nasoa.records import (
        Candidate,
        CurvePoint,
        EnergyUse,
        Experience,
        Regime,
        TaskResult,
    )
    from nasoa.steps.classifying import Answer

FRAME_HEIGHT = 640


@dataclass(frozen=True)
class Predictions:
    """Predictions of the test within the time limit, on images that nothing else was used for.

    If time was too short for all test images, they are for a random part of them. `accuracy` and
    `confusion` of the result are counted from the same predictions.

    `labels` and `predicted` are `(n,)` class indices, `probabilities` is `(n, num_classes)`;
    `class_names[k]` is the name of class k.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    class_names: tuple[str, ...]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Most likely class index of each image, `(n,)`."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class FineTuneResult:
    """A finished fine-tune.

    Args:
        summary: the result that the command line prints.
        experience: the record of the fine-tune in the store.
        candidates: the candidates ranked best, the chosen one first.
        model: the saved model.
        predictions: predictions for the test images that were tested.
    """

    summary: TaskResult
    experience: Experience
    candidates: tuple[Candidate, ...]
    model: Model
    predictions: Predictions

    @property
    def accuracy(self) -> float:
        """Test accuracy in [0, 1]."""
        return self.summary.accuracy

    @property
    def regime(self) -> Regime:
        """The regime that was used: model, learning rate, frozen stages, iterations and so on."""
        return self.summary.regime

    @property
    def energy(self) -> EnergyUse | None:
        """Energy and carbon dioxide of the task, estimated as docs/energy.md explains."""
        return self.summary.energy

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Validation accuracies measured during training."""
        return self.experience.curve

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix, `(k, k)`: test images of class i that were classified as j."""
        return np.array(self.experience.confusion, dtype=np.int64)

    @property
    def model_dir(self) -> str:
        """Folder or `s3://` prefix of the saved model."""
        return self.summary.model_dir

    def predict(
        self, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    ) -> list[Answer]:
        """Return the most likely class of each image; see `nasoa.api.model.Model.predict`."""
        return self.model.predict(images)

    def __repr__(self) -> str:
        did = whole_regime(self.regime)
        return (
            f"FineTuneResult(accuracy={self.accuracy:.3f}, model={self.summary.model!r}, "
            f"regime={did!r}, model_dir={self.model_dir!r})"
        )

    @cached_property
    def page(self) -> str:
        """Report of the task as one self-contained HTML page: curve, confusion and reasons."""
        return task_page(self.experience, self.candidates)

    def _repr_html_(self) -> str:
        return framed(self.page, "fine-tune", FRAME_HEIGHT)
