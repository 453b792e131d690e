"""Compiled pipelines equal their goldens; `python -m tests.pipelines.golden` rewrites these."""

from __future__ import annotations

import pytest

from nasoa.pipelines import catalogue
from tests.pipelines.golden import FOLDER, golden, summary


@pytest.mark.parametrize("name", list(catalogue.PIPELINES))
def test_a_pipeline_is_its_golden(name: str) -> None:
    assert summary(name) == golden(name)


def test_each_golden_has_a_pipeline() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(catalogue.PIPELINES)
