"""Redact secrets in every text that is shown or logged."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

HIDDEN = "***"
FEWEST = 6  # characters of an environment variable's value that is hidden everywhere
# Names of secrets in the environment, in query strings, in settings and in JSON.
# Repetitions that can start at many places are bounded, so that no text takes long.
_NAME = (
    r"(?:[\w.-]{0,99}?(?:passw(?:or)?d|secret|token|signature|credential|access[_-]?key"
    r"|api[_-]?key|private[_-]?key|authorization)[\w.-]{0,99}|sig|pwd|awsaccesskeyid)"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
# Environment variables that say where a secret is kept; the value is not secret.
_NOT_SECRET = re.compile(r"(?:_FILE|_PATH|_NAME|_DIR|_SOCK|_HOST|_URI)$", re.IGNORECASE)
_FOLDERS = frozenset(("PWD", "OLDPWD"))  # shells keep the current folder in them

# User and password before the @ of a URL. Some users do not encode slashes in a password.
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
# name=value, "name": "value", and name: value unless the value looks like a word of a sentence.
_SETTING = re.compile(
    rf"(?P<before>(?<![\w.-]){_NAME}(?:['\"]?\s*(?:=|%3D)\s*|['\"]\s*:\s*|:\s*(?=[^\s\d]*\d|['\"])))"
    r"(?:(?P<quote>['\"])[^'\"]+(?P=quote)|[^\s'\"&;,<>()\[\]{}]+)",
    re.IGNORECASE,
)
# <SecretKey>abc</SecretKey> in responses of S3 servers.
_ELEMENT = re.compile(rf"(?P<before><(?P<name>{_NAME})>)[^<]+(?=</)", re.IGNORECASE)
# AWS access keys and JSON web tokens, which are recognised without a name.
_KNOWN = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*")


def redacted(text: str) -> str:
    """Return a text with passwords, keys, tokens and URL signatures replaced by `HIDDEN`.

    Values of environment variables whose names mark them as secret are hidden everywhere in the
    text. So are values that follow such a name, user names and passwords in URLs, and Authorization
    headers.

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
    """Return secret environment values, longest first, as one may be a part of another."""
    values = {
        value
        for name, value in os.environ.items()
        if len(value) >= FEWEST
        and name not in _FOLDERS
        and _SECRET_NAME.fullmatch(name)
        and not _NOT_SECRET.search(name)
    }
    return sorted(values, key=len, reverse=True)
