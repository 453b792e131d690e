"""Requests to Kubeflow Pipelines that always end: with an answer, or with a one-line error.

kfp's client waits forever for a silent server, follows redirects to login pages, and passes on
whatever it receives. This transport limits each request, retries it where that is safe, and turns
everything else into a `NasoaError`.
"""

from __future__ import annotations

import html
import json
import logging
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from kfp_server_api.exceptions import ApiException
from kfp_server_api.rest import RESTClientObject

from nasoa.errors import ClusterFailed, ClusterRefused, NasoaError
from nasoa.pipelines.authentication import WAYS

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
_RETRIED = frozenset({429, 500, 502, 503, 504})
# A POST that creates something may have created it before it failed; these only change a state.
_SAFE_POST = re.compile(r":(terminate|enable|disable|archive|unarchive)$")
_MESSAGE_CHARACTERS = 300


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait and how often to try.

    Args:
        timeout_s: timeout of one request.
        pauses_s: pauses between attempts; there is one more attempt than pauses.
    """

    timeout_s: float = 30.0
    pauses_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)

    def wait(self, seconds: float) -> None:
        """Wait between attempts."""
        time.sleep(seconds)


class PatientRest(RESTClientObject):  # type: ignore[misc]
    """The transport of the SDK, with timeouts, retries, and one-line errors.

    Args:
        configuration: configuration of the SDK; its own retries and redirects are turned off.
        host: host as the user gave it, for messages.
        credentials: description of the credentials for messages; empty for none.
        patience: how long to wait and how often to try.
    """

    def __init__(
        self, configuration: Any, *, host: str, credentials: str, patience: Patience
    ) -> None:
        configuration.retries = urllib3.Retry(total=0, redirect=0, raise_on_redirect=False)
        super().__init__(configuration)
        self._host = host
        self._credentials = credentials
        self._patience = patience

    def request(
        self,
        method: str,
        url: str,
        query_params: Any = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
        post_params: Any = None,
        _preload_content: bool = True,
        _request_timeout: Any = None,
    ) -> Any:
        """Send a request, and retry it where that is safe.

        Raises:
            ClusterRefused: the host cannot be reached, is not KFP, or refuses the request.
            ClusterFailed: the host fails or does not answer, after all retries.
        """
        limit_s = self._patience.timeout_s
        may_repeat = method != "POST" or bool(_SAFE_POST.search(urlsplit(url).path))
        for pause_s in (*self._patience.pauses_s, None):
            try:
                response = super().request(
                    method,
                    url,
                    query_params=query_params,
                    headers=dict(headers or {}),  # the SDK removes some
                    body=body,
                    post_params=post_params,
                    _request_timeout=(min(CONNECT_TIMEOUT_S, limit_s), limit_s),
                )
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                said = self._explained(error)
                retried = _is_passing(error) and (may_repeat or _never_arrived(error))
                if pause_s is None or not retried:
                    raise said from None
                logger.info("%s; trying again in %g s", said, pause_s)
                self._patience.wait(pause_s)
            else:
                self._check_json(response)
                return response
        raise AssertionError("the last try returns or raises")

    def _check_json(self, response: Any) -> None:
        """Check that the answer is a JSON object, as all answers of KFP are here."""
        try:
            document = json.loads(response.data)
        except ValueError:
            document = None
        if isinstance(document, dict):
            return
        if _is_page(response.data):
            raise self._not_kfp("a web page")
        raise ClusterFailed(
            f"expected JSON from KFP at {self._host}, got {_shortened(response.data)!r}; "
            "check for a proxy in between"
        )

    def _explained(self, error: Exception) -> NasoaError:
        if isinstance(error, ApiException):
            return self._refusal(error)
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, urllib3.exceptions.SSLError):
            return ClusterRefused(
                f"the certificate of {self._host} is not trusted "
                f"({_shortened(str(reason.args[0]))}); give its authority with --ca-file"
            )
        if isinstance(reason, urllib3.exceptions.NameResolutionError):
            return ClusterRefused(f"the name of {self._host} cannot be resolved; check --host")
        if isinstance(reason, urllib3.exceptions.NewConnectionError):
            return ClusterRefused(
                f"nothing listens at {self._host}; check --host, or forward a port: "
                "kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80"
            )
        if isinstance(reason, urllib3.exceptions.TimeoutError):
            return ClusterFailed(
                f"{self._host} did not answer within {self._patience.timeout_s:g} s; "
                "try again, or raise --request-timeout"
            )
        return ClusterFailed(
            f"the connection to {self._host} was lost ({type(reason).__name__}); "
            "check whether --host needs http or https"
        )

    def _refusal(self, error: ApiException) -> NasoaError:
        status, said = int(error.status), _message(error.body)
        if status in _RETRIED:
            return ClusterFailed(f"KFP at {self._host} failed ({status}): {said}")
        if 300 <= status < 400:
            address = urlsplit((error.headers or {}).get("Location", ""))
            to = f"{address.scheme}://{address.netloc}" if address.netloc else ""
            return self._not_kfp(f"a redirect to {to}{address.path or '/'}", status)
        if status == 401:
            return ClusterRefused(self._unknown_user(), status)
        if status == 403:
            return ClusterRefused(
                f"{self._host} forbids this (403): {said}; "
                f"{self._who()} needs permissions in the namespace, or name another with "
                "--namespace",
                status,
            )
        if _is_page(error.body):
            return self._not_kfp(f"a web page ({status})", status)
        return ClusterRefused(f"KFP at {self._host} refuses this ({status}): {said}", status)

    def _unknown_user(self) -> str:
        if not self._credentials:
            return f"{self._host} requires authentication (401); use {WAYS}"
        return f"{self._host} does not accept the {self._credentials} (401); it is wrong or expired"

    def _who(self) -> str:
        return f"the {self._credentials}" if self._credentials else "a request without credentials"

    def _not_kfp(self, got: str, status: int | None = None) -> ClusterRefused:
        advice = "log in again" if self._credentials else f"authenticate with {WAYS}"
        return ClusterRefused(
            f"expected the API of Kubeflow Pipelines at {self._host}, got {got}; "
            f"check --host, or {advice} if that is a login",
            status,
        )


def _is_passing(error: Exception) -> bool:
    """Return whether the same request may succeed a little later."""
    if isinstance(error, ApiException):
        return error.status in _RETRIED
    reason = getattr(error, "reason", None) or error
    lasting = (urllib3.exceptions.SSLError, urllib3.exceptions.NewConnectionError)
    return not isinstance(reason, lasting)


def _never_arrived(error: Exception) -> bool:
    reason = getattr(error, "reason", None) or error
    return isinstance(reason, urllib3.exceptions.ConnectTimeoutError)


def _is_page(body: bytes | str | None) -> bool:
    start = (body[:500] if body else b"").lstrip()
    text = start.decode(errors="replace") if isinstance(start, bytes) else start
    return bool(re.match(r"(?i)<(!doctype html|html|head|body|\?xml)", text))


def _message(body: bytes | str | None) -> str:
    """Return the message of an error: `{"error": ..., "code": ..., "message": ...}`, or text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):
        said = [document.get(key) for key in ("message", "error_message", "error")]
        text = next((words for words in said if isinstance(words, str)), "")
    return _shortened(re.sub(r"<[^>]*>", " ", html.unescape(text))) or "it gives no reason"


def _shortened(text: bytes | str) -> str:
    plain = text.decode(errors="replace") if isinstance(text, bytes) else text
    line = " ".join(plain.split())
    return line if len(line) <= _MESSAGE_CHARACTERS else line[:_MESSAGE_CHARACTERS] + "..."
