"""Stores of each kind."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest


@pytest.fixture(params=["local", "s3"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "local":
        return str(tmp_path / "store")
    request.getfixturevalue("s3_environment")
    return f"s3://nasoa/{uuid.uuid4().hex}"
