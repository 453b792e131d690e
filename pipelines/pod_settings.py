"""Settings of a step's pod besides its pool: user, store keys, volumes, labels and annotations.

KFP 2.17 takes no parameter for any of these, so they are compiled in.
"""

from __future__ import annotations

from collections.abc import Mapping

from kfp import kubernetes
from kfp.dsl import PipelineTask

from nasoa.components.image import USER_ID

# The variables of the store (nasoa/store/s3_keys.py); the keys of the secret have the same names.
# KFP's launcher runs in the same container and would read variables with AWS's own names.
STORE_VARIABLES = ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY", "NASOA_S3_ENDPOINT")
# The address of a webhook for failed runs (nasoa/steps/alerting.py), and its key in a secret.
ALERT_VARIABLE = "NASOA_ALERT_URL"
# A network policy selects pods that use it (manifests/components/alert-egress).
ALERT_LABEL = ("nasoa/alerts", "true")
# How long a step waits for a store that fails (nasoa/store/opening.py).
PATIENCE = ("NASOA_STORE_PATIENCE", "2m")
# Where steps write besides the store (images/README.md), and where they mount the data claim.
SCRATCH_PATH = "/tmp"
CLAIM_PATH = "/cache"
# Copies of data sets are kept in the claim (nasoa/data/data_cache.py). Decoded images stay on the
# node: they are removed while others map them, which fails on a volume shared by several nodes.
OF_CLAIM = {"NASOA_DATA_CACHE": CLAIM_PATH, "NASOA_CACHE_DIR": f"{SCRATCH_PATH}/cache"}
# Autoscalers that pack pods onto fewer nodes do not move pods with these annotations.
ANNOTATIONS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}


def set_user(step: PipelineTask) -> None:
    """Run as the image's user, with runAsNonRoot: KFP omits it, and "restricted" requires it."""
    kubernetes.set_security_context(
        step, run_as_user=USER_ID, run_as_group=USER_ID, run_as_non_root=True
    )


def set_store_keys(step: PipelineTask, secret: str) -> None:
    """Give the step the store's keys from a secret in its namespace."""
    kubernetes.use_secret_as_env(
        step,
        secret_name=secret,
        secret_key_to_env={name: name for name in STORE_VARIABLES},
    )


def set_alert(step: PipelineTask, secret: str) -> None:
    """Give the step the address of a webhook from a secret; it starts without that secret too."""
    kubernetes.use_secret_as_env(
        step,
        secret_name=secret,
        secret_key_to_env={ALERT_VARIABLE: ALERT_VARIABLE},
        optional=True,
    )
    kubernetes.add_pod_label(step, *ALERT_LABEL)


def set_patience(step: PipelineTask) -> None:
    """Let the step wait for a store that fails: failed steps are rarely retried (decision 0023)."""
    step.set_env_variable(*PATIENCE)


def set_scratch(step: PipelineTask, size: str) -> None:
    """Limit what the step keeps on the node's disk: KFP requests no ephemeral storage."""
    kubernetes.empty_dir_mount(
        step, volume_name="scratch", mount_path=SCRATCH_PATH, size_limit=size
    )


def mount_claim(step: PipelineTask, claim: str) -> PipelineTask:
    """Let the step keep its copies of data sets in a claim of its namespace."""
    for name, value in OF_CLAIM.items():
        step.set_env_variable(name, value)
    mounted: PipelineTask = kubernetes.mount_pvc(step, claim, CLAIM_PATH)
    return mounted


def set_labels(step: PipelineTask, labels: Mapping[str, str]) -> None:
    """Set labels of the pod, for example for a Kueue queue or for accounting."""
    for name, value in labels.items():
        kubernetes.add_pod_label(step, name, value)


def set_annotations(step: PipelineTask) -> None:
    """Keep autoscalers from moving the pod: an evicted attempt ends."""
    for name, value in ANNOTATIONS.items():
        kubernetes.add_pod_annotation(step, name, value)
