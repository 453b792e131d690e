"""kfp's client with nasoa's transport, and the version and mode that KFP reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfp

from nasoa.errors import ClusterFailed, ClusterRefused, InvalidInput
from nasoa.pipelines.connection import Connection
from nasoa.pipelines.transport import PatientRest

OLDEST_VERSION = (2, 0)
REQUIREMENT = "kfp>=2.17,<3"  # as in pyproject.toml
# Kubernetes mounts this file into each pod.
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# Fields of the API server's answer, and of the user interface in front of it.
_HEALTH_FIELDS = {"tag_name", "commit_sha", "multi_user", "pipeline_store", "apiServerTagName"}


@dataclass(frozen=True, kw_only=True)
class Health:
    """What KFP's health check reports.

    Args:
        version: version like 2.17.0; empty if it is not reported.
        multi_user: whether each user has a namespace.
    """

    version: str
    multi_user: bool

    @property
    def numbers(self) -> tuple[int, int] | None:
        """Major and minor version; None if the version is unknown."""
        found = re.match(r"v?(\d+)\.(\d+)", self.version)
        return (int(found[1]), int(found[2])) if found else None


class Sdk(kfp.Client):  # type: ignore[misc]
    """The SDK's client with nasoa's transport; it checks the host's health and writes no files.

    It uses no private attributes of kfp. It relies on the services of a client being public and
    sharing one `ApiClient`, and on each method calling `get_user_namespace`.

    Raises:
        InvalidInput: the installed kfp does not have these properties.
    """

    def __init__(self, connection: Connection) -> None:
        self.user_namespace = ""
        credentials = connection.credentials
        super().__init__(
            host=connection.host,
            # With an empty namespace, the constructor would ask for the host's health, for 25 s.
            namespace="not used, see get_user_namespace",
            existing_token=credentials.token,
            cookies=credentials.cookie,
            ssl_ca_cert=str(connection.ca_file) if connection.ca_file else None,
            credentials=credentials.token_file,
        )
        api = _shared_api_client(self)
        api.rest_client = PatientRest(
            api.configuration,
            host=connection.host,
            credentials=credentials.kind,
            patience=connection.patience,
        )
        self.health = ask_health(api, connection.host)
        if self.health.multi_user:
            self.set_user_namespace(connection.namespace or _pod_namespace())

    def get_user_namespace(self) -> str:
        """Return the namespace; the SDK's own method reads a file in the home folder."""
        return self.user_namespace

    def asked(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path of the API for which the SDK has no method."""
        return _asked(_shared_api_client(self), path)

    def set_user_namespace(self, namespace: str) -> None:
        """Set the namespace in memory; the SDK's own method writes it into the home folder."""
        self.user_namespace = namespace.strip()


def _shared_api_client(sdk: Any) -> Any:
    """Return the `ApiClient` that all services share.

    Raises:
        InvalidInput: the installed kfp is not supported.
    """
    try:
        return sdk.runs.api_client
    except AttributeError as error:
        raise InvalidInput(
            f"expected {REQUIREMENT}, got {kfp.__version__} ({error}); pip install '{REQUIREMENT}'"
        ) from None


def _pod_namespace() -> str:
    """Return the namespace of the pod that this runs in; empty outside of a pod."""
    try:
        return POD_NAMESPACE.read_text(encoding="utf-8")
    except OSError:
        return ""


def ask_health(api: Any, host: str) -> Health:
    """Ask for the health of KFP 2; if there is no such API, name the version of KFP 1.

    Raises:
        ClusterRefused: the host is not KFP, or is KFP 1.
    """
    try:
        said = _asked(api, "/apis/v2beta1/healthz")
    except ClusterRefused as error:
        if error.status != 404:
            raise
        old = _old_health(api)
        version = _version(old) if old is not None else None
        if version is None:
            raise ClusterRefused(
                f"expected the API of Kubeflow Pipelines at {host}, got 404; check --host and its "
                "path (a full Kubeflow serves it at /pipeline)"
            ) from None
        raise too_old(host, version) from None
    if said and _version(said) is None:
        raise ClusterRefused(
            f"expected the API of Kubeflow Pipelines at {host}, got the JSON of another service; "
            "check --host"
        )
    # The API server's field is multi_user, that of the user interface apiServerMultiUser.
    multi_user = said.get("multi_user", said.get("apiServerMultiUser", False))
    return Health(version=_version(said) or "", multi_user=multi_user is True)


def _old_health(api: Any) -> dict[str, Any] | None:
    try:
        return _asked(api, "/apis/v1beta1/healthz")
    except (ClusterRefused, ClusterFailed):
        return None


def _asked(api: Any, path: str) -> dict[str, Any]:
    said: dict[str, Any] = api.call_api(
        path, "GET", response_type="object", auth_settings=["Bearer"], _return_http_data_only=True
    )
    return said


def _version(said: Mapping[str, Any]) -> str | None:
    """Return the version in a health document; None if the document is not from KFP."""
    if not _HEALTH_FIELDS & set(said):
        return None
    version = said.get("tag_name") or said.get("apiServerTagName") or ""
    return str(version) if re.match(r"v?\d+\.\d+", str(version)) else ""


def too_old(host: str, version: str) -> ClusterRefused:
    """Return the error for a KFP without version 2 of the API."""
    return ClusterRefused(
        f"expected Kubeflow Pipelines 2 at {host}, got version {version or 'unknown, before 2'}; "
        f"upgrade it, kfp {kfp.__version__} does not support this version"
    )
