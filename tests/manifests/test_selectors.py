"""Selectors that find nothing, and ports that are none."""

from __future__ import annotations

import copy

import pytest

from scripts.manifests.bundle import Bundle
from scripts.manifests.selectors import matches
from tests.manifests.breaking import (
    Break,
    container,
    problems,
    stateful_set,
)
from tests.manifests.cluster_store import find


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda b: stateful_set(b)["spec"]["selector"].update(matchLabels={"a": "b"}),
            "StatefulSet nasoa-store/seaweedfs: its selector does not match its own",
        ),
        (
            lambda b: find(b, "Service", "seaweedfs")["spec"].update(selector={"a": "b"}),
            "Service nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: container(b)["ports"][0].update(name="http"),
            "targetPort 's3' is no port of its pods",
        ),
        (
            lambda b: find(b, "PodDisruptionBudget", "seaweedfs")["spec"].update(
                selector={"matchLabels": {"a": "b"}}
            ),
            "PodDisruptionBudget nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "NetworkPolicy", "seaweedfs")["spec"].update(
                podSelector={"matchLabels": {"a": "b"}}
            ),
            "NetworkPolicy nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "NetworkPolicy", "seaweedfs")["spec"]["ingress"][0].update(
                {"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}
            ),
            "NetworkPolicy nasoa-store/seaweedfs: its selector finds no pod",
        ),
        (
            lambda b: find(b, "NetworkPolicy", "seaweedfs")["spec"]["ingress"][1].update(
                {"from": [{"namespaceSelector": {"matchLabels": {"nasoa/holds": "work"}}}]}
            ),
            "NetworkPolicy nasoa-store/seaweedfs: no namespace is found by",
        ),
    ],
)
def test_selectors(single_user: Bundle, broken: Break, said: str) -> None:
    found = problems("selectors", single_user, broken)
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["x"], [True, False, False]),
        ("NotIn", ["x"], [False, True, True]),
        ("Exists", [], [True, True, False]),
        ("DoesNotExist", [], [False, False, True]),
    ],
)
def test_expressions_of_selectors(operator: str, values: list[str], expected: list[bool]) -> None:
    rule = {"key": "k", "operator": operator, "values": values}
    labels: list[dict[str, str]] = [{"k": "x"}, {"k": "y"}, {}]
    assert [matches({"matchExpressions": [rule]}, each) for each in labels] == expected


def test_a_monitor_that_asks_for_no_port(built: dict[str, Bundle]) -> None:
    bundle = copy.deepcopy(built["single-user-full"])
    endpoint = find(bundle, "PodMonitor", "seaweedfs")["spec"]["podMetricsEndpoints"][0]
    found = problems("selectors", bundle, lambda _: endpoint.update(port="statistics"))
    assert ["'statistics' is no port of its pods" in line for line in found] == [True]
