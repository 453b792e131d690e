"""Network policies as Kubernetes' documentation has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.manifests.network import Network, Party

NAME = "kubernetes.io/metadata.name"


def pod(name: str, namespace: str = "a", **labels: str) -> Party:
    of_namespace = {NAME: namespace, "team": namespace}
    return Party(name, namespace, of_namespace, {"app": name, **labels}, {"web": 8080})


def policy(namespace: str = "a", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": "p"},
        "spec": spec,
    }


WEB, CLIENT, OTHER = pod("web"), pod("client"), pod("client", "b")
OUTSIDE = Party("outside", address="203.0.113.7")
DENY_IN = policy(podSelector={}, policyTypes=["Ingress"])
DENY_OUT = policy(podSelector={}, policyTypes=["Egress"])


def ingress(*rules: Any, **rest: Any) -> dict[str, Any]:
    return policy(podSelector={}, policyTypes=["Ingress"], ingress=list(rules), **rest)


def egress(*rules: Any) -> dict[str, Any]:
    return policy(podSelector={}, policyTypes=["Egress"], egress=list(rules))


def reaches(
    *policies: dict[str, Any],
    source: Party = CLIENT,
    target: Party = WEB,
    port: int = 80,
    protocol: str = "TCP",
) -> bool:
    return Network(policies).reaches(source, target, port, protocol)


def test_without_policies_all_is_open() -> None:
    assert reaches()
    assert reaches(target=OUTSIDE)


def test_a_policy_closes_the_pods_that_it_selects() -> None:
    assert not reaches(DENY_IN)
    assert not reaches(DENY_OUT)
    assert reaches(policy(podSelector={"matchLabels": {"app": "x"}}, policyTypes=["Ingress"]))
    assert reaches(policy("b", podSelector={}, policyTypes=["Ingress", "Egress"]))


def test_directions_are_apart() -> None:
    assert reaches(DENY_IN, source=WEB, target=OUTSIDE)
    assert reaches(DENY_OUT, source=OTHER)


def test_a_pod_reaches_itself() -> None:
    assert reaches(DENY_IN, DENY_OUT, source=WEB)


def test_policies_add_up() -> None:
    assert reaches(DENY_IN, ingress({"from": [{"podSelector": {}}]}))


def test_both_ends_must_allow() -> None:
    let_in, let_out = ingress({}), egress({})
    assert not reaches(DENY_OUT, DENY_IN, let_in)
    assert not reaches(DENY_OUT, DENY_IN, let_out)
    assert reaches(DENY_OUT, DENY_IN, let_in, let_out)


@pytest.mark.parametrize(
    ("peer", "same", "other"),
    [
        ({"podSelector": {}}, True, False),
        ({"podSelector": {"matchLabels": {"app": "x"}}}, False, False),
        ({"namespaceSelector": {}}, True, True),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, False, True),
        (
            {
                "namespaceSelector": {"matchLabels": {"team": "b"}},
                "podSelector": {"matchLabels": {"app": "x"}},
            },
            False,
            False,
        ),
        (
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": NAME, "operator": "In", "values": ["b", "c"]}]
                },
                "podSelector": {"matchLabels": {"app": "client"}},
            },
            False,
            True,
        ),
    ],
)
def test_peers(peer: dict[str, Any], same: bool, other: bool) -> None:
    let_in = ingress({"from": [peer]})
    assert reaches(let_in) == same
    assert reaches(let_in, source=OTHER) == other


@pytest.mark.parametrize("rule", [{}, {"from": []}, {"ports": []}])
def test_a_rule_without_peers_or_ports_is_for_all(rule: dict[str, Any]) -> None:
    assert reaches(ingress(rule), source=OTHER, port=9)


@pytest.mark.parametrize(
    ("port", "number", "protocol", "expected"),
    [
        ({"port": 80}, 80, "TCP", True),
        ({"port": 80}, 81, "TCP", False),
        ({"port": 80}, 80, "UDP", False),
        ({"port": 53, "protocol": "UDP"}, 53, "UDP", True),
        ({"protocol": "TCP"}, 1234, "TCP", True),
        ({"port": "web"}, 8080, "TCP", True),
        ({"port": "web"}, 80, "TCP", False),
        ({"port": "nothing"}, 8080, "TCP", False),
        ({"port": 80, "endPort": 90}, 85, "TCP", True),
        ({"port": 80, "endPort": 90}, 91, "TCP", False),
    ],
)
def test_ports(port: dict[str, Any], number: int, protocol: str, expected: bool) -> None:
    assert reaches(ingress({"ports": [port]}), port=number, protocol=protocol) == expected


def test_blocks_of_addresses() -> None:
    block = {"cidr": "203.0.113.0/24", "except": ["203.0.113.64/26"]}
    let_out = egress({"to": [{"ipBlock": block}]})
    assert reaches(let_out, target=OUTSIDE)
    assert not reaches(let_out, target=Party("excepted", address="203.0.113.70"))
    assert not reaches(let_out, target=Party("far", address="198.51.100.1"))


def test_whether_a_block_matches_pods_is_not_certain() -> None:
    let_out = egress({"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]})
    assert not Network([let_out]).reaches(CLIENT, WEB, 80)
    assert Network([let_out], blocks_match_pods=True).reaches(CLIENT, WEB, 80)


def test_types_that_are_not_said() -> None:
    """Ingress always, egress where there are rules for it."""
    said = policy(podSelector={})
    assert not reaches(said)
    assert reaches(said, source=WEB, target=OUTSIDE)
    with_rules = policy(podSelector={}, egress=[{"ports": [{"port": 443}]}])
    assert not reaches(with_rules, source=WEB, target=OUTSIDE, port=80)
    assert reaches(with_rules, source=WEB, target=OUTSIDE, port=443)


PEERS = st.sampled_from([{"podSelector": {}}, {"namespaceSelector": {}}])
RULES = st.fixed_dictionaries(
    {}, optional={"from": st.lists(PEERS, max_size=2), "ports": st.just([{"port": 80}])}
)
POLICIES = st.lists(st.lists(RULES, max_size=2), min_size=1, max_size=3)


@given(POLICIES, st.lists(RULES, max_size=2), st.sampled_from([CLIENT, OTHER]))
def test_another_policy_closes_nothing_that_is_allowed(
    rules: list[list[Any]], more: list[Any], source: Party
) -> None:
    policies = [ingress(*some) for some in rules]
    if reaches(*policies, source=source):
        assert reaches(*policies, ingress(*more), source=source)
