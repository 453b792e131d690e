"""How to reach Kubeflow Pipelines: an address, credentials, patience."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nasoa.errors import InvalidInput
from nasoa.pipelines.authentication import Credentials
from nasoa.pipelines.transport import Patience


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach a cluster.

    Args:
        host: like https://kubeflow.example.com/pipeline.
        namespace: the user's, where KFP serves several users.
        credentials: who we are.
        ca_file: certificates that sign the host's, where the system does not know them.
        patience: time limits and tries.
    """

    host: str
    namespace: str = ""
    credentials: Credentials = Credentials()  # noqa: RUF009  (frozen)
    ca_file: Path | None = None
    patience: Patience = Patience()  # noqa: RUF009  (frozen)


def address(host: str) -> str:
    """A host as it is used: scheme, name, port and path, without what a browser shows after `#`.

    Raises:
        InvalidInput: it is no such address.
    """
    try:
        parts = urlsplit(host.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        has_user = "@" in parts.netloc
    except ValueError:  # no address, or a port that is no number
        usable, has_user = False, "@" in host
    if has_user:
        raise InvalidInput("expected a host without a user in it; give a token or a cookie instead")
    if not usable or parts.query:
        raise InvalidInput(f"expected a host like https://kubeflow.example.com, got {host!r}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
