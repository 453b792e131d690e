"""What KFP passes to the component that collects experience, and what that refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nasoa.errors import InvalidInput
from nasoa.online.collecting.meta_train import MetaTrainConfig
from nasoa.steps import collect_experience as collecting
from nasoa.steps import kfp_meta_train


@dataclass
class Metrics:
    path: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def collect(store: Path, **given: object) -> Metrics:
    metrics = Metrics()
    parameters: dict[str, Any] = {
        "iterations": [10.0, 1500.0],
        "run_limit": "30s",
        "limits": [],
        "shard": "0/1",
        **given,
    }
    shard = parameters.pop("shard")
    kfp_meta_train.collect_experience(
        str(store),
        kfp_meta_train.CollectionForm("k", ["x.zip"], runs=1, time_limit="", shard=shard),
        kfp_meta_train.RunsForm(**parameters, seed=0),
        metrics,
    )
    return metrics


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({}, MetaTrainConfig()),
        (
            {"limits": ["15s", "2m"], "run_limit": "4m"},
            MetaTrainConfig(limits_s=(15.0, 120.0), run_limit_s=240.0),
        ),
    ],
    ids=["random", "as tasks come"],
)
def test_limits_reach_the_collection(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, object],
    config: MetaTrainConfig,
) -> None:
    seen: list[object] = []

    def collected(*_: object, config: MetaTrainConfig, **__: object) -> int:
        seen.append(config)
        return 3

    monkeypatch.setattr(collecting, "collect_experience", collected)
    assert collect(tmp_path, **given).metadata == {"runs_made": 3}
    assert seen == [config]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limits": ["15s"]}, r"the shortest and the longest limit, or none, got \['15s'\]"),
        ({"limits": ["15s", "2m"]}, "a run limit not below the longest, got 15 and 120 s"),
        ({"iterations": [10]}, r"the fewest and the most iterations, got \[10\]"),
        ({"shard": "half"}, "a shard like 0/4, got 'half'"),
    ],
    ids=["one limit", "run limit", "iterations", "shard"],
)
def test_parameters_that_make_no_collection_are_refused(
    given: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=said):
        collect(tmp_path, **given)
    assert not list(tmp_path.iterdir())
