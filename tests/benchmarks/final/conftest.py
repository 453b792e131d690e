"""A few digits as a data set of the harness."""

from __future__ import annotations

import pytest

from benchmarks.final.space import SearchSpace
from benchmarks.final.subject import Subject

DIGITS = "sklearn:digits:classes=0,1,2:per_class=30"
MODELS = ("ET-NAS-A", "ET-NAS-B", "mobilenet_v3_small")
LIMIT_S = 1.2


@pytest.fixture(scope="session")
def digits() -> str:
    return DIGITS


@pytest.fixture(scope="session")
def subject() -> Subject:
    return Subject(DIGITS, 0)


@pytest.fixture(scope="session")
def space(subject: Subject) -> SearchSpace:
    """Three models in a limit that some configurations do not fit."""
    return SearchSpace(subject, MODELS, LIMIT_S)
