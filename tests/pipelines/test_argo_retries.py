"""What the ConfigMap of Argo's controller says about retries."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nasoa.pipelines.argo_nodes import FAILED_PHASES, Node, read_nodes
from nasoa.pipelines.argo_retries import STEPS_ONLY, Retries, retries
from tests.pipelines.argo_dumps import DUMPS, dump
from tests.pipelines.kubernetes_server import KFP_DEFAULTS


def config_map(strategy: object) -> dict[str, str]:
    defaults = {"spec": {"templateDefaults": {"retryStrategy": strategy}}}
    return {"workflowDefaults": yaml.safe_dump(defaults)}


def test_a_default_installation() -> None:
    """It tries again what vanished, with all that is around it, and nothing that failed."""
    found = retries({"workflowDefaults": KFP_DEFAULTS})
    assert found == Retries(failed=False, vanished=True, transient=False, nested=True)
    assert "around such a step is tried again too" in found.detail


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (None, Retries(failed=True, vanished=False, transient=False, nested=False)),
        ({"limit": "2"}, Retries(failed=True, vanished=False, transient=False, nested=True)),
        (
            {"limit": "2", "retryPolicy": "Always"},
            Retries(failed=True, vanished=True, transient=False, nested=True),
        ),
        (
            {"limit": "2", "retryPolicy": "Always", "expression": STEPS_ONLY},
            Retries(failed=True, vanished=True, transient=False, nested=False),
        ),
        (
            {"limit": "2", "expression": STEPS_ONLY},
            Retries(failed=True, vanished=True, transient=False, nested=False),
        ),
        (
            {"limit": "2", "retryPolicy": "OnError", "expression": STEPS_ONLY},
            Retries(failed=False, vanished=True, transient=False, nested=False),
        ),
        (
            {"limit": "2", "retryPolicy": "OnTransientError"},
            Retries(failed=False, vanished=False, transient=True, nested=False),
        ),
    ],
)
def test_policies(strategy: object, expected: Retries) -> None:
    found = retries(config_map(strategy))
    assert found == expected
    assert "\n" not in found.detail


def tried_again(node: Node) -> bool:
    """Whether `STEPS_ONLY` lets an attempt be followed by another.

    It sees what A workflow/controller/operator.go, buildRetryStrategyLocalScope, line 2050, gives
    it: the exit code is -1 of what has none.
    """
    code = re.search(r"\(exit code (\d+)\)", node.message) if node.kind == "Pod" else None
    last = SimpleNamespace(
        exitCode=code[1] if code else "-1", status=node.phase, message=node.message
    )
    python = STEPS_ONLY.replace("||", "or").replace("&&", "and")
    return bool(eval(python, {"asInt": int, "lastRetry": last}))


@pytest.mark.parametrize(
    "name", ["failed", "out of memory", "refused", "driver", "first driver", "lost"]
)
def test_the_expression_holds_of_steps_alone(name: str) -> None:
    made = dump(("Error", "pod deleted")) if name == "lost" else DUMPS[name]()
    attempts = [n for n in read_nodes(made.manifest) if n.phase in FAILED_PHASES]
    pods = [node for node in attempts if node.kind == "Pod"]
    around = [node for node in attempts if node.kind == "DAG"]
    assert pods
    assert len(around) >= 3
    assert all(tried_again(node) for node in pods)
    assert not any(tried_again(node) for node in around)


def test_all_in_one_key() -> None:
    """The older form of the ConfigMap."""
    whole = {"workflowDefaults": yaml.safe_load(KFP_DEFAULTS)}
    assert retries({"config": yaml.safe_dump(whole)}).vanished


@given(text=st.text(max_size=40))
def test_whatever_stands_there_something_is_said(text: str) -> None:
    assert retries({"workflowDefaults": text}).detail
