"""Retries according to the ConfigMap of Argo's controller."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nasoa.pipelines.argo_retries import STEPS_ONLY, Retries, retries
from tests.pipelines.kubernetes_server import KFP_DEFAULTS


def config_map(strategy: object) -> dict[str, str]:
    defaults = {"spec": {"templateDefaults": {"retryStrategy": strategy}}}
    return {"workflowDefaults": yaml.safe_dump(defaults)}


def test_a_default_installation() -> None:
    """It retries steps whose pod vanished, and no step that failed."""
    assert retries({"workflowDefaults": KFP_DEFAULTS}) == Retries(
        failed=False, vanished=True, transient=False, nested=False
    )


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
            {"retryPolicy": "OnTransientError"},
            Retries(failed=False, vanished=False, transient=True, nested=False),
        ),
    ],
)
def test_policies(strategy: object, expected: Retries) -> None:
    found = retries(config_map(strategy))
    assert found == expected
    assert "\n" not in found.detail


def test_all_in_one_key() -> None:
    """The older form of the ConfigMap."""
    whole = {"workflowDefaults": yaml.safe_load(KFP_DEFAULTS)}
    assert retries({"config": yaml.safe_dump(whole)}).vanished


@given(text=st.text(max_size=40))
def test_whatever_stands_there_something_is_said(text: str) -> None:
    assert retries({"workflowDefaults": text}).detail
