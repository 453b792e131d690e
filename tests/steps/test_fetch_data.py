"""Data in a bucket are copied to the shared cache; later steps read the copy."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from nasoa.data import load_dataset
from nasoa.errors import InvalidInput
from nasoa.steps.fetch_data import fetch_data
from nasoa.steps.kfp_data import fetch_data as component
from nasoa.steps.sources import source_store
from nasoa.store import open_store
from tests.data.conftest import noise
from tests.data.test_data_cache import num_images


@pytest.fixture
def data(s3_environment: Any, tmp_path: Path) -> str:
    prefix = uuid.uuid4().hex
    store = open_store("s3://nasoa")
    for number in range(8):
        noise(number).save(tmp_path / "a.png")
        store.put(
            f"{prefix}/{'cat' if number % 2 else 'dog'}/{number}.png",
            (tmp_path / "a.png").read_bytes(),
        )
    return f"s3://nasoa/{prefix}"


def test_what_is_fetched_is_not_copied_again(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASOA_DATA_CACHE", str(tmp_path / "cache"))
    found = fetch_data([data, "sklearn:digits", str(tmp_path), data])
    assert list(found) == [data]
    assert sorted(path.name for path in Path(found[data]).iterdir()) == ["cat", "dog"]
    store = source_store(data)
    monkeypatch.setattr(type(store), "download", None)
    assert num_images(load_dataset(data, seed=0, source_store=store)) == 8


def test_as_a_component_calls_it(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASOA_DATA_CACHE", str(tmp_path / "cache"))
    summary = tmp_path / "summary.md"
    assert component(data, [], str(summary)) == 1
    assert data in summary.read_text()
    assert component("", ["sklearn:digits"], str(summary)) == 0
    assert summary.read_text() == "Nothing to copy.\n"


def test_without_a_cache_there_is_nowhere_to_copy_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASOA_DATA_CACHE", raising=False)
    with pytest.raises(InvalidInput, match="NASOA_DATA_CACHE"):
        fetch_data(["s3://nasoa/a"])
