"""Values of pool parameters: those that Kubernetes accepts pass, others are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.errors import InvalidInput
from nasoa.pipelines.catalogue import find
from nasoa.pipelines.parameters import typed
from nasoa.pipelines.pool_values import check

SMALL = {
    "gpu_count": "0",
    "gpu_cpu_request": "1",
    "gpu_cpu_limit": "2",
    "gpu_memory_request": "2Gi",
    "gpu_memory_limit": "4Gi",
}
LATER = "preferredDuringSchedulingIgnoredDuringExecution"
UNITS = {"": 1, "K": 1000, "M": 1000**2, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}


@pytest.mark.parametrize(
    "values",
    [
        {},
        SMALL,
        {"gpu_type": "amd.com/gpu", "gpu_node_selector": {"nasoa/pool": "online"}},
        {"light_tolerations": [{"operator": "Exists"}, {"key": "a", "value": "b"}]},
        {"light_affinity": {LATER: []}, "light_cpu_request": "0.25"},
        {"gpu_tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 300.0}]},
    ],
)
def test_what_kubernetes_takes(values: dict[str, Any]) -> None:
    check(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"gpu_count": "-1"}, "a whole number, 0 or more for the parameter 'gpu_count', got '-1'"),
        ({"gpu_count": "one"}, "a whole number"),
        ({"gpu_type": "NVIDIA TESLA"}, "like nvidia.com/gpu"),
        ({"gpu_cpu_limit": "8 cores"}, "CPUs like 4 or 500m"),
        ({"light_memory_limit": "4 GB"}, "memory like 16Gi"),
        ({"light_memory_limit": "0Gi"}, "memory like 16Gi"),
        ({"gpu_node_selector": {"gpu": True}}, "labels with strings"),
        ({"gpu_tolerations": [{"value": "x"}]}, "a list of tolerations"),
        ({"gpu_tolerations": [{"key": "x", "operator": "In"}]}, "a list of tolerations"),
        ({"gpu_tolerations": [{"key": "x", "effect": "Never"}]}, "a list of tolerations"),
        ({"light_tolerations": ["spot"]}, "a list of tolerations"),
        ({"gpu_affinity": {"nodeAffinity": {}}}, "requiredDuringScheduling"),
        ({"light_cpu_limit": "250m"}, r"light_cpu_limit to be light_cpu_request \(500m\) or more"),
        ({"gpu_memory_limit": "4Gi"}, "got 4Gi; give both"),
    ],
)
def test_what_it_would_refuse(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        check(values)


@given(
    request=st.tuples(st.integers(1, 10**6), st.sampled_from(list(UNITS))),
    limit=st.tuples(st.integers(1, 10**6), st.sampled_from(list(UNITS))),
)
def test_a_limit_is_no_less_than_the_request(
    request: tuple[int, str], limit: tuple[int, str]
) -> None:
    values = {
        "gpu_memory_request": f"{request[0]}{request[1]}",
        "gpu_memory_limit": f"{limit[0]}{limit[1]}",
    }
    if request[0] * UNITS[request[1]] <= limit[0] * UNITS[limit[1]]:
        check(values)
    else:
        with pytest.raises(InvalidInput, match="or more"):
            check(values)


def test_they_are_looked_at_with_a_pipelines_parameters() -> None:
    pipeline = find("build_zoo")
    known = {"data": "x", "store": "s3://nasoa"}
    assert typed(pipeline, {**known, **SMALL}) == {**known, **SMALL}
    with pytest.raises(InvalidInput, match="'gpu_node_selector'"):
        typed(pipeline, {**known, "gpu_node_selector": '{"gpu": 1}'})
