"""What the pod of every step has beside its place: a user, the store's keys, and its annotations.

KFP 2.17 takes no parameter for any of these, so they are compiled in.
"""

from __future__ import annotations

from kfp import kubernetes
from kfp.dsl import PipelineTask

from nasoa.components.image import USER_ID

# The variables of the store (nasoa/store/s3_keys.py); keys of the secret have the same names. AWS's
# own names would be read by KFP's launcher, which runs in the same container.
STORE_VARIABLES = ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY", "NASOA_S3_ENDPOINT")
# For how long a step waits for a store that fails (nasoa/store/opening.py).
PATIENCE = ("NASOA_STORE_PATIENCE", "2m")
# An autoscaler that wants to pack pods onto fewer nodes leaves the nodes of these alone.
ANNOTATIONS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}


def set_user(step: PipelineTask) -> None:
    """Run as the image's user: KFP leaves runAsNonRoot away, which "restricted" asks for."""
    kubernetes.set_security_context(
        step, run_as_user=USER_ID, run_as_group=USER_ID, run_as_non_root=True
    )


def set_store_keys(step: PipelineTask, secret: str) -> None:
    """Give the step the store's keys from a secret of its namespace."""
    kubernetes.use_secret_as_env(
        step,
        secret_name=secret,
        secret_key_to_env={name: name for name in STORE_VARIABLES},
    )


def set_patience(step: PipelineTask) -> None:
    """Have the step wait for a store that fails: a failed step is seldom tried again (0023)."""
    step.set_env_variable(*PATIENCE)


def set_annotations(step: PipelineTask) -> None:
    """Keep autoscalers from moving the pod: an attempt that is evicted begins anew."""
    for name, value in ANNOTATIONS.items():
        kubernetes.add_pod_annotation(step, name, value)
