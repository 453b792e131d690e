"""Secrets are taken out of every text that is shown or logged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HIDDEN = "***"
FEWEST = 6  # characters of a value that is hidden wherever it stands
# Names of what is secret, in the environment, in queries, in settings and in JSON. All repeats that
# can be tried at many places are bounded, so that no text takes long.
_NAME = (
    r"(?:[\w.-]{0,99}?(?:passw(?:or)?d|secret|token|signature|credential|access[_-]?key"
    r"|api[_-]?key|private[_-]?key|authorization)[\w.-]{0,99}|sig|pwd|awsaccesskeyid)"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
# Of the environment: where a secret is kept, and not the secret itself.
_NOT_SECRET = re.compile(r"(?:_FILE|_PATH|_NAME|_DIR|_SOCK|_HOST|_URI)$", re.IGNORECASE)

# What stands before the @: a password may hold slashes, though none should.
_USER = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}://)"
    r"(?:[^\s:/@'\"]{0,999}:[^\s@'\"]{1,2000}|[^\s/@'\"]{1,2000})@",
    re.IGNORECASE,
)
# Authorization: Bearer abc, and AWS4-HMAC-SHA256 Credential=..., Signature=...
_HEADER = re.compile(
    r"(?P<before>authorization['\"]?\s*[:=]\s*['\"]?)[^'\"\r\n]+|(?P<kind>\bbearer\s+)[\w.~+/=-]+",
    re.IGNORECASE,
)
# name=value, "name": "value", and name: value, if it is no word of a sentence.
_SETTING = re.compile(
    rf"(?P<before>(?<![\w.-]){_NAME}(?:['\"]?\s*(?:=|%3D)\s*|['\"]\s*:\s*|:\s*(?=[^\s\d]*\d|['\"])))"
    r"(?:(?P<quote>['\"])[^'\"]+(?P=quote)|[^\s'\"&;,<>()\[\]{}]+)",
    re.IGNORECASE,
)
# <SecretKey>abc</SecretKey>, as S3 servers answer.
_ELEMENT = re.compile(rf"(?P<before><(?P<name>{_NAME})>)[^<]+(?=</)", re.IGNORECASE)
# Access keys of AWS, and JSON web tokens, without a name.
_KNOWN = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")


def redacted(text: str) -> str:
    """Return a text without passwords, keys, tokens, and signed parts of URLs.

    What the environment holds under a secret's name is hidden wherever it stands; so is what stands
    behind such a name, before the @ of a URL, and in an Authorization header.

    >>> redacted("http://me:hunter2@store:9000/b?X-Amz-Signature=0a1b&partNumber=1")
    'http://***@store:9000/b?X-Amz-Signature=***&partNumber=1'
    """
    for value in _secret_values():
        text = text.replace(value, HIDDEN)
    text = _USER.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _HEADER.sub(lambda found: f"{found['before'] or found['kind']}{HIDDEN}", text)
    text = _ELEMENT.sub(rf"\g<before>{HIDDEN}", text)
    text = _SETTING.sub(_hide_value, text)
    return _KNOWN.sub(HIDDEN, text)


def _hide_value(found: re.Match[str]) -> str:
    quote = found["quote"] or ""
    return f"{found['before']}{quote}{HIDDEN}{quote}"


def _secret_values() -> Iterable[str]:
    """Values of the environment that are secret, the longest first: one may be part of another."""
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= FEWEST and _SECRET_NAME.fullmatch(name) and not _NOT_SECRET.search(name)
    }
    return sorted(values, key=len, reverse=True)
