"""Quotas hold what docs/cluster.md says may run at once."""

from __future__ import annotations

import re

import pytest

from nasoa.pipelines.placement import POOL_PARAMETERS
from scripts.manifests.bundle import Bundle
from tests.manifests.cluster_store import find

# KFP 2.17 asks this for a driver: driverResources in backend/src/v2/compiler/argocompiler/argo.go.
DRIVER = {
    "requests.cpu": "100m",
    "requests.memory": "64Mi",
    "limits.cpu": "500m",
    "limits.memory": "512Mi",
}


@pytest.mark.parametrize(
    ("overlay", "namespace", "at_once", "pretrainings"),
    [
        ("multi-user", "nasoa", 1, 0),
        ("multi-user", "nasoa-search", 1, 0),
        ("multi-user-gpu", "nasoa", 8, 0),
        ("multi-user-gpu", "nasoa-search", 64, 1),
    ],
)
def test_the_quota_holds_steps_of_the_default_sizes(
    built: dict[str, Bundle], overlay: str, namespace: str, at_once: int, pretrainings: int
) -> None:
    """So many GPU steps, each with a driver, and light steps beside them (docs/cluster.md)."""
    bundle = built[overlay]
    hard = find(bundle, "ResourceQuota", "nasoa", namespace)["spec"]["hard"]
    # Argo's container `wait`, which has no sizes, gets these.
    (limits,) = find(bundle, "LimitRange", "nasoa", namespace)["spec"]["limits"]
    light_steps = at_once if namespace == "nasoa" else 1
    for name, of_driver in DRIVER.items():
        part, what = name.split(".")
        defaults = limits["defaultRequest" if part == "requests" else "default"]
        beside = amount(defaults[what])
        gpu, light = (size(pool, what, part.removesuffix("s")) + beside for pool in POOLS)
        driver = amount(of_driver) + beside
        used = at_once * (gpu + driver) + light_steps * light
        if pretrainings:
            job = find(bundle, "TrainJob", "pretrain-zoo")["spec"]["trainer"]
            used += pretrainings * amount(job["resourcesPerNode"][part][what])
        assert used <= amount(hard[name]) <= 1.5 * used or overlay == "multi-user", (name, used)


def test_gpus_of_tasks_and_of_searches_are_counted_apart(built: dict[str, Bundle]) -> None:
    hard = {
        namespace: find(built["multi-user-gpu"], "ResourceQuota", "nasoa", namespace)["spec"][
            "hard"
        ]
        for namespace in ("nasoa", "nasoa-search")
    }
    job = find(built["multi-user-gpu"], "TrainJob", "pretrain-zoo")["spec"]["trainer"]
    of_pretraining = int(job["resourcesPerNode"]["requests"]["nvidia.com/gpu"])
    assert hard["nasoa"]["requests.nvidia.com/gpu"] == "8"
    assert int(hard["nasoa-search"]["requests.nvidia.com/gpu"]) == 64 + of_pretraining


@pytest.mark.parametrize("overlay", ["multi-user", "multi-user-gpu"])
@pytest.mark.parametrize("namespace", ["nasoa", "nasoa-search"])
def test_each_container_reserves_some_of_its_node_s_disk(
    built: dict[str, Bundle], overlay: str, namespace: str
) -> None:
    """KFP has no field for it, so the namespace's default is all that a step asks for."""
    (limits,) = find(built[overlay], "LimitRange", "nasoa", namespace)["spec"]["limits"]
    assert limits["type"] == "Container"
    assert amount(limits["defaultRequest"]["ephemeral-storage"]) >= amount("2Gi")
    # A default limit would evict a step that keeps more; its volumes have limits of their own.
    assert "ephemeral-storage" not in limits["default"]


POOLS = ("gpu", "light")


def size(pool: str, what: str, bound: str) -> float:
    """The default of a step's size."""
    defaults = {parameter.name: parameter.default for parameter in POOL_PARAMETERS}
    return amount(defaults[f"{pool}_{what}_{bound}"])


def amount(quantity: str) -> float:
    """A quantity of Kubernetes as a number."""
    number, unit = re.fullmatch(r"([\d.]+)(m|[KMGT]i)?", quantity).groups()  # type: ignore[union-attr]
    scales = {"m": 1e-3, **{f"{sign}i": 1024.0**power for power, sign in enumerate("KMGT", 1)}}
    return float(number) * scales.get(unit, 1.0)
