"""Tenants of one S3 server: each can do its own work, and nothing with anybody else's."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from itertools import product
from urllib.parse import quote, unquote, urlsplit

import pytest
from minio.credentials import Credentials
from minio.signer import sign_v4_s3

from nasoa.cli import main
from nasoa.errors import StoreUnavailable
from nasoa.records import to_sealed_json
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.record_failure import record_failure
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.maintenance import care
from scripts.manifests.bundle import Bundle, key_of
from scripts.store_secrets import ACCESS_KEY, SECRET_KEY, new_keys
from scripts.tenant import Tenant, documents, tenant_of
from tests import steps_alone
from tests.manifests.cluster_store import ClusterStore, find
from tests.manifests.test_bucket_policies import ACTIONS, FOLDERS
from tests.manifests.test_component_rights import digits

# Two prefixes in one bucket, of which one begins like the other, and a bucket of its own.
ALICE, ALICEX, CAROL = (
    tenant_of("alice", ""),
    tenant_of("alicex", ""),
    tenant_of("carol", "s3://nasoa-carol"),
)
TENANTS = (ALICE, ALICEX, CAROL)
PERSON = "nasoa-s3"
OpenAs = Callable[[Tenant, str, Tenant], ArtifactStore]


def uri(tenant: Tenant) -> str:
    """Its store."""
    return f"s3://{tenant.bucket}/{tenant.prefix}".rstrip("/")


@dataclass
class Tenants:
    """The keys of each identity on a server that knows them."""

    server: ClusterStore
    keys: Mapping[str, Mapping[str, str]]

    def environment(self, tenant: Tenant, secret: str) -> dict[str, str]:
        """What a pod of the tenant has with a secret."""
        pair = self.keys[f"{tenant.name}_{secret}"]
        return {**pair, "NASOA_S3_ENDPOINT": self.server.endpoint}


@pytest.fixture(scope="module")
def tenants(cluster_store: ClusterStore) -> Iterator[Tenants]:
    """The server with the tenants, made by the bucket job from what the script prints."""
    made: dict[str, dict[str, str]] = {}
    for tenant in TENANTS:
        pairs = {identity: new_keys() for identity in tenant.identities()}
        made |= pairs
        config, secret, *_ = documents(tenant, pairs, cluster_store.endpoint, ("runs", "store"))
        for folder, values in (
            ("policies", config["data"]),
            ("identities", secret["stringData"]),
        ):
            for name, text in values.items():
                (cluster_store.folder / folder / name).write_text(text)
    done = cluster_store.create_bucket()
    assert done.returncode == 0, done.stderr
    assert not [pair for pair in made.values() if pair[SECRET_KEY] in done.stdout + done.stderr]
    yield Tenants(cluster_store, made)
    for tenant in TENANTS:
        for name in tenant.files():
            (cluster_store.folder / "policies" / name).unlink()


@pytest.fixture
def enter(tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> Callable[[Tenant, str], None]:
    """Work with the keys of a tenant from now on."""

    def entered(tenant: Tenant, secret: str) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in tenants.environment(tenant, secret).items():
            monkeypatch.setenv(name, value)

    return entered


@pytest.fixture
def open_as(enter: Callable[[Tenant, str], None]) -> OpenAs:
    """A tenant's store as an identity of perhaps another one sees it."""

    def opened(tenant: Tenant, secret: str, store_of: Tenant) -> ArtifactStore:
        enter(tenant, secret)
        return open_store(uri(store_of))

    return opened


@pytest.fixture
def administrator(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Tenant], ArtifactStore]]:
    """A tenant's store as the administrator sees it; emptied in the end."""

    def opened(tenant: Tenant) -> ArtifactStore:
        for name in (ACCESS_KEY, SECRET_KEY):
            monkeypatch.delenv(name, raising=False)
        for name, value in tenants.server.environment("admin").items():
            monkeypatch.setenv(name, value)
        return open_store(uri(tenant))

    yield opened
    for tenant in TENANTS:
        store = opened(tenant)
        for key in store.list():
            store.delete(key)


def begun_task(store: str, open_as: OpenAs, tenant: Tenant) -> str:
    """A task that was killed before it was fine-tuned."""
    data = f"{store}/data/digits.npz"
    open_as(tenant, "nasoa-s3-compute-meta-features", tenant)
    task = steps_alone.compute_meta_features(data, "1s", store, clock="steps")
    open_as(tenant, "nasoa-s3-predict-regime", tenant)
    recommendation = steps_alone.predict_regime(task, store)
    finetune = open_as(tenant, "nasoa-s3-finetune", tenant)
    finetune.put(keys.task(task.task_id), to_sealed_json(task))
    finetune.put(keys.recommendation(task.task_id), to_sealed_json(recommendation))
    return data


@pytest.mark.parametrize("tenant", [ALICE, CAROL], ids=["a prefix", "a bucket"])
def test_a_tenant_s_rights_are_enough_for_its_work(
    one_core: None,
    administrator: Callable[[Tenant], ArtifactStore],
    open_as: OpenAs,
    tenant: Tenant,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Data put by a person; steps of a task with the keys of each; `--resume`; upkeep, metrics."""
    open_as(tenant, "nasoa-s3-upload", tenant).put("data/digits.npz", digits(20))
    store = uri(tenant)
    data = begun_task(store, open_as, tenant)
    open_as(tenant, PERSON, tenant)
    arguments = ["finetune", data, "--time-limit", "1s", "--clock", "steps", "--store", store]
    assert main([*arguments, "--resume", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["predictor_version_after"] == 2
    assert result["model_dir"] == f"{store}/model/{result['task_id']}"
    open_as(tenant, "nasoa-s3-record-failure", tenant)
    record_failure(store, "run-1", "finetune-task", "digits", "FAILED", "no GPU")
    done = care(open_as(tenant, "nasoa-s3-compact-experience", tenant), 1)
    assert done.packed == 1
    served = open_as(tenant, "nasoa-s3-serve", tenant)
    assert served.get(f"{keys.model(result['task_id'])}/model.json")
    figures = StoreMetrics(open_as(tenant, "nasoa-s3-metrics", tenant)).text()
    assert "nasoa_tasks_finished_total 1\n" in figures
    assert "nasoa_runs_failed_total 1\n" in figures
    written = {key.split("/")[0] for key in administrator(tenant).list()}
    assert written == {"data", "experience", "failure", "model", "predictor", "task"}


@pytest.mark.parametrize(
    ("owner", "intruder"), [(ALICE, ALICEX), (ALICEX, ALICE), (ALICE, CAROL), (CAROL, ALICE)]
)
def test_nothing_of_another_tenant_s_is_read_listed_or_written(
    administrator: Callable[[Tenant], ArtifactStore],
    open_as: OpenAs,
    owner: Tenant,
    intruder: Tenant,
) -> None:
    admin = administrator(owner)
    names = [f"{folder}canary" for folder in FOLDERS]
    for name in names:
        admin.put(name, b"secret")
    store = open_as(intruder, PERSON, owner)
    attempts: list[Callable[[], object]] = [store.list, partial(store.list, "", after="data")]
    attempts += [partial(store.list, folder) for folder in FOLDERS]
    for name in names:
        attempts += [
            partial(store.get, name),
            partial(store.stat, name),
            partial(store.put, name, b"1"),
            partial(store.put_if_absent, f"{name}2", b"1"),
            partial(store.delete, name),
        ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable, match="refuses these credentials") as refused:
            attempt()
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)
    assert {name: administrator(owner).get(name) for name in names} == dict.fromkeys(
        names, b"secret"
    )
    assert sorted(administrator(owner).list()) == sorted(names)


@pytest.mark.parametrize(
    "command",
    [
        ["finetune", "DATA", "--time-limit", "1s", "--clock", "steps", "--resume"],
        ["finetune", "DATA", "--time-limit", "1s", "--clock", "steps"],
        ["finetune", "sklearn:digits", "--time-limit", "1s", "--clock", "steps"],
        ["recommend", "DATA", "--time-limit", "1s"],
        ["predict", "THEIRS/model/t", "x.png"],
        ["predictor", "show"],
        ["predictor", "rollback", "1"],
        ["zoo", "list"],
        ["store", "compact"],
        ["store", "metrics"],
    ],
    ids=" ".join,
)
def test_commands_on_another_tenant_s_store_end_in_one_line(
    administrator: Callable[[Tenant], ArtifactStore],
    open_as: OpenAs,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
) -> None:
    administrator(ALICE).put("data/digits.npz", digits(20))
    theirs = uri(ALICE)
    line = [
        word.replace("DATA", f"{theirs}/data/digits.npz").replace("THEIRS", theirs)
        for word in command
    ]
    open_as(ALICEX, PERSON, ALICE)
    assert main([*line, "--store", theirs]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "refuses these credentials for s3://nasoa-tenants" in captured.err


def test_nobody_goes_on_with_another_tenant_s_task(
    one_core: None,
    administrator: Callable[[Tenant], ArtifactStore],
    open_as: OpenAs,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither in their store nor, with their DATA, in one's own."""
    administrator(ALICE).put("data/digits.npz", digits(20))
    data = begun_task(uri(ALICE), open_as, ALICE)
    before = administrator(ALICE).list()
    arguments = ["finetune", data, "--time-limit", "1s", "--clock", "steps", "--resume"]
    for store, said in (
        (uri(ALICE), "refuses these credentials"),
        (uri(ALICEX), "expected an unfinished task"),
    ):
        open_as(ALICEX, PERSON, ALICE)
        assert main([*arguments, "--store", store]) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert said in captured.err
    assert administrator(ALICE).list() == before
    assert administrator(ALICEX).list() == []


def allowed(tenant: Tenant, secret: str) -> set[tuple[str, str]]:
    """What the policies' text lets an identity do: (action, key within the bucket)."""
    (_, attached) = tenant.identities()[f"{tenant.name}_{secret}"]
    policies = tenant.policies()
    found = set()
    for statement in (s for name in attached for s in policies[name]["Statement"]):
        for action, right in ACTIONS.items():
            if right in statement["Action"]:
                found |= {(action, resource) for resource in statement["Resource"]}
        if "s3:ListBucket" in statement["Action"]:
            patterns = statement["Condition"]["StringLike"]["s3:prefix"]
            found |= {("list", f"{statement['Resource'][0]}/{pattern}") for pattern in patterns}
    return found


@pytest.mark.parametrize("tenant", TENANTS, ids=lambda tenant: tenant.name)
def test_the_server_does_what_the_tenant_s_policies_say(
    administrator: Callable[[Tenant], ArtifactStore], open_as: OpenAs, tenant: Tenant
) -> None:
    """Each identity, under each prefix of its own store."""
    for identity, (secret, _) in tenant.identities().items():
        admin = administrator(tenant)
        for folder in FOLDERS:
            admin.put(f"{folder}canary", b"1")
        store = open_as(tenant, secret, tenant)
        inner = f"{tenant.prefix}/" if tenant.prefix else ""
        patterns = allowed(tenant, secret)
        for folder in FOLDERS:
            tries: dict[str, Callable[[], object]] = {
                "read": partial(store.get, f"{folder}canary"),
                "write": partial(store.put, f"{folder}new", b"2"),
                "list": partial(store.list, folder),
                "delete": partial(store.delete, f"{folder}canary"),
            }
            for action, attempt in tries.items():
                key = folder if action == "list" else f"{folder}canary"
                arn = f"arn:aws:s3:::{tenant.bucket}/{inner}{key}"
                expected = any(
                    kind == action and fnmatchcase(arn, pattern) for kind, pattern in patterns
                )
                try:
                    attempt()
                except StoreUnavailable as error:
                    assert "refuses these credentials" in str(error)
                    assert not expected, (identity, action, folder)
                else:
                    assert expected, (identity, action, folder)


@pytest.mark.parametrize(
    "path",
    [
        "/nasoa-tenants/alicex/../alice/data/canary",
        "/nasoa-tenants/alicex/data/../../alice/data/canary",
        "/nasoa-tenants/alicex/%2e%2e/alice/data/canary",
        "/nasoa-tenants/alicex/..%2falice/data/canary",
        "/nasoa-tenants/alicex/data/..%2f..%2falice%2fdata%2fcanary",
        "/nasoa-tenants//alice/data/canary",
        "/nasoa-tenants/./alice/data/canary",
        "/nasoa-tenants/alice/data/canary",
        "/nasoa-tenants?prefix=alice%2F",
        "/nasoa-tenants?prefix=alicex%2F..%2Falice%2F",
        "/nasoa-tenants?list-type=2&prefix=alicex%2F&prefix=alice%2F",
        "/nasoa-tenants?list-type=2&prefix=alice%2F&prefix=alicex%2F",
        "/nasoa-tenants?versions&prefix=alice%2F",
        "/nasoa-tenants?uploads",
        "/",
        "/nasoa/data/canary",
    ],
)
def test_no_spelling_of_a_path_leads_out_of_the_own_prefix(
    administrator: Callable[[Tenant], ArtifactStore], tenants: Tenants, path: str
) -> None:
    """Requests as the SDK would not send them, signed by the intruder in each way there may be."""
    administrator(ALICE).put("data/canary", b"s3cret")
    administrator(ALICEX).put("data/own", b"0wn")
    pair = tenants.keys[f"{ALICEX.name}_{PERSON}"]
    own = "/nasoa-tenants/alicex/data/own"
    assert b"0wn" in raw_request(tenants.server.endpoint, pair, "GET", own, own)
    plain, question, query = path.partition("?")
    canonical = {plain, unquote(plain), quote(unquote(plain)), posixpath.normpath(unquote(plain))}
    for method, signed in product(("GET", "HEAD", "PUT", "POST", "DELETE"), sorted(canonical)):
        answer = raw_request(
            tenants.server.endpoint, pair, method, path, f"{signed}{question}{query}"
        )
        assert b"s3cret" not in answer
        # An error names the key that was asked for; a listing must name none.
        assert b"<Error>" in answer or b"<Key>alice/" not in answer
    assert administrator(ALICE).get("data/canary") == b"s3cret"
    assert administrator(ALICE).list() == ["data/canary"]


def raw_request(
    endpoint: str, pair: Mapping[str, str], method: str, path: str, signed_path: str
) -> bytes:
    """What the server answers to a request for a path under the signature of perhaps another."""
    body = b"" if method in ("GET", "HEAD") else b"changed"
    now = datetime.now(UTC)
    digest = hashlib.sha256(body).hexdigest()
    host = urlsplit(endpoint).netloc
    headers = sign_v4_s3(
        method=method,
        url=urlsplit(endpoint + signed_path),
        region="us-east-1",
        headers={
            "Host": host,
            "x-amz-content-sha256": digest,
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        },
        credentials=Credentials(pair[ACCESS_KEY], pair[SECRET_KEY]),
        content_sha256=digest,
        date=now,
    )
    with contextlib.closing(http.client.HTTPConnection(host, timeout=10)) as connection:
        connection.request(method, path, body=body, headers=headers)
        return connection.getresponse().read()


def test_whoever_runs_searches_sees_nothing_of_tenants_and_they_nothing_of_it(
    administrator: Callable[[Tenant], ArtifactStore],
    tenants: Tenants,
    open_as: OpenAs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    administrator(ALICE).put("data/canary", b"1")
    open_as(ALICE, PERSON, ALICE)
    with pytest.raises(StoreUnavailable, match="refuses these credentials"):
        open_store("s3://nasoa").list("data/")
    for name in (ACCESS_KEY, SECRET_KEY):
        monkeypatch.delenv(name)
    for identity in tenants.server.keys:
        for name, value in tenants.server.environment(identity).items():
            monkeypatch.setenv(name, value)
        for refused in (
            lambda: open_store(uri(ALICE)).list("data/"),
            lambda: open_store(uri(ALICE)).get("data/canary"),
        ):
            with pytest.raises(StoreUnavailable, match="refuses these credentials"):
                refused()


def test_the_overlay_and_the_script_agree(built: dict[str, Bundle]) -> None:
    """Names, namespaces and the store of the example, and each secret that its pods ask for."""
    bundle = built["multi-user-tenants"]
    example = tenant_of("example", "")
    pairs = {identity: new_keys() for identity in example.identities()}
    made = documents(example, pairs, "http://s3", ("nasoa-example", "nasoa-store"))
    names = {key_of(document) for document in made}
    declared = {key for key in bundle.external if "example" in key[1] + key[2]}
    assert declared
    assert declared <= names
    settings = find(bundle, "ConfigMap", "nasoa-settings", "nasoa-example")
    assert settings["data"]["NASOA_STORE"] == uri(example)
    owners = {d["metadata"]["name"]: d["spec"]["owner"]["name"] for d in profiles(bundle)}
    assert owners["nasoa-example"] not in (owners["nasoa"], owners["nasoa-search"])
    namespace = find(bundle, "Namespace", "nasoa-example")
    assert namespace["metadata"]["annotations"]["owner"] == owners["nasoa-example"]


def profiles(bundle: Bundle) -> list[dict[str, object]]:
    return [document for document in bundle.documents if document["kind"] == "Profile"]


def test_a_tenant_s_namespace_is_as_that_of_users_tasks(built: dict[str, Bundle]) -> None:
    """The same documents, but for names and addresses, so that neither is left behind."""

    def within(overlay: str, namespace: str) -> set[tuple[str, str]]:
        return {
            (document["kind"], document["metadata"]["name"])
            for document in built[overlay].installed
            if document["metadata"].get("namespace") == namespace
        }

    assert within("multi-user-tenants", "nasoa-example") == within("multi-user-gpu", "nasoa")


@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("", ""),
        ("Alice", ""),
        ("-a", ""),
        ("a.b", ""),
        ("a*", ""),
        ("a" * 41, ""),
        ("a", "s3://nasoa/a"),
        ("a", "s3://nasoa"),
        ("a", "s3://b/a/b"),
        ("a", "s3://b/*"),
        ("a", "s3://b/.."),
        ("a", "s3://b/a?"),
        ("a", "/data"),
    ],
)
def test_a_tenant_that_others_could_see_is_refused(name: str, store: str) -> None:
    with pytest.raises(ValueError, match=r"^expected a "):
        tenant_of(name, store)
