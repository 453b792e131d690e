"""What controllers do with rendered manifests, and what the manifests must therefore hold.

The other half of tests/pipelines/backend_rules.py, whose rows are of compiled pipelines. K is
kubeflow/pipelines 2.17.0, A argo-workflows 4.0.5, P kubeflow/dashboard v2.0.0 below
components/profile-controller/controllers, M kubeflow/manifests release-26.03, T kubeflow/trainer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.manifests.bundle import Bundle, key_of
from tests.manifests.breaking import Break
from tests.manifests.cluster_store import find

SIDECAR = "sidecar.istio.io/inject"
PART_OF = "app.kubernetes.io/part-of"


@dataclass(frozen=True, kw_only=True)
class ManifestRule:
    """One row of the table.

    Args:
        name: of the rule.
        source: files, functions and lines of the controller.
        does: what it does.
        check: by its name in scripts/manifests/checks.py.
        undo: by overlay, how the answer is taken out of its documents.
        said: part of what the check then says.
    """

    name: str
    source: str
    does: str
    check: str
    undo: Mapping[str, Break]
    said: str


def by_hand_no_more(bundle: Bundle) -> None:
    """Put the runs that people start among what is installed."""
    object.__setattr__(bundle, "by_hand", frozenset())


def without(kind: str, name: str, namespace: str) -> Break:
    return lambda bundle: bundle.documents.remove(find(bundle, kind, name, namespace))


def with_sidecars(bundle: Bundle) -> None:
    """Take the label off the first job's pods."""
    job = next(d for d in sorted(bundle.documents, key=key_of) if d["kind"] == "Job")
    del job["spec"]["template"]["metadata"]["labels"][SIDECAR]


def with_processes_per_node(bundle: Bundle) -> None:
    policy = find(bundle, "ClusterTrainingRuntime", "nasoa-torchrun")["spec"]["mlPolicy"]
    policy["torch"] = {"numProcPerNode": "auto"}


RULES = (
    ManifestRule(
        name="a profile takes a namespace of its owner alone",
        source="P profile_controller.go, lines 170 to 197",
        does="A namespace that is there already is taken only if its annotation `owner` names the "
        "profile's owner; else the profile fails.",
        check="profiles",
        undo={
            "multi-user": lambda b: find(b, "Namespace", "nasoa")["metadata"].pop("annotations"),
            "multi-user-gpu": lambda b: find(b, "Namespace", "nasoa-search")["metadata"][
                "annotations"
            ].update(owner="somebody@example.com"),
        },
        said="the annotation owner of its namespace must be",
    ),
    ManifestRule(
        name="Kubeflow's policies know profiles by their label",
        source="P profile_controller.go, setNamespaceLabels; M common/kubeflow-namespace/base/"
        "kubeflow/{metadata-grpc-server,ml-pipeline}.yaml; K manifests/kustomize/third-party/"
        "seaweedfs/base/seaweedfs/seaweedfs-networkpolicy.yaml",
        does="The controller leaves labels that are there, and the policies let in namespaces with "
        "app.kubernetes.io/part-of: kubeflow-profile alone.",
        check="reachability",
        undo={
            "multi-user": lambda b: find(b, "Namespace", "nasoa")["metadata"]["labels"].update(
                {PART_OF: "nasoa"}
            )
        },
        said="nasoa/step must reach kubeflow/metadata-grpc-server",
    ),
    ManifestRule(
        name="without users, runs are in KFP's namespace",
        source="K manifests/kustomize/cluster-scoped-resources/namespace.yaml; "
        "K backend/src/v2/config/env.go, line 73",
        does="Pods of runs are in `kubeflow`, whoever starts them, so the store has to let them in "
        "from there.",
        check="reachability",
        undo={"single-user": without("NetworkPolicy", "seaweedfs-runs", "nasoa-store")},
        said="kubeflow/step must reach nasoa-store/seaweedfs",
    ),
    ManifestRule(
        name="the account of a run is in the run's namespace",
        source="K backend/src/apiserver/template/v2_template.go, lines 81 and 168",
        does="The workflow names the service account that the run was given; a pod finds it in its "
        "own namespace or is refused.",
        check="references",
        undo={
            "single-user": without("ServiceAccount", "nasoa-pipeline", "kubeflow"),
            "multi-user": without("ServiceAccount", "nasoa-pipeline", "nasoa-search"),
        },
        said="nasoa-pipeline does not exist",
    ),
    ManifestRule(
        name="Trainer 2.2 and later know no processes per node",
        source="T pkg/apis/trainer/v1alpha1/trainingruntime_types.go, line 208 of v2.1.0, gone in "
        "v2.2.0; T pkg/runtime/framework/plugins/torch/torch.go, line 121",
        does="Strict validation refuses a runtime with a field that the definition does not have.",
        check="schemas",
        undo={
            "single-user-gpu": with_processes_per_node,
            "multi-user-gpu": with_processes_per_node,
        },
        said="numProcPerNode",
    ),
    ManifestRule(
        name="an overlay brings no run",
        source="T pkg/apis/trainer/v1alpha1/trainjob_types.go, line 115 of v2.3.0",
        does="A TrainJob can hardly be changed, and `kubectl apply` of one with `suspend: true` "
        "stops a run that goes on.",
        check="runs",
        undo={"single-user-gpu": by_hand_no_more, "multi-user-gpu": by_hand_no_more},
        said="a run must not be in an overlay",
    ),
    ManifestRule(
        name="whoever starts a run decides whether it waits",
        source="T pkg/apis/trainer/v1alpha1/trainjob_types.go, line 115 of v2.3.0",
        does="`suspend` in the file is set again each time the file is applied.",
        check="runs",
        undo={
            "single-user-gpu": lambda b: find(b, "TrainJob", "pretrain-zoo")["spec"].update(
                suspend=True
            )
        },
        said="leave suspend to whoever starts the run",
    ),
    ManifestRule(
        name="no pod of ours gets a sidecar",
        source="K backend/src/apiserver/template/v2_template.go, lines 169 and 409",
        does="KFP labels the pods of runs; in a profile Istio gives every other pod a sidecar, "
        "with which a job never ends.",
        check="sidecars",
        undo={"multi-user-full": with_sidecars, "single-user": with_sidecars},
        said=f'the pods need the label {SIDECAR}: "false"',
    ),
)
