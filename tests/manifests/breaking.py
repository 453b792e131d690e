"""Breaks one thing in documents that passed, and asks a check what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scripts.manifests.bundle import Bundle, Document
from scripts.manifests.checks import CHECKS
from tests.manifests.cluster_store import find

Break = Callable[[Bundle], object]


def stateful_set(bundle: Bundle) -> Document:
    return find(bundle, "StatefulSet", "seaweedfs")


def pod(bundle: Bundle) -> dict[str, Any]:
    spec: dict[str, Any] = stateful_set(bundle)["spec"]["template"]["spec"]
    return spec


def container(bundle: Bundle) -> dict[str, Any]:
    (found,) = pod(bundle)["containers"]
    return dict_of(found)


def dict_of(value: Any) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


def context(bundle: Bundle) -> dict[str, Any]:
    return dict_of(container(bundle)["securityContext"])


def role(bundle: Bundle) -> dict[str, Any]:
    return dict_of(find(bundle, "Role", "nasoa-pipeline")["rules"][0])


def problems(check: str, bundle: Bundle, broken: Break) -> list[str]:
    """What the check says of the broken bundle; it said nothing before."""
    assert list(CHECKS[check](bundle)) == []
    broken(bundle)
    return list(CHECKS[check](bundle))
