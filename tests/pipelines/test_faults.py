"""Each fault of a cluster is one line, with the exit code of who can fix it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.pipelines.authentication import Credentials, choose
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.connection import Connection, address
from tests.pipelines.conftest import Run
from tests.pipelines.http_server import Answer, Fault, answer, serving
from tests.pipelines.kfp_server import KfpServer

SECRET = "s3cr3t-canary-7741"
PAGE = b"<!doctype html><html><body>Welcome</body></html>"
RUN = ("--store", "s3://bucket/nasoa", "-p", "data=s3://bucket/photos")
LISTS = ("runs", "pipelines", "recurringRuns", "experiments", "pipeline_versions")
VERBS = [
    ("run", "finetune-task", *RUN),
    ("schedule", "finetune-task", "--cron", "0 0 3 * * *", *RUN),
    ("schedule", "finetune-task", "--pause"),
    ("status", "some-run"),
    ("list-runs",),
    ("cancel", "some-run"),
    ("upload", "finetune-task"),
]


def refused(run: Run, code: int, *arguments: str) -> str:
    """Return the line with which a verb ends."""
    result = run("pipeline", *arguments, "--json")
    assert result.code == code, result.err
    assert result.out == ""
    assert result.err.startswith("nasoa: ")
    assert result.err.count("\n") == 1
    assert SECRET not in result.err
    return result.err


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize(
    ("fault", "code", "expected"),
    [
        (answer(401, {"code": 16, "message": "no"}), 2, "requires authentication (401); use"),
        (answer(403, {"code": 7, "message": "not in team-a"}), 2, "403): not in team-a"),
        (answer(409, {"code": 6, "message": "it is there"}), 2, "409): it is there"),
        (answer(500, {"code": 13, "message": "on fire"}), 1, "failed (500): on fire"),
        (answer(503, {}), 1, "failed (503): it gives no reason"),
        (Answer(502, b"<html><body>Bad Gateway</body></html>", "text/html"), 1, "Bad Gateway"),
        (Answer(200, PAGE, "text/html"), 2, "got a web page; check --host"),
        (Answer(404, PAGE, "text/html"), 2, "Kubeflow Pipelines at"),
        (Answer(200, b'{"runs": [{'), 1, "expected JSON from KFP"),
        (Answer(200, b"[]"), 1, "expected JSON from KFP"),
        (Answer(200, b"\xff\xfe"), 1, "expected JSON from KFP"),
        (Answer(400, b"\xff\xfe"), 2, "refuses this (400)"),
        (Answer(302, b"", headers={"Location": "https://dex.test/auth?state=x"}), 2,
         "a redirect to https://dex.test/auth; check --host"),
    ],
)  # fmt: skip
def test_a_host_that_fails_at_once(
    run: Run, host: str, kfp: KfpServer, verb: tuple[str, ...], fault: Answer, code: int,
    expected: str,
) -> None:  # fmt: skip
    kfp.faults = [Fault(".", fault)]
    assert expected in refused(run, code, *verb, "--host", host)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (answer(401, {}), 2),
        (answer(403, {}), 2),
        (answer(404, {}), 2),
        (answer(409, {}), 2),
        (answer(500, {}), 1),
        (Answer(200, b"nonsense"), 1),
        (Answer(200, PAGE), 2),
        (answer(200, {"created_at": "soon", **dict.fromkeys(LISTS, 5)}), 1),
        (answer(200, {"created_at": 5, **{key: [5] for key in LISTS}}), 1),
        (answer(200, {"run_id": "", **{key: [[]] for key in LISTS}}), 1),
    ],
)
def test_a_host_that_fails_after_it_said_it_is_well(
    run: Run, host: str, kfp: KfpServer, verb: tuple[str, ...], fault: Answer, code: int
) -> None:
    kfp.faults = [Fault("/apis/v2beta1/(?!healthz)", fault)]
    refused(run, code, *verb, "--host", host)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_silent_host_is_given_up(
    run: Run, host: str, kfp: KfpServer, verb: tuple[str, ...]
) -> None:
    kfp.faults = [Fault("healthz", delay_s=0.3)]
    line = refused(run, 1, *verb, "--host", host, "--request-timeout", "50ms")
    assert "did not answer within 0.05 s; try again" in line


def test_a_host_that_recovers_is_waited_for(run: Run, host: str, kfp: KfpServer) -> None:
    kfp.faults = [
        Fault("healthz", answer(503, {}), times=2),
        Fault("GET .*runs", answer(500, {}), 3),
    ]
    assert run("pipeline", "list-runs", "--host", host).code == 0
    assert len([r for r in kfp.requests if r.path.endswith("healthz")]) == 3


def test_a_refusal_is_not_tried_again(run: Run, host: str, kfp: KfpServer) -> None:
    kfp.faults = [Fault(".", answer(403, {}))]
    refused(run, 2, "list-runs", "--host", host)
    assert len(kfp.requests) == 1


def test_a_certificate_nobody_knows(run: Run, kfp: KfpServer, certificate: tuple[str, str]) -> None:
    with serving(kfp, tls=certificate) as host:
        line = refused(run, 2, "list-runs", "--host", host)
        assert "is not trusted" in line
        assert "self-signed" in line or "self signed" in line
        assert "--ca-file" in line
        trusted = ("pipeline", "list-runs", "--host", host, "--ca-file", certificate[0])
        assert run(*trusted).code == 0
        line = refused(run, 2, "list-runs", "--host", host, "--ca-file", "nowhere.pem")
        assert "--ca-file, got 'nowhere.pem'" in line
        plain = host.replace("https", "http")
        refused(run, 1, "list-runs", "--host", plain)


def test_tls_to_a_host_without(run: Run, host: str) -> None:
    line = refused(run, 2, "list-runs", "--host", host.replace("http", "https"))
    assert "is not trusted" in line


def test_nothing_listens(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = refused(run, 2, "list-runs", "--host", f"http://127.0.0.1:{port}")
    assert "nothing listens at" in line
    line = refused(run, 2, "list-runs", "--host", "http://no-such-machine.invalid")
    assert "cannot be resolved" in line


@pytest.mark.parametrize("version", ["1.8.22", "0.5.1"])
def test_an_old_kfp_is_named(run: Run, host: str, kfp: KfpServer, version: str) -> None:
    missing = answer(404, {"code": 5, "message": "Not Found"})
    kfp.faults = [
        Fault("v1beta1/healthz", answer(200, {"tag_name": version, "multi_user": False})),
        Fault("v2beta1", missing),
    ]
    line = refused(run, 2, "list-runs", "--host", host)
    assert f"expected Kubeflow Pipelines 2 at {host}, got version {version}; upgrade it" in line


def test_something_else_with_an_api(run: Run, host: str, kfp: KfpServer) -> None:
    kfp.faults = [Fault(".", answer(404, {"message": "Not Found"}))]
    line = refused(run, 2, "list-runs", "--host", host)
    assert "expected the API of Kubeflow Pipelines" in line
    kfp.faults = [Fault(".", answer(200, {"status": "ok"}))]
    line = refused(run, 2, "list-runs", "--host", host)
    assert "got the JSON of another service" in line


def test_the_user_interface_before_the_api(run: Run, host: str, kfp: KfpServer) -> None:
    seen = {"apiServerTagName": "2.17.0", "apiServerMultiUser": True, "frontendTagName": "2.17.0"}
    kfp.faults = [Fault("healthz", answer(200, seen))]
    assert "name your namespace" in refused(run, 2, "list-runs", "--host", host)


def test_a_token_that_expires_while_waiting(run: Run, host: str, kfp: KfpServer) -> None:
    kfp.faults = [Fault("GET /apis/v2beta1/runs/", answer(401, {}))]
    result = run("pipeline", "run", "finetune-task", *RUN, "--host", host, "--wait")
    assert result.code == 2
    (run_id,) = kfp.runs
    assert result.err.splitlines()[-1].endswith(f"; the run {run_id} continues")


def test_a_run_that_is_not_there(run: Run, host: str) -> None:
    for verb in ("status", "cancel"):
        for run_id in ("unknown", "../healthz", "a b/ü"):
            line = refused(run, 2, verb, run_id, "--host", host)
            assert f"no run {run_id!r} at {host}" in line
        refused(run, 2, verb, "", "--host", host)


@pytest.mark.parametrize("what", ["--pause", "--resume", "--remove"])
def test_a_schedule_that_is_not_there(run: Run, host: str, what: str) -> None:
    line = refused(run, 2, "schedule", "finetune-task", "--host", host, what)
    assert "no recurring run 'finetune-task'" in line


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("schedule", "finetune-task", "--cron", "nonsense", *RUN), "expected five fields"),
        (("schedule", "finetune-task", "--cron", "0 0 30 2 *", *RUN), "never fires"),
        (("schedule", "finetune-task"), "expected --cron EXPR, --pause"),
        (("schedule", "finetune-task", "--pause", "-p", "seed=1"), "expected --cron EXPR with -p"),
        (("schedule", "finetune-task", "--pause", "--resume"), "not allowed with"),
        (("schedule", "finetune-task", "--cron", "@daily", "--remove"), "got both"),
        (("run", "finetunetask"), "did you mean finetune_task"),
        (("run", "finetune-task", *RUN, "-p", "tempo=3"), "unknown parameter 'tempo'"),
        (("run", "finetune-task", *RUN, "-p", "seed=x"), "expected a number"),
        (("run", "finetune-task", "--store", "s3://b"), "expected the parameter 'data'"),
        (("run", "finetune-task", *RUN, "-p", "seed"), "expected a parameter like"),
        (("run", "finetune-task", "-p", "data=x"), "a store that the pods can reach"),
        (("run", "finetune-task", *RUN, "--local"), "got both"),
        (("run", "finetune-task", *RUN, "--wait", "--wait-limit", "soon"), "got 'soon'"),
        (("upload", "finetunetask"), "did you mean"),
        (("list-runs", "--limit", "0"), "at least 1"),
        (("list-runs", "--request-timeout=-1s"), "above zero"),
    ],
)
def test_mistakes_are_told_before_the_cluster_is_asked(
    run: Run, host: str, kfp: KfpServer, arguments: tuple[str, ...], expected: str
) -> None:
    assert expected in refused(run, 2, *arguments, f"--host={host}")
    assert kfp.requests == []


def test_a_host_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert "give --host URL or set NASOA_KFP_HOST" in refused(run, 2, "list-runs")
    monkeypatch.setenv("NASOA_KFP_HOST", host)
    assert run("pipeline", "list-runs").code == 0


@pytest.mark.parametrize(
    "text",
    ["", "kubeflow", "ftp://host", "http://", "https://host:port", "https://host:99999",
     f"https://me:{SECRET}@host", "https://host/?a=b", "http://[::1"],
)  # fmt: skip
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        address(text)
    assert SECRET not in str(caught.value)


def test_a_host_as_the_browser_shows_it() -> None:
    assert address("https://k.test/pipeline/#/runs") == "https://k.test/pipeline"
    assert address(" http://127.0.0.1:8080/ ") == "http://127.0.0.1:8080"


# Authentication


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (("--token", SECRET), {}),
        ((), {"NASOA_KFP_TOKEN": SECRET}),
        (("--token-file", "token"), {}),
        ((), {"NASOA_KFP_TOKEN_FILE": "token"}),
        (("--in-cluster",), {"KF_PIPELINES_SA_TOKEN_PATH": "token"}),
        (("--token", SECRET), {"NASOA_KFP_COOKIE": "a=b"}),
    ],
)
def test_a_token_opens(
    run: Run, host: str, kfp: KfpServer, flags: tuple[str, ...], variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    Path("token").write_text(SECRET + "\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    kfp.token = SECRET
    listing = ("pipeline", "list-runs", "--host", host, *flags, "--verbose")
    result = run(*listing)
    assert result.code == 0
    assert SECRET not in result.out + result.err
    kfp.token = "another"
    assert "it is wrong or expired" in refused(run, 2, "list-runs", "--host", host, *flags)


@pytest.mark.parametrize("by_flag", [True, False])
def test_a_cookie_opens(
    run: Run, host: str, kfp: KfpServer, by_flag: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kfp.cookie = f"authservice_session={SECRET}"
    flags = ("--cookie", kfp.cookie) if by_flag else ()
    if not by_flag:
        monkeypatch.setenv("NASOA_KFP_COOKIE", kfp.cookie)
    assert run("pipeline", "list-runs", "--host", host, *flags).code == 0
    kfp.cookie = "authservice_session=new"
    refused(run, 2, "list-runs", "--host", host, *flags)


def test_a_token_that_is_renewed_is_read_anew(run: Run, host: str, kfp: KfpServer) -> None:
    Path("token").write_text("old")
    kfp.token = "old"
    cluster = Cluster(Connection(host=host, credentials=choose(token_file="token", environment={})))
    Path("token").write_text("new")
    kfp.token = "new"
    assert cluster.list_runs(limit=1) == []


@pytest.mark.parametrize(
    "secret", ["", f"{SECRET}\nX: y", f" {SECRET}", f"{SECRET} b", "schlüssel"]
)
def test_what_is_no_token(run: Run, secret: str) -> None:
    line = refused(run, 2, "list-runs", "--host", "http://127.0.0.1:9", f"--token={secret}")
    assert "expected --token to hold a token" in line
    Path("token").write_text(secret.strip().replace(" ", "\n"))
    if secret != f" {SECRET}":
        refused(run, 2, "list-runs", "--host", "http://127.0.0.1:9", "--token-file", "token")


def test_ways_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    there = ("list-runs", "--host", "http://127.0.0.1:9")
    line = refused(run, 2, *there, "--token", SECRET, "--cookie", f"a={SECRET}")
    assert "expected one way to authenticate, got --token and --cookie" in line
    assert "expected a token in the file nowhere" in refused(run, 2, *there, "--token-file=nowhere")
    assert "to hold a cookie like" in refused(run, 2, *there, "--cookie", SECRET)
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", "nowhere")
    assert "audience pipelines.kubeflow.org" in refused(run, 2, *there, "--in-cluster")


def test_secrets_stay_out_of_the_repr() -> None:
    shown = repr((Credentials(token=SECRET), Credentials(cookie=SECRET)))
    assert SECRET not in shown
