"""Where the processes of a training listen. They are real ones, started as users start them."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import InvalidInput
from nasoa.training.torchrun import launch
from tests.all_cores import all_cores
from tests.s3_server import free_ports
from tests.training import listening

OURS = (sys.executable, "-m", "nasoa.training.torchrun")
TORCHS = (sys.executable, "-m", "torch.distributed.run")
# What a launcher or a cluster would set.
UNSET = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="listeners are read from /proc")


def started(command: Sequence[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    with all_cores():
        return subprocess.Popen(
            [*command, "-m", listening.__name__, str(folder)],
            env={**kept, "OMP_NUM_THREADS": "1", **environment},
            stderr=subprocess.PIPE,
            text=True,
        )


def answer_of(folder: Path, *processes: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """What the first process wrote, and what all said."""
    said = [process.communicate(timeout=200)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return json.loads((folder / "answer.json").read_text()), "".join(said)


@pytest.mark.slow
def test_on_one_machine_nothing_is_open_but_on_loopback(tmp_path: Path) -> None:
    """The agent's store of keys and gloo's own ports; whatever a cluster's environment names."""
    environment = {"PET_MASTER_ADDR": "elsewhere.example", "PET_NNODES": "1"}
    command = (*OURS, "--nproc-per-node=2")
    answer, said = answer_of(tmp_path, started(command, tmp_path, **environment))
    assert answer["total"] == 2
    assert len(answer["listeners"]) >= 3  # two processes, and the agent
    assert {host for host, _ in answer["listeners"]} == {"127.0.0.1"}
    assert answer["open"] == []
    assert "listens on every address" not in said


@pytest.mark.slow
def test_torchrun_itself_is_open_and_that_is_told(tmp_path: Path) -> None:
    """Gloo keeps to loopback all the same. It shows, too, that the test above can fail."""
    command = (*TORCHS, "--standalone", "--nproc-per-node=2")
    answer, said = answer_of(tmp_path, started(command, tmp_path))
    everywhere = {port for host, port in answer["listeners"] if host in ("0.0.0.0", "::")}
    assert {port for _, port in answer["open"]} == everywhere != set()
    assert {host for host, _ in answer["of_processes"]} == {"127.0.0.1"}
    assert "start it with python -m nasoa.training.torchrun" in said


@pytest.mark.slow
def test_without_torchrun_the_first_process_listens_on_loopback(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": str(port)}
    processes = [
        started(
            (sys.executable,),
            tmp_path,
            **shared,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            MASTER_ADDR=socket.gethostname(),
        )
        for rank in range(2)
    ]
    answer, _ = answer_of(tmp_path, *processes)
    assert ["127.0.0.1", port] in answer["listeners"]
    assert answer["open"] == []


@pytest.mark.slow
def test_several_machines_use_the_address_that_was_named(tmp_path: Path) -> None:
    """Two agents on one machine, as if on two; gloo's processes listen on its interface."""
    named = [a for a in listening.others() if not ipaddress.ip_address(a).is_loopback]
    if not named:
        pytest.skip("this machine has no address but loopback")
    (port,) = free_ports(1)
    command = (*OURS, "--nnodes=2", "--nproc-per-node=1", f"--master-addr={named[0]}")
    agents = [
        started((*command, f"--master-port={port}", f"--node-rank={rank}"), tmp_path)
        for rank in range(2)
    ]
    answer, said = answer_of(tmp_path, *agents)
    assert answer["total"] == 2
    assert [named[0], port] in answer["listeners"]
    assert {host for host, _ in answer["open"]} == {named[0]}
    assert not listening.is_open("127.0.0.1", port)
    assert "listens on every address" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nnodes=1:4",),
        ("--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"),
        ("--nnodes=2", "--rdzv-endpoint=127.0.0.1:29500"),
    ],
)
def test_another_rendezvous_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="expected a fixed number of nodes that meet at"):
        launch([*arguments, "-m", "nasoa"])


def test_a_mistake_is_one_line(tmp_path: Path) -> None:
    command = (*OURS, "--nnodes=2:3")
    process = started(command, tmp_path)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == 2
    assert said.startswith("error: expected a fixed number of nodes")
    assert len(said.splitlines()) == 1
