"""The InferenceService names the image, keys and store that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import nasoa
from nasoa.cli.main import build_parser
from nasoa.store import keys
from scripts.store_secrets import IDENTITIES, Namespaces, new_keys, store_secrets

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY")


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    path = ROOT / "examples" / "serving" / "inference-service.yaml"
    (found,) = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["predictor"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Where the store is, as pods of the overlays with a store inside have it."""
    path = ROOT / "manifests" / "base" / "runs" / "settings.yaml"
    found: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
    return found


def test_the_image_is_that_of_make_image(container: dict[str, Any]) -> None:
    """What `docker tag nasoa:VERSION` puts behind a registry's name; it has what serving takes."""
    _, _, name = container["image"].rpartition("/")
    assert name == f"nasoa:{nasoa.__version__}"
    locked = (ROOT / "constraints" / "cpu.txt").read_text(encoding="utf-8")
    for package in ("fastapi", "pydantic", "python-multipart", "uvicorn"):
        assert f"\n{package}==" in locked


def test_the_command_is_one_and_its_model_is_in_the_store(
    container: dict[str, Any], settings: dict[str, str]
) -> None:
    program, *words = [*container["command"], *container["args"]]
    assert program == "nasoa"
    arguments = build_parser().parse_args(words)
    task_id = arguments.model_dir.rpartition("/")[2]
    assert arguments.model_dir == f"{settings['NASOA_STORE']}/{keys.model(task_id)}"
    assert container["ports"][0]["containerPort"] == arguments.port
    assert container["readinessProbe"]["httpGet"]["port"] == arguments.port


def test_its_keys_are_made_and_the_store_s_address_is_that_of_pods(
    container: dict[str, Any], settings: dict[str, str]
) -> None:
    variables = {variable["name"]: variable for variable in container["env"]}
    assert variables["NASOA_S3_ENDPOINT"]["value"] == settings["NASOA_S3_ENDPOINT"]
    names = [line.split()[0] for line in IDENTITIES.read_text(encoding="utf-8").splitlines()]
    pairs = {name: new_keys() for name in names}
    made = {
        (secret["metadata"]["namespace"], secret["metadata"]["name"]): set(secret["stringData"])
        for secret in store_secrets(
            pairs, new_keys(), "http://s3", Namespaces("tasks", "search", "store")
        )
    }
    for name in KEYS:
        reference = variables[name]["valueFrom"]["secretKeyRef"]
        assert reference["key"] in made["tasks", reference["name"]]
