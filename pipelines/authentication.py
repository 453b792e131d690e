"""Credentials for Kubeflow Pipelines: none, a token, a cookie, or a service account.

No message, `repr` or log line contains a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfp import client as kfp_client
from kfp.client.token_credentials_base import TokenCredentialsBase

from nasoa.errors import InvalidInput
from nasoa.home_path import expanded

TOKEN_VARIABLE = "NASOA_KFP_TOKEN"
COOKIE_VARIABLE = "NASOA_KFP_COOKIE"
TOKEN_FILE_VARIABLE = "NASOA_KFP_TOKEN_FILE"
IN_CLUSTER_HOST = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
WAYS = (
    f"--token ({TOKEN_VARIABLE}), --cookie ({COOKIE_VARIABLE}), "
    f"--token-file ({TOKEN_FILE_VARIABLE}) or --in-cluster"
)


class TokenFile(TokenCredentialsBase):  # type: ignore[misc]
    """A token in a file, read for each request because the kubelet renews it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """Return the token.

        Raises:
            InvalidInput: the file cannot be read, or does not contain a token.
        """
        try:
            text = self.path.read_text(encoding="ascii")
        except OSError as error:
            raise InvalidInput(
                f"expected a token in the file {self.path}: {error.strerror}; "
                "in a pod, mount a service-account token with audience pipelines.kubeflow.org there"
            ) from None
        except UnicodeDecodeError:
            raise InvalidInput(f"expected an ASCII token in the file {self.path}") from None
        return _header_value(text.strip(), f"the file {self.path}")

    def refresh_api_key_hook(self, config: Any) -> None:
        """Set the token of the next request; the SDK calls this before each one."""
        config.api_key["authorization"] = self.read()


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """One way to authenticate, or none.

    Args:
        kind: description for messages; empty for none.
        token: bearer token.
        cookie: value of the Cookie header, like `authservice_session=...`.
        token_file: file with a bearer token, read for each request.
    """

    kind: str = ""
    token: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    token_file: TokenFile | None = None


def choose(
    *,
    token: str | None = None,
    cookie: str | None = None,
    token_file: str | None = None,
    in_cluster: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Credentials:
    """Return the credentials from the flags, else those from the environment, else none.

    Raises:
        InvalidInput: there is more than one way to authenticate, or a secret is malformed.
    """
    flags = {"--token": token, "--cookie": cookie, "--token-file": token_file}
    given = {name: value for name, value in flags.items() if value is not None}
    if in_cluster:
        given["--in-cluster"] = environment.get(
            kfp_client.KF_PIPELINES_SA_TOKEN_ENV, kfp_client.KF_PIPELINES_SA_TOKEN_PATH
        )
    if not given:
        variables = (TOKEN_VARIABLE, COOKIE_VARIABLE, TOKEN_FILE_VARIABLE)
        given = {name: environment[name] for name in variables if environment.get(name)}
    if len(given) > 1:
        raise InvalidInput(f"expected one way to authenticate, got {' and '.join(given)}")
    for name, value in given.items():
        return _from(name, value)
    return Credentials()


def _from(name: str, value: str) -> Credentials:
    if name in ("--token", TOKEN_VARIABLE):
        return Credentials(kind=f"token of {name}", token=_header_value(value, name))
    if name in ("--cookie", COOKIE_VARIABLE):
        return Credentials(kind=f"cookie of {name}", cookie=_header_value(value, name, cookie=True))
    file = TokenFile(Path(expanded(value)))
    file.read()  # report a missing file before the first request
    return Credentials(kind=f"token in {value}", token_file=file)


def _header_value(secret: str, source: str, *, cookie: bool = False) -> str:
    """Return a secret if it fits on one header line; the error message never contains it."""
    printable = secret.isascii() and secret.isprintable() and secret.strip() == secret != ""
    if cookie and not (printable and "=" in secret):
        raise InvalidInput(f"expected {source} to hold a cookie like authservice_session=...")
    if not printable or (" " in secret and not cookie):
        raise InvalidInput(
            f"expected {source} to hold a token: one line of ASCII without spaces, not empty"
        )
    return secret
