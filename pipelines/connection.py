"""How to reach Kubeflow Pipelines: address, credentials, timeouts and retries."""

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
        host: URL like https://kubeflow.example.com/pipeline.
        namespace: the user's namespace, if KFP serves several users.
        credentials: how to authenticate.
        ca_file: CA certificates for the host, if the system does not trust it.
        patience: timeouts and retries.
    """

    host: str
    namespace: str = ""
    credentials: Credentials = Credentials()  # noqa: RUF009  (frozen)
    ca_file: Path | None = None
    patience: Patience = Patience()  # noqa: RUF009  (frozen)


def address(host: str) -> str:
    """Return a host's scheme, name, port and path, without what a browser shows after `#`.

    Raises:
        InvalidInput: the text is not an HTTP or HTTPS URL, or it has a user or a query.
    """
    try:
        parts = urlsplit(host.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        has_user = "@" in parts.netloc
    except ValueError:  # not a URL, or a port that is not a number
        usable, has_user = False, "@" in host
    if has_user:
        raise InvalidInput("expected a host without a user name; give a token or a cookie instead")
    if not usable or parts.query:
        raise InvalidInput(f"expected a host like https://kubeflow.example.com, got {host!r}")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
