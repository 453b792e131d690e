"""Parameters from text, converted to the types that a pipeline declares.

This module does not import annotations from __future__: kfp reads annotations as they are.
"""

from typing import Any

import pytest
from kfp import dsl

from nasoa.errors import InvalidInput, UnknownName
from nasoa.pipelines.parameters import typed, typed_where_known


@dsl.component(base_image="nasoa:1", install_kfp_package=False)
def take(count: int, rate: float, fast: bool, sizes: list, pool: dict, name: str) -> str:
    return name


@dsl.pipeline(name="typed")
def every_type(count: int, rate: float, fast: bool, sizes: list, pool: dict, name: str) -> None:
    take(count=count, rate=rate, fast=fast, sizes=sizes, pool=pool, name=name)


GIVEN = {
    "count": "3",
    "rate": "1e-3",
    "fast": "True",
    "sizes": "[64, 96]",
    "pool": '{"pool": "gpu"}',
    "name": "007",
}


def test_each_has_its_type() -> None:
    assert typed(every_type, GIVEN) == {
        "count": 3,
        "rate": 0.001,
        "fast": True,
        "sizes": [64, 96],
        "pool": {"pool": "gpu"},
        "name": "007",
    }
    assert typed(every_type, {**GIVEN, "fast": "no"})["fast"] is False


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("count", "3.5", "a number"),
        ("rate", "quick", "a number"),
        ("rate", "nan", "a number"),
        ("fast", "maybe", "true or false"),
        ("sizes", "64, 96", "a JSON list"),
        ("sizes", '{"a": 1}', "a JSON list"),
        ("pool", "gpu", "a JSON mapping"),
        ("pool", "[1]", "a JSON mapping"),
        ("pool", '{"a":' * 100_000, "a JSON mapping"),
        ("sizes", "[" * 100_000, "a JSON list"),
        ("count", "9" * 5000, "a number"),
    ],
)
def test_what_does_not_fit_is_refused(key: str, value: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=f"expected {expected}.*{key!r}"):
        typed(every_type, {**GIVEN, key: value})


def test_all_are_needed_and_known() -> None:
    without: dict[str, Any] = {key: value for key, value in GIVEN.items() if key != "pool"}
    with pytest.raises(InvalidInput, match="expected the parameter 'pool'"):
        typed(every_type, without)
    with pytest.raises(UnknownName, match="did you mean sizes"):
        typed(every_type, {**GIVEN, "size": "1"})
    assert typed_where_known(every_type, {"count": "1", "other": "2"}) == {"count": 1}
