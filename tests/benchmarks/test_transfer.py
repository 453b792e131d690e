"""The comparison of pretrained weights: what is run once, and what ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.run_log import RunLog
from benchmarks.starter import TASKS
from benchmarks.transfer import runs as transfer_runs
from benchmarks.transfer.__main__ import main
from benchmarks.transfer.judged import Judged
from benchmarks.transfer.newcomers import newcomers, packaged_front
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


def rows(
    weights: Weights, accuracy: float, step_ms: float = 20.0, unseen: float = 0.0
) -> list[dict[str, Any]]:
    """Return all runs of a network; `unseen` is added to its accuracies on the unseen sets."""
    found = [
        {
            "digest": weights.digest,
            "data": name,
            "kind": measure.kind,
            "size": measure.size,
            "seed": 0,
            "accuracy": accuracy + 0.001 * (place % 3) + unseen * (name in TASKS),
            "core_s": 1.0,
        }
        for place, name in enumerate([*known_sets(), *TASKS])
        for measure in MEASURES
    ]
    step = {"digest": weights.digest, "data": "", "kind": "step", "seed": 0}
    steps = [{**step, "size": px, "step_ms": step_ms * (px / 64) ** 2} for px in (64, 96)]
    return [*found, *steps]


def logged(path: Path, made: list[dict[str, Any]]) -> RunLog:
    log = RunLog(path, KEY)
    for row in made:
        log.append(row)
    return log


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
        made = [*rows(found[0], 0.6), *rows(found[1], 0.6 + gain, unseen=-0.01)]
        report(found, logged(tmp_path / f"{gain}.jsonl", made), tmp_path)
        document = json.loads((tmp_path / "transfer.json").read_text())
        (difference,) = document["differences"]
        assert difference["mean"] == pytest.approx(gain)
        assert difference["ships"] is ships
        mean, low, high = difference["known, full 96 px"]
        assert mean == pytest.approx(gain)
        assert low <= mean <= high
        assert difference["unseen"] == pytest.approx(gain - 0.01)
        assert not document["newcomers"]
        page = (tmp_path / "transfer.md").read_text()
        assert ("warning: not better there" in page) is (gain < 0.01)
    assert "does not ship" in page
    assert page.count(f"| {MODEL} (taught) | 20.0 | 45.0 |") == 2
    for px in (64, 96):
        svg = (tmp_path / f"transfer-{px}.svg").read_text()
        assert svg.startswith("<svg xmlns")
        assert svg.count("<circle") == 2
        assert f"{MODEL} (taught)" in svg
        assert f"{px} px, one thread" in svg
        assert f"(transfer-{px}.svg)" in page


def judged(tmp_path: Path, made: list[tuple[Weights, dict[str, Any]]]) -> list[Judged]:
    """Return the results of networks whose runs are made with these arguments of `rows`."""
    every = [row for weights, how in made for row in rows(weights, **how)]
    log = logged(tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl", every)
    return [Judged.of(weights, log) for weights, _ in made]


def named(name: str, source: str = TODAY) -> Weights:
    """Return a network of another name; each has its own content."""
    return Weights(source, replace(packaged_cards()[MODEL].entry, name=name), name.encode())


PACKAGE = [
    (named("fast"), {"accuracy": 0.5, "step_ms": 10.0}),
    (named("beaten"), {"accuracy": 0.45, "step_ms": 20.0}),
    (named("slow"), {"accuracy": 0.7, "step_ms": 40.0}),
]


@pytest.mark.parametrize(
    ("step_ms", "accuracy", "lead", "joins"),
    [
        (20.0, 0.62, 0.02, True),  # half way from 10 to 40 ms, the front is at .6
        (20.0, 0.605, 0.005, False),
        (5.0, 0.52, 0.02, True),  # beside the fastest
        (5.0, 0.49, -0.01, False),
        (90.0, 0.69, -0.01, False),  # beside the best
    ],
)
def test_a_new_network_is_compared_with_the_front_at_its_step_time(
    tmp_path: Path, step_ms: float, accuracy: float, lead: float, joins: bool
) -> None:
    new = named("searched-1", "searched"), {"accuracy": accuracy, "step_ms": step_ms}
    found = judged(tmp_path, [*PACKAGE, new])
    (row,) = newcomers(found)
    assert row["label"] == "searched-1 (searched)"
    assert row["mean"] == pytest.approx(lead, abs=1e-4)
    assert row["interval"] == pytest.approx([lead, lead], abs=1e-4)
    assert row["unseen"] == pytest.approx(lead, abs=1e-4)
    assert row["joins"] is joins
    assert row["known, limit 45 s"][0] == pytest.approx(lead, abs=1e-4)
    front = packaged_front(found[:-1], Measure("full", 96), known_sets())
    assert [one.name for one in front] == ["fast", "slow"]


def test_whether_a_network_joins_needs_the_whole_package_and_a_clear_lead(tmp_path: Path) -> None:
    weights = named("searched-1", "searched")
    new = weights, {"accuracy": 0.63, "step_ms": 20.0}
    without_steps = judged(tmp_path, [*PACKAGE, new])
    without_steps[0] = replace(without_steps[0], steps_ms={})
    assert newcomers(without_steps) == [{"label": weights.label, "model": "searched-1"}]
    # On average it is ahead by .02, but only because of one data set.
    unclear = judged(tmp_path, [*PACKAGE, (weights, {"accuracy": 0.6, "step_ms": 20.0})])
    accuracies = {
        measure: {
            name: {seed: value + 0.32 * (name == "dtd10") for seed, value in own.items()}
            for name, own in by_name.items()
        }
        for measure, by_name in unclear[-1].accuracies.items()
    }
    unclear[-1] = replace(unclear[-1], accuracies=accuracies)
    (row,) = newcomers(unclear)
    assert row["mean"] == pytest.approx(0.02, abs=1e-4)
    assert row["interval"][0] < 0.0
    assert row["joins"] is False


def test_the_page_tells_which_networks_join(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.transfer.report.RESULTS", tmp_path)
    new = named("searched-1", "searched"), {"accuracy": 0.62, "step_ms": 20.0, "unseen": -0.03}
    made = [*PACKAGE, new]
    log = logged(tmp_path / "a.jsonl", [row for one, how in made for row in rows(one, **how)])
    report([weights for weights, _ in made], log, tmp_path)
    document = json.loads((tmp_path / "transfer.json").read_text())
    assert [row["joins"] for row in document["newcomers"]] == [True]
    page = (tmp_path / "transfer.md").read_text()
    assert "+0.020 (+0.020 to +0.020) on average, joins the package" in page
    assert "-0.010 on the test tasks (warning: not better there)" in page


def test_steps_are_measured_at_both_resolutions_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    class Steps:
        def __init__(self, _network: Any, *, resolution: int, **_: Any) -> None:
            measured.append(resolution)

        def step_s(self, _repeats: int) -> float:
            return 0.02

    monkeypatch.setattr(transfer_runs, "TimedSteps", Steps)
    monkeypatch.setattr(transfer_runs, "use_threads", lambda _threads: None)
    found = [weights for weights in candidates() if weights.entry.name == MODEL]
    log = RunLog(tmp_path / "log.jsonl", KEY)
    for _ in range(2):
        transfer_runs.measure_steps(found, log)
    assert measured == [64, 96]
    assert Judged.of(found[0], log).steps_ms == {64: 20.0, 96: 20.0}


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
        report(found, logged(tmp_path / f"{number}.jsonl", made), tmp_path)
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
