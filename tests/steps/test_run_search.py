"""Searches in a store that are killed anywhere or run twice at once do nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from nasoa.arch import parse
from nasoa.config import EvaluateConfig, PretrainConfig
from nasoa.errors import DataError, InvalidInput, StoreFailed, TrainingFailed, UnknownName
from nasoa.offline.evaluate import Trained
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import SearchConfig, StopCriterion, architecture_hash
from nasoa.offline.space import BlockSpace
from nasoa.records import Evaluation, to_json
from nasoa.steps import search_worker_calls, searches
from nasoa.steps.encode_and_build import measure_architectures
from nasoa.steps.evaluate_arch import evaluate_architecture
from nasoa.steps.nsga_select import select_generation
from nasoa.steps.pretrain_request import PretrainRequest, check_recipes
from nasoa.steps.pretrain_zoo import pretrain_model
from nasoa.steps.run_search import run_search
from nasoa.steps.search_workers import check_proxy
from nasoa.steps.termination import SIGTERM_EXIT_CODE
from nasoa.store import keys, open_store
from nasoa.store.zoo_versions import add_version
from tests.evaluations import evaluation

NAME = "tiny"
JUDGING = EvaluateConfig(
    epochs=2,
    stop_share=1.0,
    batch_size=32,
    lr=0.1,
    resolution=32,
    num_classes=0,
    val_fraction=0.4,
    weight_decay=5e-4,
    min_scale=0.8,
    step_batch_size=8,
    timeout_s=60.0,
    repeats=2,
)
CONFIG = SearchConfig(
    block=BlockSpace(stages=((1,), (2,), (1,), (1,)), first_channels=(8,), max_operators=2),
    data="sklearn:digits:classes=0,1,2:per_class=50",
    evaluate=JUDGING,
    num_children=3,
)
STOP = StopCriterion(max_evaluations=6)


@pytest.fixture
def store(tmp_path: Path) -> str:
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, CONFIG)
    return uri


def records(store: str) -> dict[str, str]:
    """Return the time of each evaluation, by encoding."""
    found = searches.read_search(store, NAME).evaluations
    return {encoding: evaluation.created_at for encoding, evaluation in found.items()}


@pytest.mark.slow
def test_a_search_runs_to_its_end_and_costs_nothing_after_it(store: str) -> None:
    reports: list[str] = []
    search = run_search(
        store, NAME, stop=STOP, workers=2, report=lambda _, ended: reports.append(ended)
    )
    assert [len(generation) for generation in search.generations] == [3, 3]
    assert len(search.evaluations) == 6
    assert "budget" in reports[-1]
    assert all(e.accuracy is not None for e in search.evaluations.values())
    assert all(e.costs.step_time_ms > 0 for e in search.evaluations.values())
    before = records(store)
    run_search(store, NAME, stop=STOP, workers=1, report=lambda *_: None)
    assert records(store) == before
    left = open_store(store).list(f"search/{NAME}/")
    assert not [key for key in left if "/checkpoints/" in key or "/claims/" in key]


@pytest.mark.slow
@pytest.mark.parametrize("wait_for", ["config.json", "generations/", "costs/", "evaluations/"])
def test_killed_at_any_step_the_next_run_goes_on(tmp_path: Path, wait_for: str) -> None:
    """Send SIGKILL as soon as the first object of a kind exists."""
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, CONFIG)
    script = (
        "from nasoa.offline.search import StopCriterion\n"
        "from nasoa.steps.run_search import run_search\n"
        "if __name__ == '__main__':\n"
        f"    run_search({uri!r}, {NAME!r}, stop={STOP!r}, workers=1, report=print)\n"
    )
    path = tmp_path / "search.py"
    path.write_text(script)
    process = subprocess.Popen([sys.executable, str(path)], start_new_session=True)
    opened = open_store(uri)
    give_up = time.monotonic() + 200
    while not opened.list(f"search/{NAME}/{wait_for}"):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = records(uri)
    asked = searches.read_search(uri, NAME).generations
    search = run_search(uri, NAME, stop=STOP, workers=2, report=lambda *_: None)
    assert search.generations[: len(asked)] == asked
    assert len(search.evaluations) == 6
    assert records(uri).items() >= before.items()


@pytest.mark.slow
def test_a_worker_that_is_told_to_end_gives_its_claim_back(tmp_path: Path) -> None:
    """Send SIGTERM to all processes of a pod, as when its node is drained."""
    uri = str(tmp_path / "store")
    long = replace(CONFIG, evaluate=replace(JUDGING, epochs=2000))
    searches.open_search(uri, NAME, long)
    (encoding, *_) = select_generation(uri, NAME, STOP).architectures
    measure_architectures(uri, NAME, [encoding])
    path = tmp_path / "step.py"
    path.write_text(
        "from nasoa.steps import kfp_search\n"
        "if __name__ == '__main__':\n"
        f"    kfp_search.evaluate_arch({uri!r}, {NAME!r}, {encoding!r}, None)\n"
    )
    step = subprocess.Popen([sys.executable, str(path)], start_new_session=True)
    store = open_store(uri)
    claims = keys.claims(NAME, architecture_hash(parse(encoding)))
    give_up = time.monotonic() + 200
    while not store.list(claims):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    time.sleep(2)  # until training has started
    os.killpg(step.pid, signal.SIGTERM)
    assert step.wait(30) == SIGTERM_EXIT_CODE
    assert store.list(claims) == []
    assert records(uri) == {}


@pytest.mark.slow
def test_two_searches_at_once_train_nothing_twice(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    call = IsolatedWorker.call

    def counting(self: IsolatedWorker, work: Any, *arguments: Any, timeout_s: float) -> Any:
        if work is search_worker_calls.train_isolated:
            trained.append(arguments[2])
        return call(self, work, *arguments, timeout_s=timeout_s)

    monkeypatch.setattr(IsolatedWorker, "call", counting)
    runs = [
        threading.Thread(
            target=run_search,
            args=(store, NAME),
            kwargs={"stop": STOP, "workers": 1, "report": lambda *_: None},
        )
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(trained) == len(set(trained)) == 6
    assert set(trained) == set(records(store))


@pytest.mark.slow
def test_the_parent_measures_and_leaves_out_what_is_too_slow(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, replace(CONFIG, max_step_time_ms=1e-6))
    selection = select_generation(uri, NAME, STOP)
    assert measure_architectures(uri, NAME, selection.architectures) == ()
    search = searches.read_search(uri, NAME)
    assert {e.failure for e in search.evaluations.values()} == {"too slow"}
    assert all("more than 1e-06 ms" in e.detail for e in search.evaluations.values())
    assert all(e.curve == () and e.accuracy is None for e in search.evaluations.values())


def _failing(outcome: Outcome[Any], kind: Any) -> Any:
    call = IsolatedWorker.call

    def instead(self: IsolatedWorker, work: Any, *arguments: Any, timeout_s: float) -> Any:
        if work is kind:
            return outcome
        return call(self, work, *arguments, timeout_s=timeout_s)

    return instead


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["train_isolated", "measure_isolated"])
def test_a_failure_is_recorded_with_its_reason_and_not_tried_again(
    store: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (encoding, *_) = select_generation(store, NAME, STOP).architectures
    outcome: Outcome[Any] = Outcome(None, "timeout", "not finished after 9 s, and killed")
    monkeypatch.setattr(
        IsolatedWorker, "call", _failing(outcome, getattr(search_worker_calls, kind))
    )
    wanted = measure_architectures(store, NAME, [encoding])
    assert wanted == ((encoding,) if kind == "train_isolated" else ())
    evaluation = evaluate_architecture(store, NAME, encoding)
    assert (evaluation.failure, evaluation.detail) == (outcome.failure, outcome.detail)
    assert evaluation.costs.params > 0
    monkeypatch.undo()
    assert evaluate_architecture(store, NAME, encoding) == evaluation


@pytest.mark.slow
def test_a_training_that_hangs_is_killed_and_recorded(tmp_path: Path, monkeypatch: Any) -> None:
    uri = str(tmp_path / "store")
    monkeypatch.setattr("nasoa.steps.evaluate_arch.TIMEOUT_SLACK_S", 0.0)
    endless = replace(JUDGING, epochs=10**6, timeout_s=12.0)
    searches.open_search(uri, NAME, replace(CONFIG, evaluate=endless))
    (encoding, *_) = select_generation(uri, NAME, STOP).architectures
    measure_architectures(uri, NAME, [encoding])
    started = time.monotonic()
    evaluation = evaluate_architecture(uri, NAME, encoding)
    assert evaluation.failure == "timeout"
    assert time.monotonic() - started < 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "said"),
    [("nowhere.zip", "nowhere"), ("sklearn:digits:classes=0,1:per_class=12", "validation images")],
)
def test_a_proxy_that_cannot_be_used_ends_the_search_and_records_nothing(
    tmp_path: Path, data: str, said: str
) -> None:
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, replace(CONFIG, data=data))
    with pytest.raises(InvalidInput, match=said):
        run_search(uri, NAME, stop=STOP, workers=1, report=lambda *_: None)
    with pytest.raises(InvalidInput, match=said):
        measure_architectures(uri, NAME, ["0- 8 1-2-1-1"])
    assert open_store(uri).list("search/") == [keys.search_config(NAME)]


@pytest.mark.slow
def test_a_corrupt_record_is_named_and_made_again(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    (encoding, *_) = select_generation(store, NAME, STOP).architectures
    measure_architectures(store, NAME, [encoding])
    first = evaluate_architecture(store, NAME, encoding)
    key = keys.evaluation(NAME, architecture_hash(parse(encoding)))
    open_store(store).put(key, b'{"encoding": 3')
    assert encoding not in records(store)
    assert key in caplog.text
    assert encoding in select_generation(store, NAME, STOP).architectures
    measure_architectures(store, NAME, [encoding])
    again = evaluate_architecture(store, NAME, encoding)
    assert isinstance(again, Evaluation)
    assert again.accuracy == first.accuracy


def test_another_configuration_is_refused_by_its_field(store: str) -> None:
    with pytest.raises(InvalidInput, match=r"evaluate\.lr \(0\.1 there, 0\.3 here\)"):
        searches.open_search(store, NAME, replace(CONFIG, evaluate=replace(JUDGING, lr=0.3)))
    searches.open_search(store, NAME, CONFIG)


def test_an_unknown_search_and_an_unmeasured_architecture_are_refused(store: str) -> None:
    with pytest.raises(InvalidInput, match="unknown search 'other': expected one of tiny"):
        searches.read_search(store, "other")
    with pytest.raises(InvalidInput, match="measured before"):
        evaluate_architecture(store, NAME, "0- 8 1-2-1-1")
    with pytest.raises(InvalidInput, match="at least 1 worker"):
        run_search(store, NAME, stop=STOP, workers=0, report=lambda *_: None)


def test_words_make_a_configuration(store: str) -> None:
    block = searches.configure(store, space="block", data="x.zip", ranges={"first_channels": (8,)})
    assert block.block is not None
    assert block.block.first_channels == (8,)
    with pytest.raises(InvalidInput, match="at least one cell"):
        searches.configure(store, space="macro", data="x.zip")
    cells = searches.MacroCells(encodings=("020-", "02031-a12a02", "02031-a02a12"))
    macro = searches.configure(store, space="macro", data="x.zip", cells=cells)
    assert macro.macro is not None
    assert [str(cell) for cell in macro.macro.cells] == ["020-", "02031-a02a12"]
    with pytest.raises(InvalidInput, match="block or macro"):
        searches.configure(store, space="cell", data="x.zip")
    with pytest.raises(InvalidInput, match=r"no cells for a block search.* got --cells; leave"):
        searches.configure(store, space="block", data="x.zip", cells=cells)
    both = replace(cells, search=NAME)
    with pytest.raises(InvalidInput, match="either --cells or --cells-from, got both"):
        searches.configure(store, space="macro", data="x.zip", cells=both)
    with pytest.raises(InvalidInput, match="range of this space"):
        searches.configure(store, space="block", data="x.zip", ranges={"last_channels": (8,)})


def test_a_refused_start_leaves_nothing_behind(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    given = {"space": "block", "data": "sklearn:digits:classes=0,1:per_class=12"}
    searches.open_search(uri, NAME, searches.configure(uri, **given))
    with pytest.raises(InvalidInput, match="validation images"):
        run_search(uri, NAME, stop=STOP, workers=1, report=lambda *_: None, is_new=True)
    with pytest.raises(InvalidInput, match="there are none yet; the store is"):
        searches.read_search(uri, NAME)
    assert not open_store(uri).list("search/")


@pytest.mark.slow
def test_a_teacher_that_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    judging = replace(JUDGING, signal="teacher", teacher="efficientnet-lite9")
    searches.open_search(uri, NAME, replace(CONFIG, evaluate=judging))
    with pytest.raises(InvalidInput, match="efficientnet-lite2"):
        run_search(uri, NAME, stop=STOP, workers=1, report=lambda *_: None, is_new=True)
    assert not open_store(uri).list("search/")
    with pytest.raises(InvalidInput, match="32 px or more, got 8 px"):
        replace(judging, teacher_resolution=8)


def test_only_who_started_a_search_takes_it_back(tmp_path: Path) -> None:
    """Another machine that shares the search may lack the data, or have no network for a moment."""
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, replace(CONFIG, data="nowhere.zip"))
    with pytest.raises(InvalidInput, match="nowhere"):
        run_search(uri, NAME, stop=STOP, workers=1, report=lambda *_: None)
    assert searches.read_search(uri, NAME).generations == ()
    # Nor does the step of a pipeline, which measures what another step has selected.
    chosen = select_generation(uri, NAME, STOP).architectures
    with pytest.raises(InvalidInput, match="nowhere"):
        measure_architectures(uri, NAME, chosen)
    assert searches.read_search(uri, NAME).generations == (chosen,)


class Answering:
    """A worker that answers or raises what it is given."""

    def __init__(self, answer: Outcome[None] | Exception) -> None:
        self.answer = answer

    def call(self, *_work: object, timeout_s: float) -> Outcome[None]:
        assert timeout_s > 0
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "kind", "stays"),
    [
        (StoreFailed("the bucket does not answer"), StoreFailed, True),
        (Outcome(None, "out of memory", "the system killed it"), TrainingFailed, True),
        (DataError("no images"), DataError, False),
    ],
    ids=["a store that fails", "a worker that dies", "data that are refused"],
)
def test_a_failure_that_may_pass_takes_no_search_back(
    tmp_path: Path, answer: Any, kind: type[Exception], stays: bool
) -> None:
    uri = str(tmp_path / "store")
    searches.open_search(uri, NAME, CONFIG)
    with pytest.raises(kind):
        check_proxy(uri, NAME, cast(IsolatedWorker, Answering(answer)), withdraws=True)
    assert bool(open_store(uri).list("search/")) == stays


def test_a_pretraining_whose_teacher_is_not_there_leaves_nothing_behind(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    recipe = replace(PretrainConfig.small(), epochs=1, resolution=32)
    request = PretrainRequest(
        zoo="mine", encoding="0- 8 1-2-1-1", data=CONFIG.data, config=recipe, limit_s=60.0
    )
    absent = replace(recipe, teacher="efficientnet-lite9")
    with pytest.raises(InvalidInput, match="efficientnet-lite2"):
        pretrain_model(uri, replace(request, config=absent))
    with pytest.raises(InvalidInput, match="expected a teacher for images without labels"):
        pretrain_model(uri, replace(request, unlabelled=["x.zip"]))
    assert not open_store(uri).list("")


def test_a_model_that_is_there_by_another_recipe_is_refused(tmp_path: Path) -> None:
    uri = str(tmp_path / "store")
    recipe = replace(PretrainConfig.small(), epochs=1, resolution=32)
    request = PretrainRequest(
        zoo="mine", encoding="0- 8 1-2-1-1", data=CONFIG.data, config=recipe, limit_s=60.0
    )
    entry = pretrain_model(uri, request)
    store = open_store(uri)
    before = store.list("")
    check_recipes(uri, [replace(request, limit_s=1.0)])
    assert pretrain_model(uri, replace(request, limit_s=1.0)) == entry
    others = (
        replace(request, config=replace(recipe, teacher="efficientnet-lite2")),
        replace(request, data="sklearn:digits:classes=0,1,2:per_class=49"),
    )
    for other in others:
        with pytest.raises(InvalidInput, match=f"{entry.name} in the zoo 'mine'.*--zoo mine-2"):
            check_recipes(uri, [other])
    with pytest.raises(InvalidInput, match="--zoo mine-2"):
        pretrain_model(uri, others[1])
    assert store.list("") == before
    # What an earlier release pretrained has no recipe, and stays as it is.
    weights = store.get(keys.weights(entry.weights_sha256))
    earlier = replace(entry, recipe="", weights_sha256="")
    add_version(store, "mine", {entry.name: (earlier, weights)})
    assert pretrain_model(uri, others[1]).recipe == ""


def test_a_recipe_depends_on_what_the_files_hold(tmp_path: Path) -> None:
    def request(data: Path) -> PretrainRequest:
        recipe = PretrainConfig.small()
        return PretrainRequest(
            zoo="mine", encoding="0- 8 1-2-1-1", data=str(data), config=recipe, limit_s=60.0
        )

    for folder, content in (("a", b"cats"), ("b", b"dogs"), ("c", b"cats")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "images.zip").write_bytes(content)
    first, second, moved = (request(tmp_path / folder / "images.zip") for folder in "abc")
    assert first.recipe == moved.recipe != second.recipe
    assert first.state_key == moved.state_key != second.state_key
    assert first.epochs_key == moved.epochs_key != second.epochs_key


@pytest.mark.slow
def test_a_search_that_has_found_something_is_not_taken_back(store: str) -> None:
    selection = select_generation(store, NAME, STOP)
    measure_architectures(store, NAME, selection.architectures[:1])
    searches.withdraw(open_store(store), NAME)
    assert searches.read_search(store, NAME).generations == (selection.architectures,)


def test_the_seed_of_a_search_is_that_of_its_evaluation(store: str) -> None:
    """Without one, the configuration and so the hash in the records are what they were."""
    given: dict[str, Any] = {"space": "block", "data": "x.zip"}
    plain = searches.configure(store, **given)
    assert (plain.seed, plain.evaluate) == (0, EvaluateConfig.small("block"))
    seeded = searches.configure(store, **given, seed=5)
    assert (seeded.seed, seeded.evaluate.seed) == (5, 5)
    apart = searches.configure(store, **given, seed=5, evaluate={"seed": 2})
    assert (apart.seed, apart.evaluate.seed) == (5, 2)


def test_a_teacher_is_given_images_of_its_own_size(store: str) -> None:
    given: dict[str, Any] = {"space": "block", "data": "x.zip"}
    for evaluate, resolution in (
        ({"signal": "teacher"}, 224),
        ({"signal": "teacher", "teacher": "ET-NAS-A"}, 64),
        ({"signal": "teacher", "teacher": "ET-NAS-A", "teacher_resolution": 96}, 96),
    ):
        made = searches.configure(store, **given, evaluate=evaluate)
        assert made.evaluate.teacher_resolution == resolution


def test_a_number_of_classes_that_was_asked_for_is_meant_so(store: str) -> None:
    preset = searches.configure(store, space="block", data="x.zip").evaluate
    asked = searches.configure(store, space="block", data="x.zip", evaluate={"num_classes": 20})
    assert (preset.num_classes, preset.all_if_fewer) == (20, True)
    assert (asked.evaluate.num_classes, asked.evaluate.all_if_fewer) == (20, False)
    with pytest.raises(UnknownName, match="epochz"):
        searches.configure(store, space="block", data="x.zip", evaluate={"epochz": 3})


class ToldWorker(IsolatedWorker):
    """A worker that computes nothing: it notes its calls, and returns given outcomes."""

    def __init__(self, **outcomes: Outcome[Any]) -> None:
        super().__init__(print)
        self.outcomes = outcomes
        self.called: list[str] = []

    def call(self, work: Any, *_arguments: Any, timeout_s: float) -> Outcome[Any]:
        assert timeout_s > 0
        self.called.append(work.__name__)
        return self.outcomes[work.__name__]


def test_the_teacher_is_computed_before_a_training_and_its_failure_is_not_the_network_s(
    tmp_path: Path,
) -> None:
    uri, encoding = str(tmp_path / "store"), "0- 8 1-2-1-1"
    searches.open_search(uri, NAME, replace(CONFIG, evaluate=replace(JUDGING, signal="teacher")))
    costs = evaluation(encoding, 1.0, 0.5).costs
    architecture = architecture_hash(parse(encoding))
    open_store(uri).put(keys.arch_costs(NAME, architecture), to_json(costs))
    fails = ToldWorker(prepare_lesson=Outcome(None, "out of memory", "killed"))
    with pytest.raises(TrainingFailed, match=r"out of memory: killed\); run the search again"):
        evaluate_architecture(uri, NAME, encoding, fails)
    assert fails.called == ["prepare_lesson"]
    assert records(uri) == {}
    trained = Outcome(Trained(0.5, "", (), 1.0, 0.4))
    works = ToldWorker(prepare_lesson=Outcome(None), train_isolated=trained)
    assert evaluate_architecture(uri, NAME, encoding, works).score == 0.4
    assert works.called == ["prepare_lesson", "train_isolated"]
