"""The keys of an S3 store, from the environment.

The launcher of Kubeflow Pipelines runs in the container of a step, and may use AWS_ACCESS_KEY_ID
and AWS_SECRET_ACCESS_KEY for the bucket of its artifacts. So steps on a cluster get the store's
keys under nasoa's own names; elsewhere AWS's names work too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from nasoa.errors import StoreUnavailable

ACCESS_KEY = "NASOA_S3_ACCESS_KEY_ID"
SECRET_KEY = "NASOA_S3_SECRET_ACCESS_KEY"
SESSION_TOKEN = "NASOA_S3_SESSION_TOKEN"
_OWN = (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class S3Keys:
    """A pair of keys, and the session token if they are temporary."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


def s3_keys(uri: str, environment: Mapping[str, str] = os.environ) -> S3Keys:
    """Read the keys; nasoa's variables take precedence over AWS's, and they are never mixed.

    Args:
        uri: URI of the store, for messages.
        environment: the environment variables.

    Raises:
        StoreUnavailable: there is no pair of keys, or only half of one.
    """
    names = next((names for names in (_OWN, _AWS) if any(map(environment.get, names[:2]))), None)
    if names is None:
        pairs = ", or ".join(" and ".join(names[:2]) for names in (_OWN, _AWS))
        raise StoreUnavailable(f"expected {pairs}, to be set to use {uri}")
    missing = [name for name in names[:2] if not environment.get(name)]
    if missing:
        raise StoreUnavailable(f"expected {missing[0]} to be set to use {uri}")
    access_key, secret_key, session_token = names
    return S3Keys(
        environment[access_key], environment[secret_key], environment.get(session_token) or None
    )
