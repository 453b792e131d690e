"""Check the values of pool parameters before a run is started.

KFP accepts any text and mapping here; Kubernetes refuses the pod only during the run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from nasoa.errors import InvalidInput
from nasoa.pipelines.options import QUANTITY
from nasoa.pipelines.placement import POOL_PARAMETERS
from nasoa.whole_number import whole_number

_CPUS = re.compile(r"[0-9]{1,18}m|[0-9]{0,18}\.?[0-9]{1,18}")
_RESOURCE = re.compile(r"[a-z0-9.-]+(?:/[A-Za-z0-9._-]+)?")
_MOST = 2**31 - 1
_EFFECTS = (None, "NoSchedule", "PreferNoSchedule", "NoExecute")
_TERMS = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def check(values: Mapping[str, Any]) -> None:
    """Check that Kubernetes accepts the values of pool parameters; ignore other parameters.

    Args:
        values: values by the parameter's name, of its type; missing ones have their defaults.

    Raises:
        InvalidInput: a value is not valid, or a request exceeds its limit.
    """
    pools = {p.name: values.get(p.name, p.default) for p in POOL_PARAMETERS}
    for name, value in pools.items():
        fits, expected = _KINDS[name.partition("_")[2]]
        if not fits(value):
            raise InvalidInput(f"expected {expected} for the parameter {name!r}, got {value!r}")
    for prefix in ("gpu", "light"):
        for what, amount in (("cpu", _cpus), ("memory", _bytes)):
            request, limit = f"{prefix}_{what}_request", f"{prefix}_{what}_limit"
            if amount(pools[request]) > amount(pools[limit]):
                raise InvalidInput(
                    f"expected {limit} to be {request} ({pools[request]}) or more, "
                    f"got {pools[limit]}; give both"
                )


def _is_tolerations(value: list[Any]) -> bool:
    return all(
        isinstance(one, dict)
        and one.get("operator", "Equal") in ("Equal", "Exists")
        and one.get("effect") in _EFFECTS
        and ("key" in one or one.get("operator") == "Exists")
        for one in value
    )


def _is_selector(value: dict[str, Any]) -> bool:
    return all(isinstance(label, str) for pair in value.items() for label in pair)


def _is_affinity(value: dict[str, Any]) -> bool:
    return all(key in _TERMS for key in value)


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "type": (
        lambda text: bool(_RESOURCE.fullmatch(text)),
        "a resource's name like nvidia.com/gpu",
    ),
    "count": (lambda text: whole_number(text, _MOST) is not None, "a whole number, 0 or more"),
    "cpu_request": (lambda text: bool(_CPUS.fullmatch(text)), "CPUs like 4 or 500m"),
    "cpu_limit": (lambda text: bool(_CPUS.fullmatch(text)), "CPUs like 4 or 500m"),
    "memory_request": (lambda text: bool(QUANTITY.fullmatch(text)), "memory like 16Gi"),
    "memory_limit": (lambda text: bool(QUANTITY.fullmatch(text)), "memory like 16Gi"),
    "node_selector": (_is_selector, 'labels with strings as values like {"nasoa/pool": "online"}'),
    "tolerations": (
        _is_tolerations,
        'a list of tolerations like [{"key": "nvidia.com/gpu", "operator": "Exists"}]',
    ),
    "affinity": (_is_affinity, f"a mapping of {' or '.join(_TERMS)}"),
}


def _cpus(text: str) -> float:
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _bytes(text: str) -> int:
    digits = text.rstrip("KMGTi")
    unit = text[len(digits) :]
    base = 1024 if unit.endswith("i") else 1000
    return int(digits) * int(base ** " KMGT".index(unit[:1] or " "))
