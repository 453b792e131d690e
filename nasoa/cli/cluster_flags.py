"""Flags for the connection to a cluster, for credentials, and for pipeline parameters."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.home_path import expanded

if TYPE_CHECKING:
    from nasoa.pipelines.connection import Connection

# kfp takes a second to import, so the functions below import what depends on it.

HOST_VARIABLE = "NASOA_KFP_HOST"
NAMESPACE_VARIABLE = "NASOA_KFP_NAMESPACE"
CA_VARIABLE = "NASOA_KFP_CA_FILE"
SERVICE_ACCOUNT_VARIABLE = "NASOA_KFP_SERVICE_ACCOUNT"
SERVICE_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the flags for the connection to a cluster and for credentials."""
    group = parser.add_argument_group("cluster")
    group.add_argument(
        "--host", metavar="URL", help=f"address of Kubeflow Pipelines ({HOST_VARIABLE})"
    )
    group.add_argument(
        "--namespace", help=f"namespace of the runs' pods, or your profile ({NAMESPACE_VARIABLE})"
    )
    group.add_argument("--token", help="bearer token; better set in NASOA_KFP_TOKEN")
    group.add_argument(
        "--cookie", help="cookie of a browser session; better set in NASOA_KFP_COOKIE"
    )
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="file with a service-account token, read for each request (NASOA_KFP_TOKEN_FILE)",
    )
    group.add_argument(
        "--in-cluster", action="store_true", help="run in a pod: use its token and KFP's service"
    )
    group.add_argument(
        "--ca-file", metavar="FILE", help=f"CA certificates of the host ({CA_VARIABLE})"
    )
    group.add_argument(
        "--request-timeout", default="30s", metavar="TIME", help="of a request (default: 30s)"
    )


def has_host(arguments: argparse.Namespace) -> bool:
    """Whether flags or environment name a cluster."""
    return bool(arguments.host or arguments.in_cluster or os.environ.get(HOST_VARIABLE))


def connection(arguments: argparse.Namespace) -> Connection:
    """Return the connection to the cluster that flags and environment name.

    Raises:
        InvalidInput: no host is named, or a setting of the connection is invalid.
    """
    from nasoa.pipelines import authentication  # noqa: PLC0415
    from nasoa.pipelines.connection import Connection, address  # noqa: PLC0415
    from nasoa.pipelines.transport import Patience  # noqa: PLC0415

    host = arguments.host or os.environ.get(HOST_VARIABLE)
    if not host and arguments.in_cluster:
        host = authentication.IN_CLUSTER_HOST
    if not host:
        raise InvalidInput(
            f"expected the cluster's address; give --host URL or set {HOST_VARIABLE}"
        )
    ca_file = expanded(arguments.ca_file or os.environ.get(CA_VARIABLE) or "")
    if ca_file and not os.path.isfile(ca_file):
        raise InvalidInput(f"expected a file of certificates for --ca-file, got {ca_file!r}")
    return Connection(
        host=address(host),
        namespace=arguments.namespace or os.environ.get(NAMESPACE_VARIABLE, ""),
        credentials=authentication.choose(
            token=arguments.token,
            cookie=arguments.cookie,
            token_file=arguments.token_file,
            in_cluster=arguments.in_cluster,
        ),
        ca_file=Path(ca_file) if ca_file else None,
        patience=Patience(timeout_s=parse_duration(arguments.request_timeout)),
    )


def add_parameters(parser: argparse.ArgumentParser) -> None:
    """Add the flags for parameters, experiment and service account of a run."""
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="parameter of the pipeline; may be given several times",
    )
    parser.add_argument(
        "--experiment", default="nasoa", help="group of runs on the cluster (default: nasoa)"
    )
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="service account of the runs' pods, like nasoa-pipeline (default: KFP's own, "
        f"or {SERVICE_ACCOUNT_VARIABLE})",
    )


def service_account(arguments: argparse.Namespace) -> str:
    """Return the service account that flag or environment name; "" for KFP's own.

    Raises:
        InvalidInput: the name is not valid in Kubernetes.
    """
    name: str = arguments.service_account or os.environ.get(SERVICE_ACCOUNT_VARIABLE, "")
    if name and not SERVICE_ACCOUNT.fullmatch(name):
        raise InvalidInput(
            "expected a service account of a-z, 0-9, '-' and '.', like nasoa-pipeline, "
            f"got {name!r}"
        )
    return name


def read_parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the parameters given with `-p`, as text."""
    parameters = {}
    for given in arguments.parameters:
        key, equals, value = given.partition("=")
        if not equals:
            raise InvalidInput(f"expected a parameter like -p data=photos.zip, got {given!r}")
        parameters[key] = value
    return parameters


def cluster_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the typed parameters of a pipeline that runs on a cluster.

    Raises:
        InvalidInput: a parameter is invalid, or the store is a folder of this machine.
    """
    from nasoa.pipelines import catalogue  # noqa: PLC0415
    from nasoa.pipelines.parameters import typed  # noqa: PLC0415

    pipeline = catalogue.find(arguments.name)
    parameters = read_parameters(arguments)
    store = (pipeline.component_spec.inputs or {}).get("store")
    if store is not None and "store" not in parameters:
        if arguments.store.startswith("s3://"):
            parameters["store"] = arguments.store
        elif not store.optional:
            raise InvalidInput(
                "expected a store that the pods can reach, like --store s3://bucket/prefix, got "
                f"{arguments.store!r}; for a folder that is mounted in the pods give -p store=..."
            )
    return typed(pipeline, parameters)
