"""Files with torchvision's weights come from the cache or a server, with the right hash only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from torchvision.models import MobileNet_V3_Small_Weights

from nasoa.errors import WeightsError
from nasoa.work_progress import progress_to
from nasoa.zoo import download
from nasoa.zoo.torchvision_models import weights_file

MODEL = "mobilenet_v3_small"
CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()[:8]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the empty folder where torchvision stores weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "torch" / "hub" / "checkpoints"


def published(folder: Path, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve the model's weights from a file whose name claims this hash prefix."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{MODEL}-{prefix}.pth"
    file.write_bytes(CONTENT)
    monkeypatch.setattr(MobileNet_V3_Small_Weights.DEFAULT.value, "url", file.as_uri())
    return file


def test_a_file_is_fetched_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = published(tmp_path / "server", DIGEST, monkeypatch)
    path = weights_file(MODEL, "")
    assert path == cache / source.name
    assert path.read_bytes() == CONTENT
    source.unlink()
    assert weights_file(MODEL, "") == path


def test_what_has_arrived_is_reported(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path / "server", DIGEST, monkeypatch)
    monkeypatch.setattr(download, "CHUNK_BYTES", 3)
    monkeypatch.setattr(download, "MB", 1)
    heard: list[tuple[str, int, int]] = []
    with progress_to(lambda *told: heard.append(told)):
        weights_file(MODEL, "")
    assert heard == [("MB of weights", done, len(CONTENT)) for done in (3, 6, 7)]


def test_what_a_server_gives_is_checked(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path / "server", "0badf00d", monkeypatch)
    with pytest.raises(WeightsError, match=f'expected "0badf00d", got "{DIGEST}'):
        weights_file(MODEL, "")
    assert list(cache.iterdir()) == []


def test_what_is_in_the_cache_is_checked(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = published(tmp_path / "server", DIGEST, monkeypatch)
    damaged = cache / source.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError) as refused:
        weights_file(MODEL, "")
    line = str(refused.value)
    assert f"{damaged} is damaged or a different file: expected a SHA-256 that begins with " in line
    assert f"{DIGEST}, got {hashlib.sha256(CONTENT[:-1]).hexdigest()[:8]}; delete it" in line
    assert damaged.exists()
    damaged.unlink()
    assert weights_file(MODEL, "").read_bytes() == CONTENT
