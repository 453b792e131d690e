"""What a method's results depend on, as a short digest: models, step times and the predictor."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from nasoa.online.collecting.starter import PAPER_STATE, STATE
from nasoa.online.predictor.prior import CONSTANTS
from nasoa.records import to_json
from nasoa.zoo.entries import WEIGHTS_FOLDER, packaged_cards
from nasoa.zoo.step_times import reference_rows


def state_of(models: Iterable[str], *, predicts: bool) -> str:
    """Return a digest that changes with any of these models, or with the predictor.

    Args:
        models: the models that a method may use.
        predicts: whether it uses the package's predictors.
    """
    parts = [_model(name) for name in sorted(models)]
    if predicts:
        parts.append(_predictors())
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


@cache
def _model(name: str) -> bytes:
    """Return a digest of a model's card, weights and step times."""
    card = packaged_cards()[name]
    rows = [row for row in reference_rows() if row.model == name]
    found = hashlib.sha256(to_json(card.entry) + to_json(rows))
    weights = WEIGHTS_FOLDER / f"{name}.safetensors"
    if weights.exists():
        found.update(weights.read_bytes())
    elif card.weights_package:
        found.update(f"{card.weights_package} {_version(card.weights_package)}".encode())
    return found.digest()


@cache
def _predictors() -> bytes:
    files = (STATE, PAPER_STATE, CONSTANTS)
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).digest()


def _version(package: str) -> str:
    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return "not installed"
