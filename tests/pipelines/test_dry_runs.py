"""The doctor asks the API server whether it would accept steps' pods and manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nasoa.pipelines import catalogue
from nasoa.pipelines.options import CompileOptions
from tests.pipelines.conftest import Run
from tests.pipelines.http_server import serving
from tests.pipelines.kubernetes_server import KubernetesServer
from tests.pipelines.pooled_pipeline import pooled
from tests.pipelines.test_cluster_health import doctor

POLICY = (
    'pods "nasoa-doctor-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'
)


@pytest.fixture(autouse=True)
def _only_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "PIPELINES", {"pooled": pooled})


def of_main(document: dict[str, Any]) -> dict[str, Any]:
    (main,) = (c for c in document["spec"]["containers"] if c["name"] == "main")
    return dict(main)


def test_the_pods_are_those_of_the_steps(run: Run, host: str, kubernetes: KubernetesServer) -> None:
    given = ("-p", "count=3", "--service-account", "nasoa-pipeline")
    found = doctor(run, host, *given)
    assert found.by_subject["pod pooled/heavy"]["detail"] == (
        "the API server would create it in kubeflow"
    )
    heavy = next(d for d in kubernetes.tried if "nasoa-gpu" in of_main(d)["image"])
    assert heavy["path"] == "/api/v1/namespaces/kubeflow/pods"
    assert of_main(heavy)["resources"]["limits"] == {"nvidia.com/gpu": "3"}
    assert heavy["spec"]["nodeSelector"] == {"pool": "gpu"}
    assert heavy["spec"]["serviceAccountName"] == "nasoa-pipeline"
    assert heavy["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    light = next(d for d in kubernetes.tried if of_main(d)["image"] == "registry.test/nasoa:1")
    names = {variable["name"] for variable in of_main(light)["env"]}
    assert names == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert len(kubernetes.tried) == 3


def test_the_account_is_kfp_s_own_where_none_is_named(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
) -> None:
    doctor(run, host)
    accounts = {document["spec"]["serviceAccountName"] for document in kubernetes.tried}
    assert accounts == {"pipeline-runner"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, POLICY),
        (403, 'pods "x" is forbidden: exceeded quota: nasoa, requested: limits.cpu=17'),
        (403, 'pods "x" is forbidden: error looking up service account kubeflow/pipeline-runner'),
        (400, 'admission webhook "v.example" denied the request:\nno'),
        (422, "Pod is invalid: spec.tolerations[0].operator: Invalid value"),
    ],
)
def test_what_it_says_is_told_in_one_line(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
    status: int,
    message: str,
) -> None:
    def admission(document: dict[str, Any]) -> tuple[int, str] | None:
        return (status, message) if "nasoa-gpu" in of_main(document)["image"] else None

    kubernetes.admission = admission
    found = doctor(run, host)
    assert found.wrong() == {"pod pooled/heavy": " ".join(message.split())}
    assert found.by_subject["pod pooled/light"]["ok"]


def test_a_warning_is_told_and_is_no_fault(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
) -> None:
    kubernetes.admission = lambda document: (201, "would violate PodSecurity")
    found = doctor(run, host)
    assert found.wrong() == {}
    assert found.by_subject["pod pooled/light"]["detail"] == "warning: would violate PodSecurity"


def test_without_the_right_nothing_is_asked_twice(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
) -> None:
    kubernetes.forbidden = {"create pods"}
    found = doctor(run, host)
    assert found.wrong() == {}
    assert 'cannot create resource "pods"' in found.by_subject["pods"]["detail"]
    assert len(kubernetes.tried) == 1
    assert not [subject for subject in found.by_subject if subject.startswith("pod p")]


def written(folder: Path, *documents: Any) -> str:
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def manifest(kind: str, name: str, version: str = "v1", namespace: str = "") -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def test_each_manifest_is_a_line(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
    tmp_path: Path,
) -> None:
    def admission(document: dict[str, Any]) -> tuple[int, str] | None:
        return (422, "Job.batch is invalid") if document["kind"] == "Job" else None

    kubernetes.admission = admission
    path = written(
        tmp_path,
        manifest("Namespace", "nasoa"),
        None,
        manifest("ConfigMap", "settings", namespace="kubeflow"),
        manifest("ConfigMap", "settings", namespace="later"),
        manifest("Job", "bucket", "batch/v1", "kubeflow"),
        manifest("TrainJob", "zoo", "trainer.kubeflow.org/v1alpha1", "kubeflow"),
    )
    found = doctor(run, host, "--manifests", path)
    said = {subject: found.by_subject[subject]["detail"] for subject in found.by_subject}
    assert said["Namespace nasoa"] == "would be applied"
    assert said["ConfigMap kubeflow/settings"] == "would be applied"
    assert "the namespace later does not exist yet" in said["ConfigMap later/settings"]
    assert found.by_subject["ConfigMap later/settings"]["ok"]
    assert set(found.wrong()) == {"Job kubeflow/bucket", "TrainJob kubeflow/zoo"}
    assert said["Job kubeflow/bucket"] == "Job.batch is invalid"
    assert "does not know trainer.kubeflow.org/v1alpha1 TrainJob" in said["TrainJob kubeflow/zoo"]
    patches = [r for r in kubernetes.requests if r.method == "PATCH"]
    assert {r.headers["content-type"] for r in patches} == {"application/apply-patch+yaml"}
    assert {r.query["fieldManager"] for r in patches} == {"nasoa-doctor"}
    assert "/apis/batch/v1/namespaces/kubeflow/jobs/bucket" in {r.path for r in patches}


def test_a_manifest_without_the_right_is_no_fault(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
    tmp_path: Path,
) -> None:
    kubernetes.forbidden = {"patch configmaps"}
    path = written(tmp_path, manifest("ConfigMap", "settings", namespace="kubeflow"))
    found = doctor(run, host, "--manifests", path).by_subject["ConfigMap kubeflow/settings"]
    assert found["ok"]
    assert found["detail"].startswith("not checked: ")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), ("a: [", "YAML"), ("- 1", "objects")]
)
def test_files_that_are_no_manifests(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
    tmp_path: Path,
    content: str | None,
    said: str,
) -> None:
    path = tmp_path / "overlay.yaml"
    if content is not None:
        path.write_text(content)
    result = run("doctor", "--cluster", "--host", host, "--manifests", str(path))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert said in result.err


@pytest.mark.parametrize(
    ("there", "ok", "said"),
    [
        (("Bound", ["ReadWriteMany"]), True, "Bound, ReadWriteMany"),
        (("Bound", ["ReadWriteOnce"]), True, "only pods on one node"),
        (("Lost", ["ReadWriteMany"]), False, "Lost"),
        (None, False, "not in kubeflow; apply the overlay"),
    ],
)
def test_claims_that_steps_mount(
    run: Run,
    host: str,
    kubernetes: KubernetesServer,
    monkeypatch: pytest.MonkeyPatch,
    there: tuple[str, list[str]] | None,
    ok: bool,
    said: str,
) -> None:
    options = CompileOptions(data_claim="nasoa-data-cache")
    monkeypatch.setattr(
        catalogue, "PIPELINES", {"build_zoo": catalogue.build("build_zoo", options)}
    )
    if there is not None:
        kubernetes.claims = {"nasoa-data-cache": there}
    found = doctor(run, host).by_subject["claim nasoa-data-cache"]
    assert found["ok"] == ok
    assert said in found["detail"]


def test_a_certificate_that_is_not_checked_is_said_once(
    run: Run, host: str, certificate: tuple[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder,
) -> None:  # fmt: skip
    server = KubernetesServer()
    server.secrets = {"nasoa-s3": {"access": "id", "secret": "key"}}
    with serving(server, tls=certificate) as address:
        cluster = {"server": address, "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": "t"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
        }
        path = tmp_path / "insecure"
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(path))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        found = doctor(run, host)
    assert found.wrong() == {}
    assert "certificate is not verified" in found.by_subject["Kubernetes"]["detail"]
    assert [w for w in recwarn if "InsecureRequest" in str(w.category)] == []
