"""Fixtures: a running KFP server and Kubernetes server, and command lines against them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nasoa.cli import main
from nasoa.pipelines import local, transport
from nasoa.store import open_store
from tests.pipelines.canary import LOUD, leaks
from tests.pipelines.http_server import serving
from tests.pipelines.kfp_server import KfpServer
from tests.pipelines.kubernetes_server import KubernetesServer, kubeconfig


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]

# A secret of a cluster, which must not appear in any output.
CANARY = "s3cr3t-canary-9913"


@pytest.fixture
def kfp() -> Iterator[KfpServer]:
    """Provide the server that tests change; afterwards, check that both sides followed the API."""
    server = KfpServer()
    yield server
    assert server.violations == []


@pytest.fixture
def host(kfp: KfpServer) -> Iterator[str]:
    with serving(kfp) as address:
        yield address


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder, without waiting between attempts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HOST", "TOKEN", "COOKIE", "TOKEN_FILE", "NAMESPACE", "CA_FILE"):
        monkeypatch.delenv(f"NASOA_KFP_{name}", raising=False)
    monkeypatch.setattr(transport.Patience, "wait", lambda self, seconds: None)

    def run_it(*arguments: str) -> Result:
        code = main(list(arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Result(code, captured.out, captured.err)

    return run_it


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesServer]:
    """Provide a cluster named by a kubeconfig, without faults except those of a test."""
    server = KubernetesServer()
    server.secrets = {"nasoa-s3": {"access": "id", "secret": CANARY}}
    with serving(server) as address:
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig(address, CANARY)))
        monkeypatch.setenv("KUBECONFIG", str(path))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield server


@dataclass(frozen=True)
class Watched:
    """A separate store on S3, and everything that runs with it write elsewhere."""

    store: str
    log: list[str]
    artifacts: Path


@pytest.fixture
def watched(
    s3_environment: Any, one_core: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watched]:
    """Run pipelines with verbose logs; afterwards, check that nothing they wrote has a secret."""
    token = "kfp-token-7c1e5a"
    monkeypatch.setenv("NASOA_KFP_TOKEN", token)
    loud = tmp_path / "loud"
    loud.mkdir()
    (loud / "sitecustomize.py").write_text(LOUD)
    paths = (str(loud), *filter(None, [os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    found = Watched(f"s3://nasoa/{tmp_path.name}", [], tmp_path / "artifacts")
    found.artifacts.mkdir()

    class KeptLog(local._Log):
        def write(self, text: str) -> int:
            found.log.append(text)
            return super().write(text)

    @contextmanager
    def kept() -> Iterator[Path]:
        yield Path(tempfile.mkdtemp(dir=found.artifacts))

    monkeypatch.setattr(local, "_Log", KeptLog)
    monkeypatch.setattr(local, "ScratchFolder", kept)
    yield found
    log = "".join(found.log)
    assert "DEBUG:" in log
    assert any(found.artifacts.rglob("executor_output.json"))
    secrets = (s3_environment.environment["AWS_SECRET_ACCESS_KEY"], token)
    assert leaks(secrets, log, [found.artifacts], [open_store(found.store)]) == []


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return files with a self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kfp.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")
