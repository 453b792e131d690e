"""Settings of the containers of steps; tests/e2e runs such containers."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest
from kfp import local

from nasoa.cli import main
from nasoa.errors import InvalidInput
from nasoa.pipelines.containers import (
    container_runner,
    container_settings,
    engine_environment,
    memory_limit,
    reachable,
)

GB = 1024**3


def test_local_paths_become_absolute_and_the_store_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos.zip").touch()
    given = {"data": "photos.zip", "store": "kept", "time_limit": "6s", "seed": 3, "clock": ""}
    assert reachable(given) == {
        **given,
        "data": str(tmp_path / "photos.zip"),
        "store": str(tmp_path / "kept"),
    }
    assert (tmp_path / "kept").is_dir()


def test_what_is_elsewhere_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"data": "sklearn:digits", "store": "s3://bucket/prefix", "missing": "no/such.zip"}
    given["settings"] = "{" + "too long for a file's name" * 100 + "}"
    given["cells"] = "~nobody-of-this-name/x"
    assert reachable(given) == given
    assert list(tmp_path.iterdir()) == []
    assert container_settings(given, docker, GB)["mounts"] == []


def test_data_is_mounted_read_only_and_a_local_store_is_not(tmp_path: Path) -> None:
    arguments = reachable({"data": str(tmp_path), "store": str(tmp_path / "kept"), "seed": 0})
    settings = container_settings(arguments, docker, GB)
    mounts = {mount["Target"]: mount["ReadOnly"] for mount in settings["mounts"]}
    assert mounts == {str(tmp_path): True, str(tmp_path / "kept"): False}
    # Files written to the folder must belong to the caller.
    assert settings["user"] == f"{os.getuid()}:{os.getgid()}"


def test_root_leaves_its_rights_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    settings = container_settings({"store": "s3://bucket"}, docker, GB)
    assert "user" not in settings  # so it is the image's user, which is not root
    assert settings["read_only"]
    assert settings["cap_drop"] == ["ALL"]


def test_memory_and_processes_are_limited_and_no_privilege_is_gained() -> None:
    """In words that KFP's runner and the engine's package take."""
    settings = container_settings({"store": "s3://bucket"}, docker, 3 * GB)
    runner = local.DockerRunner(**settings)
    assert runner.container_run_args["security_opt"] == ["no-new-privileges"]
    told = docker.models.containers._create_container_args(
        {"image": "nasoa", "command": [], "version": "1.41", **runner.container_run_args}
    )["host_config"]
    assert (told["Memory"], told["MemorySwap"], told["PidsLimit"]) == (3 * GB, 3 * GB, 4096)
    assert told["SecurityOpt"] == ["no-new-privileges"]
    assert (told["CapDrop"], told["ReadonlyRootfs"]) == (["ALL"], True)
    assert not told.get("Privileged")


@pytest.mark.parametrize(
    ("asked", "limit"), [(None, 8 * GB), ("", 8 * GB), ("2g", 2 * GB), ("512m", GB // 2)]
)
def test_a_container_leaves_memory_to_others(
    monkeypatch: pytest.MonkeyPatch, asked: str | None, limit: int
) -> None:
    monkeypatch.delenv("NASOA_CONTAINER_MEMORY", raising=False)
    if asked is not None:
        monkeypatch.setenv("NASOA_CONTAINER_MEMORY", asked)
    assert memory_limit(10 * GB, docker) == limit


@pytest.mark.parametrize("asked", ["much", "-1g", "1k", "0", "8 g b"])
def test_what_is_not_a_size_of_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("NASOA_CONTAINER_MEMORY", asked)
    with pytest.raises(InvalidInput, match="expected NASOA_CONTAINER_MEMORY to be a size"):
        memory_limit(10 * GB, docker)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="the cores of a process are chosen on Linux alone"
)
def test_a_caller_s_cores_are_those_of_its_containers(one_core: None) -> None:
    (core,) = os.sched_getaffinity(0)
    if os.cpu_count() == 1:
        pytest.skip("there is one core, so none is left out")
    assert container_settings({"store": "s3://bucket"}, docker, GB)["cpuset_cpus"] == str(core)


def test_only_what_the_store_needs_of_the_environment_goes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("UNRELATED_PASSWORD", "canary")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    environment = engine_environment()
    assert environment["AWS_ACCESS_KEY_ID"] == "key"
    assert environment.keys().isdisjoint({"UNRELATED_PASSWORD", "AWS_SESSION_TOKEN"})


def test_without_an_engine_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Port 1 refuses; a missing socket file would too, but docker leaks a socket over it.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(InvalidInput, match="start dockerd, or set DOCKER_HOST"):
        container_runner({"store": "s3://bucket"}, tmp_path / "outputs").__enter__()
    command = ["pipeline", "run", "finetune-task", "--runner", "docker", "-p", "data=x"]
    assert main([*command, "--store", str(tmp_path / "store")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
