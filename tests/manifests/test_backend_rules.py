"""Our manifests hold every rule of controllers, and each rule finds where its answer is gone."""

from __future__ import annotations

import copy
import re

import pytest

from scripts.manifests.bundle import Bundle
from scripts.manifests.checks import CHECKS
from tests.manifests.backend_rules import RULES, ManifestRule

ROWS = [(rule, overlay) for rule in RULES for overlay in rule.undo]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_our_manifests_hold_it(rule: ManifestRule, built: dict[str, Bundle]) -> None:
    found = {name: list(CHECKS[rule.check](bundle)) for name, bundle in built.items()}
    assert found == {name: [] for name in built}


@pytest.mark.parametrize(
    ("rule", "overlay"), ROWS, ids=[f"{rule.name}, {overlay}" for rule, overlay in ROWS]
)
def test_without_its_answer_it_is_broken(
    rule: ManifestRule, overlay: str, built: dict[str, Bundle]
) -> None:
    broken = copy.deepcopy(built[overlay])
    rule.undo[overlay](broken)
    found = list(CHECKS[rule.check](broken))
    assert any(rule.said in line for line in found), found


def test_each_row_has_a_name_of_its_own_and_a_source() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.search(r"\b[KAPMT] \S+", rule.source) for rule in RULES)
    assert all(rule.undo for rule in RULES)
