"""What docs/cluster.md says that commands print is what they print, where no cluster is needed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.cli import main
from nasoa.pipelines import transport
from nasoa.pipelines.pod_settings import STORE_VARIABLES
from nasoa.steps import searches
from tests.docs.printed import block, difference, told
from tests.pipelines.conftest import Result
from tests.pipelines.http_server import serving
from tests.pipelines.kfp_server import KfpServer
from tests.pipelines.kubernetes_server import KubernetesServer, kubeconfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")
STORE = ("--store", "s3://nasoa")


def typed(beginning: str) -> list[str]:
    """The arguments of the first command line of the page that begins so."""
    (line,) = re.findall(rf"(?m)^ {{4,}}({re.escape(beginning)}.*)$", PAGE)[:1]
    return shlex.split(line)[1:]


@pytest.fixture
def here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transport.Patience, "wait", lambda self, seconds: None)
    for name in ("HOST", "TOKEN", "TOKEN_FILE", "COOKIE", "NAMESPACE"):
        monkeypatch.delenv(f"NASOA_KFP_{name}", raising=False)

    def run(*arguments: str) -> Result:
        code = main(list(arguments))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.mark.slow
def test_compile_and_lint(here: Any) -> None:
    compiling, linting = "nasoa pipeline compile --all", "nasoa pipeline lint"
    result = here(*typed(compiling))
    assert difference(told(PAGE, compiling), result.out) == ""
    result = here(*typed(linting))
    assert (result.code, difference(told(PAGE, linting), result.out)) == (0, "")


def test_upload(here: Any) -> None:
    with serving(KfpServer()) as host:
        at = ("--host", host)
        uploading = "nasoa pipeline upload finetune-task"
        result = here(*typed(uploading), *at)
        assert difference(told(PAGE, uploading), result.out) == ""


def test_what_publishing_prints(here: Any) -> None:
    """As the job's log has it, a line for each of the file's commands."""
    lines = told(PAGE, "kubectl -n nasoa-search logs job/publish-pipelines").splitlines()
    with serving(KfpServer()) as host:
        at = ("--host", host, *STORE)
        made = here("pipeline", "upload", "build-zoo", *at)
        (scheduling,) = re.findall(
            r"(?m)^ {4}(nasoa pipeline schedule .* --as blocks -p .*search=blocks)$", PAGE
        )
        scheduled = here(*shlex.split(scheduling)[1:], *at)
    assert difference(lines[0], made.out) == ""
    assert difference(lines[1], scheduled.out) == ""


def test_runs_are_listed(here: Any) -> None:
    kfp = KfpServer()
    with serving(kfp) as host:
        started = here(
            "pipeline", "run", "finetune-task", "--host", host, *STORE, "-p", "data=s3://b/d"
        )
        assert started.code == 0, started.err
        (run_id,) = kfp.runs
        kfp.advance(run_id, "SUCCEEDED")
        listed = here("pipeline", "list-runs", "--host", host)
    assert difference(block(PAGE, "run                                   state"), listed.out) == ""


def test_reconcile(here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search has ended, and its schedule is paused."""
    monkeypatch.setattr("nasoa.pipelines.ended_searches.reason_of_end", lambda *_: "used up")
    store = str(tmp_path / "store")
    config = searches.configure(store, space="block", data="s3://b/p", num_children=1)
    searches.open_search(store, "blocks", config)
    with serving(KfpServer()) as host:
        given = ("-p", "data=s3://b/p", "-p", f"store={store}", "-p", "search=blocks")
        result = here(
            "pipeline", "schedule", "search-generation", "--as", "blocks", "--host", host,
            "--cron", "0 * * * *", *given,
        )  # fmt: skip
        assert result.code == 0, result.err
        result = here("pipeline", "reconcile", "--host", host, "--store", store)
    assert difference(told(PAGE, "nasoa pipeline reconcile"), result.out) == ""


def test_the_doctor(here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = KubernetesServer()
    name = "nasoa-s3-compute-meta-features"
    kubernetes.secrets = {name: dict.fromkeys(STORE_VARIABLES, "x")}
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with serving(kubernetes) as address, serving(KfpServer()) as host:
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig(address, "token")))
        monkeypatch.setenv("KUBECONFIG", str(path))
        result = here(
            "doctor", "--cluster", "--pipeline", "finetune-task", "--host", host,
            "--store", str(tmp_path),
        )  # fmt: skip
    assert difference(block(PAGE, "what                                   state"), result.out) == ""


@pytest.mark.parametrize(
    ("said", "printed", "same"),
    [
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("Wrote x\n...", "Wrote y\n", False),
        ("blocks (5b0c...) created", "blocks (1c4f6c52-7a52-4c0e-9a35-6a2d3c1f0b9e) created", True),
        ("x 0.1.0-6f0a4c1d2b3e made", "x 0.2.0-6f0a4c1d2b3e made", False),
    ],
)
def test_the_comparison(said: str, printed: str, same: bool) -> None:
    assert (difference(said, printed) == "") == same
