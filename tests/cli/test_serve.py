"""`nasoa serve`: the socket is bound before the server starts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from nasoa.cli.main import main
from tests.random_model import random_model

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    files, _card = random_model(("a", "b"), resolution=32)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Replace the server's loop; the list gets copies of the sockets that it would serve."""
    found: list[socket.socket] = []

    def run(_server: Any, sockets: list[socket.socket]) -> None:
        found.extend(one.dup() for one in sockets)

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["serve", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "serving" not in captured.err
    return captured.err


def test_the_port_that_was_bound_is_printed(
    model_dir: str, served: list[socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", model_dir, "--port", "0"]) == 0
    (listener,) = served
    with listener:
        port = listener.getsockname()[1]
        assert port > 0
        assert capsys.readouterr().err == f"serving {model_dir} on http://127.0.0.1:{port}\n"
        # It listens already: whoever reads the line can connect.
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_busy_port_is_refused_before_the_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        told = refused(capsys, str(tmp_path / "nowhere"), "--port", port)
    assert f"expected a free port of an address of this machine, got {port} of 127.0.0.1" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "99999"),
        ("--port=-1",),
        ("--port", "0", "--host", "192.0.2.250"),
        ("--port", "0", "--host", "x..y"),
    ],
)
def test_an_address_that_cannot_be_bound(
    model_dir: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a free port of an address of this machine" in refused(
        capsys, model_dir, *arguments
    )


def test_an_address_of_ipv6_is_printed_in_brackets(
    model_dir: str, served: list[socket.socket], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert main(["serve", model_dir, "--port", "0", "--host", "::1"]) == 0
    (listener,) = served
    with listener:
        assert f"http://[::1]:{listener.getsockname()[1]}\n" in capsys.readouterr().err
