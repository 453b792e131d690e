"""What works on this machine and with this store."""

from __future__ import annotations

import platform
import secrets
from dataclasses import dataclass

import nasoa
from nasoa.errors import NasoaError
from nasoa.steps import zoo as zoo_steps
from nasoa.store import open_store


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked."""

    subject: str
    ok: bool
    detail: str


def check(store_uri: str) -> list[Finding]:
    """This library, the device, the zoo, and whether the store can be read and written."""
    return [
        Finding(
            subject="nasoa",
            ok=True,
            detail=f"{nasoa.__version__} on Python {platform.python_version()}",
        ),
        _device(),
        _zoo(store_uri),
        store_works(store_uri),
    ]


def _device() -> Finding:
    import torch  # noqa: PLC0415

    from nasoa.training.hardware import hardware_key, use_threads  # noqa: PLC0415

    use_threads()
    return Finding(subject="device", ok=True, detail=f"{hardware_key()}, torch {torch.__version__}")


def _zoo(store_uri: str) -> Finding:
    try:
        entries = zoo_steps.load_zoo(open_store(store_uri)).entries
    except NasoaError as error:
        return Finding(subject="zoo", ok=False, detail=str(error))
    names = ", ".join(sorted(entries))
    return Finding(subject="zoo", ok=bool(entries), detail=f"{len(entries)} models: {names}")


def store_works(store_uri: str) -> Finding:
    """Write a small object, read it back, and remove it."""
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        store = open_store(store_uri)
        store.put(key, b"ok")
        same = store.get(key) == b"ok"
        store.delete(key)
    except NasoaError as error:
        return Finding(subject="store", ok=False, detail=str(error))
    return Finding(subject="store", ok=same, detail=f"{store.uri} can be read and written")
