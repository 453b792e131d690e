"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data sets and paper tables beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"the shared folder is not beside the checkout: {SHARED}")
    return SHARED
