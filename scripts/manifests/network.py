"""Network policies, evaluated: whether a pod reaches another pod, or an address, on a port.

The rules are those of https://kubernetes.io/docs/concepts/services-networking/network-policies/. A
connection must be let out by the policies of its source and let in by those of its target; a pod
that no policy selects for a direction is open in that direction; policies only add up. Ports are
those of pods, since a service's address is resolved before a policy sees the connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.manifests.bundle import Document, namespace_of
from scripts.manifests.selectors import matches

DIRECTIONS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


@dataclass(frozen=True)
class Party:
    """A pod; or an address outside the pods' network, where `namespace` is empty.

    `namespace_labels` hold the name that Kubernetes gives each namespace as a label; `port_names`
    are the numbers of named ports.
    """

    name: str
    namespace: str = ""
    namespace_labels: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    port_names: dict[str, int] = field(default_factory=dict)
    address: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Network:
    """All policies of a cluster.

    Whether an `ipBlock` may match a pod's address is left to the network's implementation. With
    `blocks_match_pods` each block of private addresses matches every pod, without it none does.
    What must be open is checked without, what must be closed with it.
    """

    policies: Sequence[Document]
    blocks_match_pods: bool = False

    def reaches(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection comes about."""
        if source == target:
            return True  # a pod cannot be kept from itself
        return self._allows("Egress", source, target, target, port, protocol) and self._allows(
            "Ingress", target, source, target, port, protocol
        )

    def _allows(
        self, direction: str, own: Party, other: Party, target: Party, port: int, protocol: str
    ) -> bool:
        """Whether the policies of `own` allow a connection with `other` in this direction."""
        selecting = [policy for policy in self.policies if _selects(policy, direction, own)]
        rules, peers = DIRECTIONS[direction]
        return not selecting or any(
            self._is_peer(rule.get(peers), other, own.namespace)
            and _is_port(rule.get("ports"), target, port, protocol)
            for policy in selecting
            for rule in policy["spec"].get(rules) or ()
        )

    def _is_peer(self, peers: list[dict[str, Any]] | None, party: Party, namespace: str) -> bool:
        """No list, or an empty one, means everyone."""
        return not peers or any(self._matches(peer, party, namespace) for peer in peers)

    def _matches(self, peer: dict[str, Any], party: Party, namespace: str) -> bool:
        if "ipBlock" in peer:
            return self._in_block(peer["ipBlock"], party)
        if not party.namespace:
            return False
        if "namespaceSelector" in peer:
            in_namespace = matches(peer["namespaceSelector"], party.namespace_labels)
        else:
            in_namespace = party.namespace == namespace
        return in_namespace and matches(peer.get("podSelector", {}), party.labels)

    def _in_block(self, block: dict[str, Any], party: Party) -> bool:
        network = ipaddress.ip_network(block["cidr"])
        if party.namespace:
            return self.blocks_match_pods and (network.is_private or network.prefixlen == 0)
        address = ipaddress.ip_address(party.address)
        excepted = any(address in ipaddress.ip_network(e) for e in block.get("except", ()))
        return address in network and not excepted


def _selects(policy: Document, direction: str, party: Party) -> bool:
    spec = policy["spec"]
    types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return (
        direction in types
        and bool(party.namespace)
        and namespace_of(policy) == party.namespace
        and matches(spec["podSelector"], party.labels)
    )


def _is_port(ports: list[dict[str, Any]] | None, target: Party, port: int, protocol: str) -> bool:
    """No list, or an empty one, means every port."""
    if not ports:
        return True
    for allowed in ports:
        if allowed.get("protocol", "TCP") != protocol:
            continue
        first = allowed.get("port")
        if isinstance(first, str):
            first = target.port_names.get(first, -1)
        if first is None or first <= port <= allowed.get("endPort", first):
            return True
    return False
