"""The HTTP interface of a saved model, by requests like those of its clients."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nasoa.cli.main import main
from nasoa.online.tuning.saved_model import to_files
from nasoa.steps.classifying import predict
from nasoa.steps.export_model import export_model
from tests.online.tuning.test_exported_model import saved

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from nasoa.serving import app as serving
from nasoa.serving.app import MOST_IMAGES, make_app

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    for name, content in to_files(*saved(mirror_safe=True)).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    paths = []
    for number in range(3):
        paths.append(folder / f"{number}.png")
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def client(model_dir: Path) -> Iterator[TestClient]:
    with TestClient(make_app(str(model_dir), "shapes")) as found:
        yield found


def expected(model_dir: Path, images: list[Path]) -> list[dict[str, float]]:
    batches = predict(str(model_dir), map(str, images))
    return [answer.probabilities for batch in batches for answer in batch]


def test_it_tells_what_it_is(client: TestClient) -> None:
    assert client.get("/").json()["class_names"] == ["a", "b", "c"]
    assert client.get("/healthz").json() == {"status": "ready"}
    assert client.get("/v1/models").json() == {"models": ["shapes"]}
    assert client.get("/v1/models/shapes").json() == {"name": "shapes", "ready": True}
    assert client.get("/v1/models/other").status_code == 404


def test_files_are_classified_as_predict_does(
    client: TestClient, model_dir: Path, images: list[Path]
) -> None:
    files = [("images", (path.name, path.read_bytes())) for path in images]
    files.append(("images", ("notes.txt", b"not an image")))
    found = client.post("/predict", files=files).json()
    assert [answer["image"] for answer in found] == ["0.png", "1.png", "2.png", "notes.txt"]
    for answer, probabilities in zip(found, expected(model_dir, images), strict=False):
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-5)
        assert answer["class_name"] == max(probabilities, key=probabilities.__getitem__)
    assert "nasoa-serve" not in found[3]["error"]
    assert set(found[3]) == {"image", "error"}


def test_kserve_s_protocol(client: TestClient, model_dir: Path, images: list[Path]) -> None:
    body = {"instances": [{"b64": base64.b64encode(p.read_bytes()).decode()} for p in images]}
    found = client.post("/v1/models/shapes:predict", json=body).json()["predictions"]
    for answer, probabilities in zip(found, expected(model_dir, images), strict=True):
        assert answer["probabilities"] == pytest.approx(probabilities, abs=1e-5)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("shapes", {"instances": []}, 422),
        ("shapes", {"images": []}, 422),
        ("shapes", {"instances": [{"b64": "no base64!"}]}, 400),
        ("other", {"instances": [{"b64": ""}]}, 404),
        ("shapes", {"instances": [{"b64": ""}] * (MOST_IMAGES + 1)}, 413),
    ],
)
def test_a_bad_request_is_answered_and_not_fatal(
    client: TestClient, path: str, body: dict[str, object], status: int
) -> None:
    assert client.post(f"/v1/models/{path}:predict", json=body).status_code == status
    assert client.get("/healthz").status_code == 200


def test_a_request_is_not_read_beyond_its_limit(
    client: TestClient, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many files that are small enough each, and a body whose length nothing states."""
    content = images[0].read_bytes()
    monkeypatch.setattr(serving, "MOST_REQUEST_BYTES", 10 * len(content))
    files = [("images", (f"{i}.png", content)) for i in range(12)]
    assert client.post("/predict", files=files).status_code == 413
    assert client.post("/predict", files=files[:8]).status_code == 200

    def endless() -> Iterator[bytes]:
        yield b'{"instances": ["'
        for _ in range(1000):
            yield b"a" * len(content)

    path = "/v1/models/shapes:predict"
    answer = client.post(path, content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "send fewer images" in answer.text
    assert client.get("/healthz").status_code == 200


@pytest.mark.slow
def test_the_command_serves(model_dir: Path, images: list[Path]) -> None:
    command = [sys.executable, "-m", "nasoa", "serve", str(model_dir), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()  # the address, once connections are accepted
        assert line.startswith(f"serving {model_dir} on http://127.0.0.1:")
        url = line.rpartition(" ")[2].strip()
        body = json.dumps(
            {"instances": [{"b64": base64.b64encode(images[0].read_bytes()).decode()}]}
        )
        answer = _ask(f"{url}/v1/models/model:predict", body.encode())
        (probabilities,) = expected(model_dir, images[:1])
        assert answer["predictions"][0]["probabilities"] == pytest.approx(probabilities, abs=1e-5)
    finally:
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 143


def _ask(url: str, body: bytes) -> dict[str, list[dict[str, dict[str, float]]]]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    for _ in range(300):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())  # type: ignore[no-any-return]
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")


def test_export_writes_a_file_that_was_checked(
    model_dir: Path, images: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.pt"
    command = ["export", str(model_dir), "--format", "torchscript", "-o", str(out), "--json"]
    assert main([*command, "--check", str(images[0].parent)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert out.stat().st_size == document["num_bytes"]
    assert document["checked"] == 3
    assert document["largest_difference"] < 1e-4
    assert main(["export", str(tmp_path), "--format", "torchscript"]) == 2
    assert "expected a folder with a saved model" in capsys.readouterr().err


def test_an_export_that_answers_otherwise_is_not_written(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nasoa.errors import NasoaError
    from nasoa.steps import export_model as module

    monkeypatch.setattr(module, "run_exported", lambda *_: np.zeros((8, 3), dtype=np.float32))
    with pytest.raises(NasoaError, match="nothing was written"):
        export_model(str(model_dir), "torchscript", str(tmp_path / "m.pt"))
    assert not list(tmp_path.iterdir())
