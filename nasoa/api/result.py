"""What a fine-tune gives back in Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nasoa.report.task_page import task_page
from nasoa.report.words import regime_words, trained_parts

if TYPE_CHECKING:
    import os

    from nasoa.api.model import Model
    from nasoa.records import Candidate, CurvePoint, Experience, Regime, TaskResult
    from nasoa.steps.classifying import Answer

FRAME_HEIGHT = 640


@dataclass(frozen=True)
class Predictions:
    """What a model says of the test images, which it has never seen.

    `labels` and `predicted` are `(n,)` class numbers, `probabilities` `(n, num_classes)`;
    `class_names[k]` is class k.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    class_names: tuple[str, ...]

    @property
    def predicted(self) -> NDArray[np.int64]:
        """`(n,)` the likeliest class of each."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class FineTuneResult:
    """A finished fine-tune.

    Args:
        summary: what the command line prints.
        experience: what was recorded.
        candidates: the regimes that were considered best, the one that was chosen first.
        model: the saved model.
        predictions: of the test images.
    """

    summary: TaskResult
    experience: Experience
    candidates: tuple[Candidate, ...]
    model: Model
    predictions: Predictions

    @property
    def accuracy(self) -> float:
        """On the test images, in [0, 1]."""
        return self.summary.accuracy

    @property
    def regime(self) -> Regime:
        """What was done: model, learning rate, frozen stages, iterations and the rest."""
        return self.summary.regime

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Validations on the way."""
        return self.experience.curve

    @property
    def confusion(self) -> NDArray[np.int64]:
        """`(k, k)`: test images of class i that were classified as j."""
        return np.array(self.experience.confusion, dtype=np.int64)

    @property
    def model_dir(self) -> str:
        """Where the model is saved."""
        return self.summary.model_dir

    def predict(
        self, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
    ) -> list[Answer]:
        """See `nasoa.api.model.Model.predict`."""
        return self.model.predict(images)

    def __repr__(self) -> str:
        did = f"{trained_parts(self.regime)}, {regime_words(self.regime)}"
        return (
            f"FineTuneResult(accuracy={self.accuracy:.3f}, model={self.summary.model!r}, "
            f"regime={did!r}, model_dir={self.model_dir!r})"
        )

    @cached_property
    def page(self) -> str:
        """The task as one self-contained HTML page: curve, confusion, and why."""
        return task_page(self.experience, self.candidates)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its style does not meet the notebook's."""
        return (
            f'<iframe srcdoc="{escape(self.page, quote=True)}" sandbox title="fine-tune" '
            f'style="width: 100%; height: {FRAME_HEIGHT}px; border: 0"></iframe>'
        )
