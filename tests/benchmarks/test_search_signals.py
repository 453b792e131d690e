"""The comparison of signals: what is trained once, and the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import proxy_trainings, search_signals, signal_report
from benchmarks.proxy_trainings import ProxyTrainings
from benchmarks.run_log import Row
from benchmarks.search_signals import KEY, KINDS, LONG_SEEDS, plan, run
from benchmarks.shards import shard_log
from benchmarks.training_free import (
    jacobian_covariance,
    mixed_batch,
    naswot,
    score,
    synflow,
)
from nasoa.arch import ArchSpec, StagedNetwork, build_network, parse
from nasoa.config import EvaluateConfig
from nasoa.data import ImageDataset
from nasoa.errors import TrainingFailed
from nasoa.offline.evaluate import Trained, load_proxy

DIGITS = "sklearn:digits:per_class=30"
SMALL = replace(
    proxy_trainings.SMALL, num_classes=0, batch_size=32, resolution=32, val_fraction=0.4
)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_proxy(DIGITS, SMALL)


def fresh(text: str) -> StagedNetwork:
    torch.manual_seed(0)
    return build_network(parse(text), 5)


def test_scores_need_no_training_and_are_functions_of_the_network() -> None:
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    small, large = "0- 8 1-2-1-1", "020- 32 1-2-2-2"
    assert synflow(fresh(small), 32) == synflow(fresh(small), 32)
    assert synflow(fresh(large), 32) > synflow(fresh(small), 32)
    for function in (naswot, jacobian_covariance):
        assert function(fresh(small), images) == pytest.approx(function(fresh(small), images))
    # No rectifier can distinguish identical images.
    same = images[:1].expand(8, -1, -1, -1)
    assert naswot(fresh(small), images) > naswot(fresh(small), same)


def test_scores_look_at_images_of_many_classes(digits: ImageDataset) -> None:
    shown: list[torch.Tensor] = []

    class Split:
        labels = digits.train.labels

        def __len__(self) -> int:
            return len(digits.train)

        def images(self, indices: torch.Tensor) -> torch.Tensor:
            shown.append(indices)
            return digits.train.images(indices)

    data = replace(digits, train=Split())  # type: ignore[arg-type]
    batches = [mixed_batch(data, 32, seed) for seed in (0, 0, 1)]
    assert batches[0].shape == (32, 3, 32, 32)
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
    for indices in shown:
        assert len(digits.train.labels[indices].unique()) >= 7
        assert len(indices.unique()) == 32


def test_each_score_is_timed_alone(digits: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    trainings = ProxyTrainings(DIGITS)
    monkeypatch.setattr(proxy_trainings, "SMALL", SMALL)
    clock = FakeClock()
    monkeypatch.setattr("benchmarks.proxy_trainings.time.process_time", clock)
    taken = {"synflow": 3.0, "naswot": 0.5}

    def timed(name: str, *_: Any, **__: Any) -> float:
        clock.now += taken[name]
        return 7.0

    monkeypatch.setattr(proxy_trainings, "score", timed)
    monkeypatch.setattr(proxy_trainings, "load_proxy", lambda *_: clock.load(digits))
    spec = parse("0- 8 1-2-1-1")
    for name, seconds in taken.items():
        assert trainings.score(name, spec, SMALL, 0) == {"score": 7.0, "core_s": seconds}


class FakeClock:
    """A clock that only the test moves; loading takes a minute."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def load(self, data: ImageDataset) -> ImageDataset:
        self.now += 60.0
        return data


class Teaching:
    """A stand-in for a lesson of 70 images whose teacher takes a second an image."""

    num_images = 70

    def __init__(self, data: ImageDataset, clock: FakeClock) -> None:
        self.data, self.teacher, self._clock = data, self, clock

    def features(self, images: torch.Tensor) -> None:
        self._clock.now += len(images)


@pytest.fixture
def timed(digits: ImageDataset, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock on which loading, a teacher's features and a training take known times."""
    clock = FakeClock()

    def teach(data: ImageDataset, _config: EvaluateConfig) -> Teaching:
        clock.now += 500.0
        return Teaching(data, clock)

    def train(_spec: ArchSpec, _data: ImageDataset, config: EvaluateConfig, **_: Any) -> Trained:
        clock.now += 1.0 if config.stop_share < 0.001 else 20.0
        return Trained(0.5, "", (), 0.0, 0.4)

    monkeypatch.setattr("benchmarks.proxy_trainings.time.process_time", clock)
    monkeypatch.setattr(proxy_trainings, "load_proxy", lambda *_: clock.load(digits))
    monkeypatch.setattr(proxy_trainings, "teach", teach)
    monkeypatch.setattr(proxy_trainings, "train", train)
    return clock


def test_the_first_training_is_not_charged_for_data_and_teacher(timed: FakeClock) -> None:
    trainings = ProxyTrainings(DIGITS)
    spec = parse("0- 8 1-2-1-1")
    rows = [trainings.train(spec, KINDS["teacher"], seed) for seed in (0, 1)]
    assert [row["core_s"] for row in rows] == [20.0, 20.0]
    assert timed.now == 60.0 + 500.0 + 1.0 + 2 * 20.0
    cost = trainings.teacher_cost(KINDS["teacher"])
    assert (cost["core_s_per_image"], cost["images"], cost["core_s"]) == (1.0, 70, 70.0)


def test_a_training_that_ran_out_of_time_is_not_a_result(
    timed: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [parse("0- 8 1-2-1-1"), parse("1- 8 1-2-1-1")]
    monkeypatch.setattr(search_signals, "architectures", lambda _count: specs)
    monkeypatch.setattr(search_signals, "TEACHERS", [])
    monkeypatch.setattr(search_signals, "TRAINING_FREE", {})
    failures = {"full": "timeout", "long": "diverged"}
    trainings = ProxyTrainings(DIGITS)
    works = proxy_trainings.train

    def failing(spec: ArchSpec, data: ImageDataset, config: EvaluateConfig, **how: Any) -> Trained:
        kind = next((name for name in failures if KINDS[name] == config), "")
        return Trained(None, failures[kind], (), 0.0) if kind else works(spec, data, config, **how)

    monkeypatch.setattr(proxy_trainings, "train", failing)
    with pytest.raises(TrainingFailed, match="next run of the same command tries it again"):
        trainings.train(specs[0], KINDS["full"], 0)
    logs = [shard_log(tmp_path / "log.jsonl", KEY, (index, 2)) for index in range(2)]
    assert [run(trainings, (index, 2), log) for index, log in enumerate(logs)] == [1, 1]
    assert not [row for row in logs[0].rows if row["kind"] == "full"]
    assert {row["failure"] for row in logs[0].rows if row["kind"] == "long"} == {"diverged"}
    # The next run makes what is missing and nothing else, also in one process.
    monkeypatch.setattr(proxy_trainings, "train", works)
    before = {tuple(row[name] for name in KEY) for log in logs for row in log.rows}
    whole = shard_log(tmp_path / "log.jsonl", KEY)
    assert run(trainings, (0, 1), whole) == 0
    found = [tuple(row[name] for name in KEY) for row in whole.rows]
    assert len(found) == len(set(found)) == len(plan()) + len(KINDS)
    assert {key[1] for key in set(found) - before} == {"full"}
    proxies = {row["kind"]: row["train"] for row in whole.rows if not row["encoding"]}
    assert set(proxies) == {f"proxy of {kind}" for kind in KINDS}
    assert set(proxies.values()) == {len(trainings.proxy(KINDS["long"]).train)}


def test_long_trainings_are_longer_and_share_no_seed_with_a_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs = [parse(f"0- {8 * i} 1-2-1-1") for i in range(1, 104)]
    monkeypatch.setattr(search_signals, "architectures", lambda count: specs[:count])
    keys = plan()
    assert len({tuple(key.values()) for key in keys}) == len(keys)
    seeds: dict[str, set[int]] = {}
    counts: dict[str, int] = {}
    for key in keys:
        seeds.setdefault(key["kind"], set()).add(key["seed"])
        counts[key["kind"]] = counts.get(key["kind"], 0) + 1
    assert seeds["long"] == set(LONG_SEEDS)
    assert not seeds["long"] & set().union(*(s for kind, s in seeds.items() if kind != "long"))
    for kind in ("compressed", "teacher", "teacher_large", "synflow", "naswot", "jacobian"):
        assert seeds[kind] == {0, 1, 2}
    assert (counts["full"], counts["stopped_tenth"], counts["stopped"]) == (103, 103, 60)
    long, full = KINDS["long"], KINDS["full"]
    assert long.num_classes * long.epochs >= 1.5 * full.num_classes * full.epochs
    assert all(config.timeout_s > 3600 for config in KINDS.values())


@pytest.mark.parametrize("name", ["synflow", "naswot", "jacobian"])
def test_scores_have_seeds(name: str, digits: ImageDataset) -> None:
    spec = parse("0- 8 1-2-1-1")
    one, again, other = (score(name, spec, digits, SMALL, seed) for seed in (0, 0, 1))
    assert one == pytest.approx(again)
    assert one != other


def test_a_correlation_has_an_interval() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=60)
    repeats = [truth + 0.3 * rng.normal(size=60) for _ in range(3)]
    rho, low, high = signal_report.correlation(repeats, truth)
    single = [signal_report.correlation([repeat], truth)[0] for repeat in repeats]
    assert rho == pytest.approx(np.mean(single))
    assert low < rho < high <= 1.0
    assert low > 0.7
    nothing = signal_report.correlation([rng.normal(size=60)], truth)
    assert nothing[1] < 0.0 < nothing[2] or abs(nothing[0]) < 0.3


SPECS = [f"{kind}- {width} 1-2-21-2" for kind in range(4) for width in (16, 32, 48)]


def trained(noises: dict[str, float], seeds: dict[str, tuple[int, ...]]) -> list[Row]:
    """Return trainings of `SPECS`, the better the later they are in it, but for noise."""
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for place, spec in enumerate(SPECS):
        for kind, noise in noises.items():
            for seed in seeds.get(kind, (0,)):
                value = place / 100 + noise * rng.normal()
                row = {"encoding": spec, "kind": kind, "seed": seed, "core_s": 10.0}
                rows.append(row | {"accuracy": value, "score": value, "failure": ""})
    return rows


def test_the_best_signal_is_compared_with_each_other_on_the_same_architectures() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    hard = rng.normal(size=60)  # what both signals see alike
    best, other = truth + hard, truth + hard + 0.1 * rng.normal(size=60)
    lead, low, high = signal_report.difference([best], [other], truth)
    own = [signal_report.correlation([signal], truth) for signal in (best, other)]
    assert lead == pytest.approx(own[0][0] - own[1][0])
    assert low <= lead <= high
    assert high - low < 0.5 * min(end - start for _, start, end in own)
    same = signal_report.difference([best], [best], truth)
    assert same == (0.0, 0.0, 0.0)


def test_an_architecture_that_diverged_ranks_last() -> None:
    rows = trained({"long": 0.0, "compressed": 0.0}, {"long": (10, 11, 12)})
    for row in rows:
        if row["encoding"] == SPECS[-1] and row["seed"] in {0, 11}:
            row |= {"accuracy": None, "score": None, "failure": "diverged"}
    signal = signal_report.SIGNALS["accuracy"]
    values = signal_report.known(rows, SPECS, signal)
    reached = signal_report.known(rows, SPECS, signal_report.LONG).mean(axis=1)
    assert reached[-1] == float("-inf")
    found = signal_report.compared("accuracy", signal, "long", values, reached)
    assert found is not None
    assert (found["architectures"], found["spearman"]) == (len(SPECS), 1.0)
    missing = [row for row in rows if row["encoding"] != SPECS[0] or row["kind"] == "long"]
    values = signal_report.known(missing, SPECS, signal)
    found = signal_report.compared("accuracy", signal, "long", values, reached)
    assert found is not None
    assert found["architectures"] == len(SPECS) - 1
    assert signal_report.diverged(rows) == {"long": 1, "compressed": 1}


def test_a_teacher_is_paid_by_the_evaluations_of_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_report, "RESULTS", tmp_path)
    noises = {"long": 0.0, "teacher": 0.0, "compressed": 0.02}
    rows = trained(noises, {"long": (10, 11, 12), "teacher": (0, 1)})
    cost = {"teacher": "lite", "resolution": 128, "images": 70, "core_s_per_image": 0.1}
    rows.append({"encoding": "", "kind": "cost of teacher", "seed": 0, "core_s": 400.0, **cost})
    signal_report.report(rows, SPECS, tmp_path, search_signals.settings())
    found = json.loads((tmp_path / "search_signals.json").read_text())
    by_name = {row["signal"]: row for row in found["correlations"]}
    assert found["evaluations_of_a_search"] == 200
    teacher, twice = by_name["teacher"], by_name["teacher, two seeds"]
    assert (teacher["core_s"], teacher["core_s_with_teacher"]) == (10.0, 12.0)
    assert (twice["core_s"], twice["core_s_with_teacher"]) == (20.0, 22.0)  # its crops are shared
    assert teacher["per_core_s_with_teacher"] == pytest.approx(1.0 / 12.0, abs=1e-4)
    assert by_name["accuracy"]["core_s_with_teacher"] == by_name["accuracy"]["core_s"]
    (lead,) = [row for row in found["leads"] if row["over"] == "accuracy"]
    assert lead["signal"] == "teacher"
    assert lead["interval"][0] <= lead["lead"] <= lead["interval"][1]
    page = (tmp_path / "search-signals.md").read_text()
    assert "| teacher | 12 | 1.000 | 1.000 to 1.000 | 10.00 | 0.1000 | 12.00 | 0.0833 |" in page
    assert "search of 200 evaluations" in page
    assert "its crops are drawn once" in page
    assert f"| accuracy | 12 | {lead['lead']:+.3f} |" in page


def test_a_report_is_made_of_the_trainings_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = SPECS
    monkeypatch.setattr(signal_report, "RESULTS", tmp_path)
    noises = {"long": 0.0, "compressed": 0.0, "stopped": 5.0}
    rows = trained(noises, {"long": (10, 11, 12)})
    cost = {"teacher": "lite", "resolution": 128, "images": 70, "core_s_per_image": 0.1}
    rows.append({"encoding": "", "kind": "cost of teacher", "seed": 0, "core_s": 7.0, **cost})
    proxy = {"classes": 60, "train": 6300, "val": 2100}
    rows.append({"encoding": "", "kind": "proxy of long", "seed": 0, **proxy})
    signal_report.report(rows, specs, tmp_path, search_signals.settings())
    found = json.loads((tmp_path / "search_signals.json").read_text())
    by_name = {row["signal"]: row for row in found["correlations"]}
    assert by_name["accuracy"]["spearman"] == 1.0
    assert by_name["accuracy"]["per_core_s"] == pytest.approx(0.1)
    assert by_name["accuracy, stopped at a quarter"]["spearman"] < 0.8
    assert "accuracy, two seeds" not in by_name  # a second seed is missing everywhere
    assert {row["target"] for row in found["correlations"]} == {"long"}
    assert found["long_seeds"] == list(LONG_SEEDS)
    assert found["teachers"][0]["core_s_per_image"] == 0.1
    page = (tmp_path / "search-signals.md").read_text()
    assert page.index("| accuracy |") < page.index("| accuracy, stopped at a quarter |")
    assert "| lite at 128 px | 70 | 0.1000 | 7 | 0.04 |" in page
    assert found["proxies"] == {"long": proxy}
    assert "60 classes for 10 epochs of 6,300 images" in page
    assert "not the pretraining of a zoo" in page
    assert "ranks last: none" in page
