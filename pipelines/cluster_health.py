"""`nasoa doctor --cluster`: find what would stop a run before one is started.

Nothing is changed. It reads from Kubeflow Pipelines and Kubernetes (get on namespaces, secrets,
claims and the ConfigMap of Argo's controller; list on nodes, pods and events), and asks Kubernetes
in dry runs whether it would accept pods and manifests (`nasoa/pipelines/dry_runs.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfp

from nasoa.errors import NasoaError
from nasoa.pipelines import argo_retries, catalogue, dry_runs, schedules
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.connection import Connection
from nasoa.pipelines.demands import Demand, demands
from nasoa.pipelines.kubernetes_reading import Kubernetes, Node, full_name, misplaced
from nasoa.pipelines.pod_settings import STORE_VARIABLES
from nasoa.steps.health import Finding
from nasoa.work_progress import report_progress

PARTS = "parts of the cluster"  # KFP, secrets, nodes, images and claims, pods, manifests
NUM_PARTS = 6
SECRET = "nasoa-s3"
NAMESPACE = "kubeflow"
# Keys of the secret if no pipeline names any: the variables that the store reads.
_KEYS = {name: name for name in STORE_VARIABLES[:2]}


@dataclass(frozen=True, kw_only=True)
class ClusterReport:
    """The result of checking a cluster.

    Args:
        findings: in the order of the checks.
        environment: variables that pods get from their secrets, for checking their bucket.
    """

    findings: list[Finding]
    environment: dict[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What to check.

    Args:
        parameters: parameters that a run would be given, by name of the pipeline.
        context: kubeconfig context; None for the current one.
        service_account: service account of runs; empty for KFP's own.
        manifests: files with the documents of an overlay to apply.
    """

    parameters: Mapping[str, Mapping[str, Any]]
    context: str | None = None
    service_account: str = ""
    manifests: tuple[Path, ...] = ()


def check(connection: Connection, examined: Examined) -> ClusterReport:
    """Check everything that a run needs.

    Args:
        connection: how to reach KFP; its namespace is where pods run (default: kubeflow).
        examined: pipelines and manifests to check.

    Raises:
        InvalidInput: a file of manifests cannot be read.
    """
    parameters = examined.parameters
    report_progress(PARTS, 0, NUM_PARTS)
    findings, cluster = _kfp(connection)
    report_progress(PARTS, 1, NUM_PARTS)
    wanted = [demand for name, given in parameters.items() for demand in demands(name, given)]
    if cluster is not None:
        scheduled = _Guarded("schedules", lambda: list(_scheduled(cluster)))
        findings += scheduled.failure
        wanted += scheduled.value or []
    namespace = (cluster.namespace if cluster else "") or connection.namespace or NAMESPACE
    try:
        kubernetes = Kubernetes(examined.context)
    except NasoaError as error:
        findings.append(Finding(subject="Kubernetes", ok=False, detail=str(error)))
        return ClusterReport(findings=findings, environment={})
    if not kubernetes.checks_certificate:
        detail = "the API server's certificate is not verified (insecure-skip-tls-verify)"
        findings.append(Finding(subject="Kubernetes", ok=True, detail=detail))
    findings += _namespace(kubernetes, namespace)
    report_progress(PARTS, 2, NUM_PARTS)
    secret, environment = _secrets(kubernetes, namespace, wanted)
    findings += secret
    nodes = _Guarded("nodes", kubernetes.nodes)
    findings += nodes.failure
    if nodes.value is not None:
        findings += _pools(nodes.value, wanted)
    report_progress(PARTS, 3, NUM_PARTS)
    findings += _images(kubernetes, namespace, nodes.value or [], wanted)
    findings += _claims(kubernetes, namespace, wanted)
    findings.append(argo_retries.check(kubernetes, NAMESPACE))
    many = cluster is not None and cluster.health.multi_user
    account = examined.service_account or ("default-editor" if many else "pipeline-runner")
    report_progress(PARTS, 4, NUM_PARTS)
    findings += dry_runs.check_pods(kubernetes, namespace, account, wanted)
    report_progress(PARTS, 5, NUM_PARTS)
    findings += dry_runs.check_manifests(kubernetes, examined.manifests)
    report_progress(PARTS, NUM_PARTS, NUM_PARTS)
    return ClusterReport(findings=findings, environment=environment)


class _Guarded:
    """The value of a call, or a finding that it failed."""

    def __init__(self, subject: str, call: Any) -> None:
        self.value: Any = None
        self.failure: list[Finding] = []
        try:
            self.value = call()
        except NasoaError as error:
            self.failure = [Finding(subject=subject, ok=False, detail=str(error))]


def _kfp(connection: Connection) -> tuple[list[Finding], Cluster | None]:
    """Check that KFP answers, grants access, and is as new as the kfp that compiles."""
    reached = _Guarded("Kubeflow Pipelines", lambda: _opened(connection))
    cluster: Cluster | None = reached.value
    if cluster is None:
        return reached.failure, None
    users = f"namespace {cluster.namespace}" if cluster.health.multi_user else "one user"
    found = Finding(
        subject="Kubeflow Pipelines", ok=True, detail=f"answers at {cluster.host}, {users}"
    )
    return [found, _version(cluster)], cluster


def _opened(connection: Connection) -> Cluster:
    cluster = Cluster(connection)
    cluster.list_runs(limit=1)  # the health check needs no credentials, this does
    return cluster


def _version(cluster: Cluster) -> Finding:
    ours = kfp.__version__
    numbers = cluster.health.numbers
    if numbers is None:
        return Finding(
            subject="version", ok=True, detail=f"KFP reports no version; kfp here is {ours}"
        )
    major, minor = (int(part) for part in ours.split(".")[:2])
    detail = f"KFP {cluster.health.version}, kfp here {ours}"
    if numbers[0] != major or numbers < (major, minor):
        advice = f"upgrade KFP to {major}.{minor} or a later {major}.x: it may lack what runs need"
        return Finding(subject="version", ok=False, detail=f"{detail}; {advice}")
    return Finding(subject="version", ok=True, detail=detail)


def _scheduled(cluster: Cluster) -> Iterator[Demand]:
    """Yield what our recurring runs request, with their own parameters."""
    titles = {p.pipeline_spec.pipeline_info.name: n for n, p in catalogue.PIPELINES.items()}
    for name, job in schedules.of_ours(cluster):
        if name in titles:
            yield from demands(titles[name], schedules.given_parameters(job))


def _namespace(kubernetes: Kubernetes, namespace: str) -> list[Finding]:
    there = _Guarded("namespace", lambda: kubernetes.has_namespace(namespace))
    if there.failure:
        return there.failure
    if there.value:
        return [Finding(subject="namespace", ok=True, detail=f"{namespace} exists")]
    detail = f"no namespace {namespace!r}; name that of the runs' pods with --namespace"
    return [Finding(subject="namespace", ok=False, detail=detail)]


def _secrets(
    kubernetes: Kubernetes, namespace: str, wanted: Sequence[Demand]
) -> tuple[list[Finding], dict[str, str]]:
    """Check that each secret of the pods exists with its keys; also return what pods would read."""
    needed: dict[str, dict[str, str]] = {}
    for demand in wanted:
        for name, keys in demand.secrets.items():
            needed.setdefault(name, {}).update(keys)
    findings: list[Finding] = []
    environment: dict[str, str] = {}
    for name, keys in (needed or {SECRET: _KEYS}).items():
        subject = f"secret {name}"
        read = _Guarded(subject, lambda name=name: kubernetes.secret(namespace, name))
        findings += read.failure
        if not read.failure:
            findings.append(_secret(subject, namespace, read.value, keys))
        values: dict[str, str] = read.value or {}
        environment |= {variable: values[k] for k, variable in keys.items() if k in values}
        if "NASOA_S3_ENDPOINT" in values:
            environment.setdefault("NASOA_S3_ENDPOINT", values["NASOA_S3_ENDPOINT"])
    return findings, environment


def _secret(
    subject: str, namespace: str, values: dict[str, str] | None, keys: Mapping[str, str]
) -> Finding:
    name = subject.removeprefix("secret ")
    make = f"kubectl -n {namespace} create secret generic {name}"
    if values is None:
        given = " ".join(f"--from-literal={key}=..." for key in keys)
        detail = f"not in {namespace}; create it: {make} {given}"
        return Finding(subject=subject, ok=False, detail=detail)
    missing = [key for key in keys if not values.get(key)]
    if missing:
        detail = f"has no value for {', '.join(missing)}; add the missing keys"
        return Finding(subject=subject, ok=False, detail=detail)
    return Finding(subject=subject, ok=True, detail=f"in {namespace} with {', '.join(keys)}")


def _pools(nodes: Sequence[Node], wanted: Sequence[Demand]) -> list[Finding]:
    """Return a finding for each pool that steps request: labels, accelerator, tolerations."""
    pools: dict[tuple[str, str], list[Demand]] = {}
    for demand in wanted:
        if demand.selector or demand.accelerator:
            selector = ",".join(f"{k}={v}" for k, v in (demand.selector or {}).items())
            gpu = f"{demand.count} {demand.accelerator}" if demand.accelerator else ""
            pools.setdefault((selector, gpu), []).append(demand)
    findings = []
    for (selector, gpu), asking in pools.items():
        subject = " ".join(filter(None, ("pool", selector, gpu)))
        steps = ", ".join(dict.fromkeys(f"{d.pipeline}/{d.step}" for d in asking))
        problem = next(filter(None, (misplaced(d, nodes) for d in asking)), None)
        detail = (
            f"{problem}; {steps} would stay pending: fix the pool, or change the parameters"
            if problem
            else f"available for {steps}"
        )
        findings.append(Finding(subject=subject, ok=problem is None, detail=detail))
    return findings or [_gpus(nodes)]


def _gpus(nodes: Sequence[Node]) -> Finding:
    """Return a finding with the available accelerators, for when no step requests a pool."""
    counts: dict[str, int] = {}
    for node in nodes:
        for resource, count in node.allocatable.items():
            if resource.endswith("/gpu") and count:
                counts[resource] = counts.get(resource, 0) + count
    offered = ", ".join(f"{n} {resource}" for resource, n in counts.items()) or "no GPU"
    detail = f"{len(nodes)} nodes with {offered}; no step requests a pool"
    return Finding(subject="pools", ok=bool(nodes), detail=detail)


def _claims(kubernetes: Kubernetes, namespace: str, wanted: Sequence[Demand]) -> list[Finding]:
    """Check that each claim that steps mount exists; note a claim that only one node can mount."""
    findings = []
    for name in dict.fromkeys(claim for demand in wanted for claim in demand.claims):
        subject = f"claim {name}"
        read = _Guarded(subject, lambda name=name: kubernetes.claim(namespace, name))
        findings += read.failure
        if read.failure:
            continue
        if read.value is None:
            detail = f"not in {namespace}; apply the overlay that has it, or compile without it"
            findings.append(Finding(subject=subject, ok=False, detail=detail))
            continue
        phase, modes = read.value
        of_one_node = "ReadWriteMany" not in modes
        note = "; only pods on one node can mount it at the same time" if of_one_node else ""
        detail = f"in {namespace}, {phase}, {', '.join(modes)}{note}"
        findings.append(Finding(subject=subject, ok=phase != "Lost", detail=detail))
    return findings


def _images(
    kubernetes: Kubernetes, namespace: str, nodes: Sequence[Node], wanted: Sequence[Demand]
) -> list[Finding]:
    """Check for failed pulls of each image, and count the nodes that have it.

    The API does not tell whether an image that no node has can be pulled.
    """
    pulls = _Guarded("images", lambda: kubernetes.failed_pulls(namespace))
    if pulls.failure:
        return pulls.failure
    failed = {full_name(image): why for image, why in pulls.value.items()}
    findings = []
    for image in dict.fromkeys(demand.image for demand in wanted if demand.image):
        why, holding = (
            failed.get(full_name(image)),
            sum(full_name(image) in n.images for n in nodes),
        )
        if why:
            detail = (
                f"cannot be pulled: {' '.join(why.split())[:300]}; push it, or give the service "
                "account a pull secret"
            )
        elif holding:
            detail = f"is on {holding} of {len(nodes)} nodes"
        else:
            detail = "on no node yet; the first pod will show whether it can be pulled"
        findings.append(Finding(subject=f"image {image}", ok=not why, detail=detail))
    return findings
