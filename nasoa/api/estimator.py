"""Fine-tuning as a scikit-learn classifier."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from nasoa.api.tasks import finetune
from nasoa.errors import InvalidInput


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Image classifier that fine-tunes the best network that a time limit allows.

    Args:
        time_limit: time limit of each `fit`, in seconds or as a duration like "60s".
        store: folder or `s3://bucket/prefix` of the store; see `nasoa.finetune`.
        seed: random seed for splits and training.
        progress: whether to show a progress bar; see `nasoa.finetune`.

    Attributes after `fit`: `result_` is the return value of `nasoa.finetune`; `classes_` are the
    labels in the order of the probabilities. Some of the images passed to `fit` are used for
    validation and others for testing.
    """

    def __init__(
        self,
        time_limit: str | float = "60s",
        store: str | os.PathLike[str] | None = None,
        seed: int = 0,
        progress: bool | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.store = store
        self.seed = seed
        self.progress = progress

    def fit(self, X: ArrayLike, y: ArrayLike) -> ImageClassifier:
        """Fine-tune on images and labels.

        Args:
            X: images as `nasoa.Model.probabilities` takes them; so do the other methods.
            y: `(n,)` labels.

        Raises:
            NasoaError: the images, the labels or the time limit cannot be used.
        """
        labels = np.asarray(y)
        if labels.ndim != 1:
            raise InvalidInput(f"expected (n,) labels, got {labels.shape}")
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        self.result_ = finetune(
            (X, numbers),
            self.time_limit,
            store=self.store,
            seed=self.seed,
            progress=self.progress,
        )
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return `(n, num_classes)` probabilities, in the order of `classes_`."""
        check_is_fitted(self, "result_")
        return self.result_.model.probabilities(X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most likely label of each image, `(n,)`."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
