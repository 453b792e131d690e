"""The report that compares signals, and the scores of networks that were not trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import search_signals
from benchmarks.training_free import jacobian_covariance, naswot, synflow
from nasoa.arch import StagedNetwork, build_network, parse


def fresh(text: str) -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse(text), 5)


def test_scores_need_no_training_and_are_functions_of_the_network() -> None:
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    small, large = "0- 8 1-2-1-1", "020- 32 1-2-2-2"
    assert synflow(fresh(small), 32) == synflow(fresh(small), 32)
    assert synflow(fresh(large), 32) > synflow(fresh(small), 32)
    for score in (naswot, jacobian_covariance):
        assert score(fresh(small), images) == pytest.approx(score(fresh(small), images))
    # No rectifier can distinguish identical images.
    same = images[:1].expand(8, -1, -1, -1)
    assert naswot(fresh(small), images) > naswot(fresh(small), same)


def test_a_correlation_has_an_interval() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=60)
    rho, low, high = search_signals.correlation(truth + 0.3 * rng.normal(size=60), truth)
    assert low < rho < high <= 1.0
    assert low > 0.7
    nothing = search_signals.correlation(rng.normal(size=60), truth)
    assert nothing[1] < 0.0 < nothing[2] or abs(nothing[0]) < 0.3


def test_a_report_is_made_of_the_trainings_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [parse(f"{kind}- {width} 1-2-21-2") for kind in range(4) for width in (16, 32, 48)]
    monkeypatch.setattr(search_signals, "architectures", lambda _count: specs)
    monkeypatch.setattr(search_signals, "RESULTS", tmp_path)
    rng = np.random.default_rng(0)
    log = tmp_path / "log.jsonl"
    rows = []
    for place, spec in enumerate(specs):
        for kind, seeds, noise in (("long", 3, 0.0), ("compressed", 1, 0.0), ("stopped", 1, 5.0)):
            for seed in range(seeds):
                value = place / 100 + noise * rng.normal()
                row = {"encoding": str(spec), "kind": kind, "seed": seed, "core_s": 10.0}
                rows.append(row | {"accuracy": value, "score": value, "failure": ""})
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    search_signals.report(log, tmp_path)
    found = json.loads((tmp_path / "search_signals.json").read_text())
    by_name = {row["signal"]: row for row in found["rows"]}
    assert by_name["accuracy"]["spearman"] == 1.0
    assert by_name["accuracy"]["per_core_s"] == pytest.approx(0.1)
    assert by_name["accuracy, stopped at a quarter"]["spearman"] < 0.8
    assert "accuracy, two seeds" not in by_name  # a second seed is missing everywhere
    page = (tmp_path / "search-signals.md").read_text()
    assert page.index("| accuracy |") < page.index("| accuracy, stopped at a quarter |")
