"""The comparison of pretrained weights: what is run once, and what ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.run_log import RunLog
from benchmarks.starter import TASKS
from benchmarks.transfer.__main__ import main
from benchmarks.transfer.plan import KEY, LIMIT_SETS, MEASURES, Measure, known_sets, plan
from benchmarks.transfer.report import report
from benchmarks.transfer.runs import chosen, run
from benchmarks.transfer.weights import TODAY, Weights, candidates, export
from nasoa.errors import InvalidInput
from nasoa.records import to_json
from nasoa.store import open_store
from nasoa.store.zoo_versions import add_version
from nasoa.zoo.entries import packaged_cards, packaged_zoo

MODEL = "ET-NAS-A"


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """A folder with other weights of a packaged network, as pretraining writes them."""
    folder = tmp_path / "taught"
    folder.mkdir()
    (folder / f"{MODEL}.json").write_bytes(to_json(packaged_cards()[MODEL]))
    raw = bytearray(packaged_zoo().weights(MODEL))
    raw[-2:] = b"\x00\x00"  # the last weight
    (folder / f"{MODEL}.safetensors").write_bytes(bytes(raw))
    return folder


def rows(weights: Weights, accuracy: float) -> list[dict[str, Any]]:
    found = [
        {
            "digest": weights.digest,
            "data": name,
            "kind": measure.kind,
            "size": measure.size,
            "seed": 0,
            "accuracy": accuracy + 0.001 * (place % 3),
            "core_s": 1.0,
        }
        for place, name in enumerate([*known_sets(), *TASKS])
        for measure in MEASURES
    ]
    step = {"digest": weights.digest, "data": "", "kind": "step", "size": 64, "seed": 0}
    return [*found, {**step, "step_ms": 20.0 + 100 * accuracy}]


def test_there_are_sixteen_known_sets_and_five_unseen_tasks() -> None:
    assert len(known_sets()) == 16
    assert not set(known_sets()) & set(TASKS)


def test_weights_are_named_by_their_content(taught: Path) -> None:
    found = candidates([taught])
    assert {weights.source for weights in found} == {TODAY, "taught"}
    own = [weights for weights in found if weights.entry.name == MODEL]
    assert [weights.label for weights in own] == [MODEL, f"{MODEL} (taught)"]
    assert len({weights.digest for weights in own}) == 2
    with pytest.raises(InvalidInput, match="expected networks"):
        candidates([taught.parent])


def test_test_accuracy_does_not_decide_between_trainings() -> None:
    tied = [
        {"accuracy": accuracy, "val_accuracy": 0.5, "lr": lr}
        for lr, accuracy in ((0.05, 0.9), (0.01, 0.2))
    ]
    assert chosen(tied)["lr"] == chosen(tied[::-1])["lr"] == 0.01
    better = {"accuracy": 0.1, "val_accuracy": 0.6, "lr": 0.05}
    assert chosen([*tied, better]) == better


def test_time_is_not_measured_beside_another_shard(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["transfer", "run", "--data", ".", "--kinds", "linear", "limit", "--shard", "0", "2"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "expected no --shard for --kinds limit" in capsys.readouterr().err


def test_limits_are_run_on_six_sets_chosen_in_advance() -> None:
    found = [weights for weights in candidates() if weights.entry.name == MODEL]
    jobs = plan(found, None, ["limit", "linear"], [0])
    assert set(LIMIT_SETS) < set(known_sets())
    assert {job.data for job in jobs if job.measure.kind == "limit"} == set(LIMIT_SETS)
    assert len({job.data for job in jobs if job.measure.kind == "linear"}) == 16 + 5


def test_a_plan_has_each_kind_once_and_cheap_ones_first() -> None:
    found = [replace(weights) for weights in candidates() if weights.entry.name == MODEL]
    jobs = plan(found, ["cub10", "dtd10"], ["full", "linear"], [0, 1])
    assert len(jobs) == 2 * 2 * 2 * 2
    assert [job.measure.kind for job in jobs] == ["linear"] * 8 + ["full"] * 8
    assert len({tuple(job.key.values()) for job in jobs}) == len(jobs)
    assert not plan(found, ["cub10"], ["full"], [0], ["another"])
    with pytest.raises(InvalidInput, match="expected kinds of full, limit, linear, got deep"):
        plan(found, ["cub10"], ["deep"], [0])


def test_better_weights_ship_and_equal_ones_do_not(
    tmp_path: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.transfer.report.RESULTS", tmp_path)
    found = [weights for weights in candidates([taught]) if weights.entry.name == MODEL]
    for gain, ships in ((0.02, True), (0.005, False)):
        path = tmp_path / f"{gain}.jsonl"
        log = RunLog(path, KEY)
        for weights, accuracy in zip(found, (0.6, 0.6 + gain), strict=True):
            for row in rows(weights, accuracy):
                log.append(row)
        report(found, log, tmp_path)
        document = json.loads((tmp_path / "transfer.json").read_text())
        (difference,) = document["differences"]
        assert difference["mean"] == pytest.approx(gain)
        assert difference["ships"] is ships
        mean, low, high = difference["known, full 96 px"]
        assert mean == pytest.approx(gain)
        assert low <= mean <= high
    page = (tmp_path / "transfer.md").read_text()
    assert "does not ship" in page
    assert page.count(f"| {MODEL} (taught) |") == 2
    svg = (tmp_path / "transfer.svg").read_text()
    assert svg.startswith("<svg xmlns")
    assert svg.count("<circle") == 2
    assert f"{MODEL} (taught)" in svg


def test_whether_weights_ship_is_left_open_until_all_runs_are_there(
    tmp_path: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.transfer.report.RESULTS", tmp_path)
    found = [weights for weights in candidates([taught]) if weights.entry.name == MODEL]
    complete = [
        row
        for weights, value in zip(found, (0.6, 0.7), strict=True)
        for row in rows(weights, value)
    ]

    def is_one(row: dict[str, Any]) -> bool:
        return (row["kind"], row["size"], row["data"]) == ("full", 96, "dtd10")

    left_out = [row for row in complete if not is_one(row)]
    other_seeds = [
        row | {"seed": 1} if is_one(row) and row["accuracy"] > 0.65 else row for row in complete
    ]
    for number, made in enumerate((complete, left_out, other_seeds)):
        log = RunLog(tmp_path / f"{number}.jsonl", KEY)
        for row in made:
            log.append(row)
        report(found, log, tmp_path)
        (difference,) = json.loads((tmp_path / "transfer.json").read_text())["differences"]
        assert ("ships" in difference) is (number == 0)
        assert "known, linear 64 px" in difference


def test_a_report_of_few_runs_leaves_gaps(
    tmp_path: Path, taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.transfer.report.RESULTS", tmp_path)
    found = candidates([taught])
    log = RunLog(tmp_path / "log.jsonl", KEY)
    report(found, log, tmp_path)
    document = json.loads((tmp_path / "transfer.json").read_text())
    assert all(row["accuracy"]["known"]["full 64 px"] is None for row in document["networks"])
    assert all("ships" not in row for row in document["differences"])


def test_a_zoo_of_a_store_is_exported_for_comparison(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    packaged = packaged_zoo()
    entry = replace(packaged.entry(MODEL), name="searched-1", family="searched")
    models = {"searched-1": (entry, packaged.weights(MODEL))}
    add_version(open_store(uri), "searched", models)
    export(uri, "searched", tmp_path / "out")
    (one,) = [weights for weights in candidates([tmp_path / "out"]) if weights.source == "out"]
    assert one.label == "searched-1 (out)"
    assert one.content == packaged.weights(MODEL)
    assert one.entry.encoding == entry.encoding


@pytest.mark.slow
def test_a_comparison_that_was_cut_off_makes_only_what_is_missing(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [weights for weights in candidates() if weights.entry.name == MODEL]
    jobs = plan(found, ["cub10"], ["linear"], [0])
    log = RunLog(tmp_path / "log.jsonl", KEY)
    run(jobs[:1], shared / "data", log)
    (first,) = log.rows
    assert jobs[0].measure == Measure("linear", 64)
    assert 0.3 < first["accuracy"] < 0.9
    again = RunLog(tmp_path / "log.jsonl", KEY)
    capsys.readouterr()
    run(jobs, shared / "data", again)
    assert [row["size"] for row in again.rows] == [64, 96]
    assert capsys.readouterr().err.count("\n") == 1
