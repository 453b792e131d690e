"""Who must reach whom, and who must not, in either mode of Kubeflow Pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from urllib.parse import urlsplit

from scripts.manifests.bundle import Bundle, namespace_of
from scripts.manifests.network import Network, Party
from scripts.manifests.pods import JOBSET_NAME
from scripts.manifests.surroundings import is_multi_user, parties, policies

# What SeaweedFS's master and filer listen on, who ask for no keys.
UNGUARDED = (8888, 9333, 18888, 19333)
STORE = "store"
# Who looks up names.
CLIENTS = (
    "step",
    "last-step",
    "compact-experience",
    "pretrain-zoo",
    "store-metrics",
    "publish-pipelines",
    "reconcile-runs",
    "create-bucket",
    "seaweedfs",
)
# Pods of runs: the last step reports a failed run to a webhook, if there is one.
STEPS = ("step", "last-step")
# Who reports failed runs.
REPORTERS = ("last-step", "reconcile-runs")
FOR_WEBHOOKS = "allow-alerts"


@dataclass(frozen=True)
class Row:
    """A pair, by the names of `surroundings.parties`, and what must be true of it.

    `mode` is empty for both modes; `beside` asks for pairs of different namespaces only, `another`
    for another pod of the same name and labels, `other_job` for one of another TrainJob.
    `alerts` asks only where the source's namespace has, or has not, the policy for webhooks.
    """

    source: str
    target: str
    port: int
    is_open: bool = True
    protocol: str = "TCP"
    mode: str = ""
    beside: bool = False
    another: bool = False
    other_job: bool = False
    alerts: bool | None = None


def _open(source: str, target: str, *ports: int, protocol: str = "TCP") -> list[Row]:
    return [Row(source, target, port, protocol=protocol) for port in ports]


def _closed(
    source: str, target: str, *ports: int, mode: str = "", beside: bool = False
) -> list[Row]:
    return [Row(source, target, port, is_open=False, mode=mode, beside=beside) for port in ports]


ROWS = [
    # KFP's driver and launcher, and Argo's executor, in every pod of a run.
    *(
        Row(name, target, port)
        for name in STEPS
        for target, port in (
            ("metadata-grpc-server", 8080),
            ("ml-pipeline", 8887),
            ("kfp-artifacts", 8333),
            ("api-server", 443),
            ("api-server-node", 6443),
            (STORE, 0),
        )
    ),
    *(
        row
        for name in CLIENTS
        for protocol in ("UDP", "TCP")
        for row in _open(name, "dns", 53, protocol=protocol)
    ),
    # The store, of other pods; 0 is the port of NASOA_S3_ENDPOINT.
    *_open("compact-experience", STORE, 0),
    *_open("pretrain-zoo", STORE, 0),
    *_open("store-metrics", STORE, 0),
    *_open("reconcile-runs", STORE, 0),
    *_open("create-bucket", "store-outside", 443),
    *_open("create-bucket", "seaweedfs", *UNGUARDED),
    *_open("seaweedfs", "seaweedfs", *UNGUARDED, 8333),
    *_open("prometheus", "seaweedfs", 9327),
    *_open("prometheus", "store-metrics", 9464),
    *_open("publish-pipelines", "ml-pipeline", 8888),
    *_open("reconcile-runs", "ml-pipeline", 8888),
    # Processes of one pretraining: torchrun's port, and one that NCCL chooses.
    *(Row("pretrain-zoo", "pretrain-zoo", port, another=True) for port in (29500, 43210)),
    # They exchange pickles: nobody else is to reach them.
    *(
        Row("pretrain-zoo", "pretrain-zoo", port, is_open=False, other_job=True)
        for port in (29500, 43210)
    ),
    # What asks for no keys, and what is nobody's business.
    *_closed("step", "seaweedfs", *UNGUARDED, 9327),
    *_closed("compact-experience", "seaweedfs", *UNGUARDED),
    *_closed("stranger", "seaweedfs", *UNGUARDED, 8333, 9327),
    *_closed("ml-pipeline", "seaweedfs", *UNGUARDED, 8333),
    *_closed("prometheus", "seaweedfs", *UNGUARDED, 8333),
    *_closed("seaweedfs", "internet", 443),
    *_closed("seaweedfs", "ml-pipeline", 8888),
    *_closed("create-bucket", "internet", 443),
    *_closed("compact-experience", "internet", 443),
    *_closed("compact-experience", "ml-pipeline", 8888, mode="single-user"),
    *_closed("pretrain-zoo", "internet", 443),
    *_closed("publish-pipelines", "internet", 443),
    # A webhook for failed runs (components/alert-egress).
    *(Row(name, "internet", 443, alerts=True) for name in REPORTERS),
    Row("reconcile-runs", "internet", 443, is_open=False, alerts=False),
    Row("last-step", "internet", 443, is_open=False, mode="multi-user", alerts=False),
    *(
        Row(name, target, port, is_open=False, mode=mode)
        for name, mode in (("reconcile-runs", ""), ("last-step", "multi-user"))
        for target, port in (("internet", 80), ("metadata-of-the-cloud", 443))
    ),
    *_closed("store-metrics", "internet", 443),
    *_closed("stranger", "store-metrics", 9464),
    *_closed("step", "store-metrics", 9464),
    *_closed("stranger", "pretrain-zoo", 29500),
    *_closed("step", "pretrain-zoo", 29500),
    # A namespace that is nasoa's alone; in KFP's own, pods of runs are as open as KFP leaves them.
    *_closed("step", "internet", 443, mode="multi-user"),
    *_closed("stranger", "step", 8080, mode="multi-user"),
    *_closed("ml-pipeline", "step", 8080, mode="multi-user"),
    *_closed("step", "step", 8080, mode="multi-user", beside=True),
    *_closed("step", "stranger", 8080, mode="multi-user"),
]


def check(bundle: Bundle) -> Iterator[str]:
    """Pairs that are closed and must be open, or the other way round."""
    applying = policies(bundle)
    for row, source, target, port in pairs(bundle):
        network = Network(applying, blocks_match_pods=not row.is_open)
        if network.reaches(source, target, port, row.protocol) != row.is_open:
            must = "must reach" if row.is_open else "must not reach"
            yield f"{source} {must} {target} on {row.protocol} {port}"


def pairs(bundle: Bundle) -> Iterator[tuple[Row, Party, Party, int]]:
    """Every pair of the rows that this overlay has, with the port."""
    everyone = list(parties(bundle))
    mode = "multi-user" if is_multi_user(bundle) else "single-user"
    inside = any(party.name == "seaweedfs" for party in everyone)
    reporting = {
        namespace_of(policy)
        for policy in policies(bundle)
        if policy["metadata"]["name"] == FOR_WEBHOOKS
    }
    for row in ROWS:
        if row.mode not in ("", mode):
            continue
        name, ports = row.target, {row.port}
        if name == STORE:
            name, ports = ("seaweedfs" if inside else "store-outside"), _endpoint_ports(bundle)
        for source, target, port in product(everyone, everyone, sorted(ports)):
            if (source.name, target.name) != (row.source, name):
                continue
            if row.alerts not in (None, source.namespace in reporting):
                continue
            if row.another:
                yield row, source, replace(target, name=f"another {name}"), port
            elif row.other_job:
                labels = {**target.labels, JOBSET_NAME: "other-job"}
                other = replace(target, name=f"another job's {name}", labels=labels)
                yield row, source, other, port
            elif not row.beside or source.namespace != target.namespace:
                yield row, source, target, port


def _endpoint_ports(bundle: Bundle) -> set[int]:
    """The port of NASOA_S3_ENDPOINT, wherever it is set."""
    endpoints = (
        urlsplit(document["data"]["NASOA_S3_ENDPOINT"])
        for document in bundle.documents
        if document["kind"] == "ConfigMap" and document["metadata"]["name"] == "nasoa-settings"
    )
    return {parts.port or (443 if parts.scheme == "https" else 80) for parts in endpoints}
