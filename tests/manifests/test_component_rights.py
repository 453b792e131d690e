"""Each component's rights are enough for its step, on a real server with the real policies."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasoa.config import EvaluateConfig
from nasoa.errors import StoreUnavailable
from nasoa.offline.isolation import IsolatedWorker, Outcome
from nasoa.offline.search import SearchConfig, StopCriterion
from nasoa.offline.space import BlockSpace
from nasoa.online.collecting.meta_train import MetaTrainConfig
from nasoa.records import to_json, to_sealed_json
from nasoa.steps import (
    kfp_meta_train,
    kfp_search,
    search_worker_calls,
    searches,
)
from nasoa.steps.classifying import load_classifier
from nasoa.steps.collect_experience import Collection, CollectionBudget, collect_experience
from nasoa.steps.encode_and_build import measure_architectures
from nasoa.steps.evaluate_arch import evaluate_architecture
from nasoa.steps.metrics import StoreMetrics
from nasoa.steps.nsga_select import select_generation
from nasoa.steps.pretrain_zoo import choose_models
from nasoa.steps.record_failure import failed_runs, record_failure
from nasoa.store import ArtifactStore, keys, open_store
from nasoa.store.maintenance import care
from nasoa.store.zoo_versions import add_version
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from tests import steps_alone
from tests.manifests.cluster_store import BUCKET
from tests.store.finished import NAME, finish
from tests.store.test_maintenance import make_versions

STORE = f"s3://{BUCKET}"
SOURCE = f"{STORE}/source/digits.npz"
AsIdentity = Callable[[str], ArtifactStore]


@dataclass
class Output:
    """An output artifact of KFP."""

    path: str = ""
    uri: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


class Here(IsolatedWorker):
    """Works in this process, so that no time goes into starting others."""

    def call(self, work: Callable[..., Any], *arguments: Any, timeout_s: float) -> Outcome[Any]:
        return Outcome(work(*arguments))


def digits(per_class: int) -> bytes:
    """Digits of four classes as an .npz."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    chosen = np.concatenate([np.flatnonzero(labels == label)[:per_class] for label in range(4)])
    file = io.BytesIO()
    np.savez(file, x=(images[chosen] * 15).astype(np.uint8).reshape(-1, 8, 8), y=labels[chosen])
    return file.getvalue()


def test_the_rights_are_enough_to_keep_a_store_small(
    emptied: None, as_identity: AsIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything that `nasoa store compact` does, and no more."""
    store = as_identity("admin")
    make_versions(store, 103)
    finish(store, "t1", "t2")
    store.put(keys.experience("t3"), b"damaged")
    store.put(keys.checkpoint("t1", 10), b"x")
    store.put(f"{keys.task_claims('t1')}000001", b"x")
    done = care(as_identity("nasoa-s3-compact-experience"), 2)
    assert (done.packed, done.versions, done.checkpoints) == (2, 2, 1)
    assert len(done.quarantined) == len(caplog.messages) == 1
    poor = as_identity("nasoa-s3-compact-experience")
    for refused in (
        lambda: poor.put(keys.predictor(NAME, 104, "safetensors"), b"x"),
        lambda: poor.delete(keys.starter(NAME, 1)),
        lambda: poor.delete(keys.task("t1")),
    ):
        with pytest.raises(StoreUnavailable, match="refuses these credentials"):
            refused()


def test_the_rights_are_enough_for_a_task(
    emptied: None, one_core: None, as_identity: AsIdentity
) -> None:
    """The four steps of `finetune_task`, each as its own identity, in a store with a zoo."""
    admin = as_identity("admin")
    admin.put("data/digits.npz", digits(20))
    entry, weights = (of(REFERENCE_MODEL) for of in (packaged_zoo().entry, packaged_zoo().weights))
    add_version(admin, "searched", {entry.name: (entry, weights)})
    as_identity("nasoa-s3-compute-meta-features")
    task = steps_alone.compute_meta_features(f"{STORE}/data/digits.npz", "1s", STORE, clock="steps")
    as_identity("nasoa-s3-predict-regime")
    recommendation = steps_alone.predict_regime(task, STORE)
    as_identity("nasoa-s3-finetune")
    experience = steps_alone.finetune(task, recommendation, STORE)
    as_identity("nasoa-s3-update-predictor")
    result = steps_alone.learn_from(task.task_id, STORE)
    assert (result.predictor_version_before, result.predictor_version_after) == (1, 2)
    as_identity("nasoa-s3-serve")
    assert load_classifier(f"{STORE}/{keys.model(task.task_id)}").card.class_names
    admin = as_identity("admin")
    assert admin.get(keys.experience(task.task_id)) == to_sealed_json(experience)
    written = {key.split("/")[0] for key in admin.list()}
    assert written == {"data", "experience", "model", "predictor", "task", "zoo"}


def test_the_rights_are_enough_for_a_search_and_its_zoo(
    emptied: None, one_core: None, as_identity: AsIdentity, tmp_path: Path
) -> None:
    """The steps of `search_generation` and `build_zoo`, each as its own identity."""
    as_identity("admin").put("source/digits.npz", digits(60))
    judged = replace(
        EvaluateConfig.small(),
        epochs=1,
        stop_share=1.0,
        resolution=32,
        num_classes=0,
        val_fraction=0.4,
        batch_size=32,
        step_batch_size=8,
        repeats=1,
    )
    space = BlockSpace(stages=((1,), (2,), (1,), (1,)), first_channels=(8,), max_operators=1)
    config = SearchConfig(block=space, data=SOURCE, evaluate=judged, num_children=1)
    as_identity("nasoa-s3-nsga-select")
    searches.open_search(STORE, "s", config)
    chosen = select_generation(STORE, "s", StopCriterion()).architectures
    as_identity("nasoa-s3-encode-and-build")
    search_worker_calls.check_proxy(to_json(config))
    (wanted,) = measure_architectures(STORE, "s", chosen, Here(print))
    as_identity("nasoa-s3-evaluate-arch")
    assert evaluate_architecture(STORE, "s", wanted, Here(print)).accuracy is not None
    as_identity("nasoa-s3-show-search")
    shown = json.loads(
        kfp_search.show_search(STORE, "s", [wanted], str(tmp_path / "front.html"), Output())
    )
    assert (shown["evaluated"], shown["evaluated_now"]) == (1, 1)
    as_identity("nasoa-s3-nsga-select")
    assert choose_models(STORE, "s", 1) == (wanted,)
    as_identity("nasoa-s3-pretrain-zoo")
    form = kfp_search.PretrainForm("z", wanted, SOURCE, "small", 1, "60s")
    kfp_search.pretrain_zoo(STORE, form, Output(), Output(), Output())
    left = as_identity("admin").list()
    assert {key.split("/")[0] for key in left} == {"pretraining", "search", "source", "zoo"}
    assert not [key for key in left if "/claims/" in key or "/checkpoints/" in key]


def test_the_rights_are_enough_to_record_a_failure(emptied: None, as_identity: AsIdentity) -> None:
    """The last step of every pipeline; tried again, it finds its own record."""
    as_identity("nasoa-s3-record-failure")
    for _ in range(2):
        key = record_failure(STORE, "run-1", "build-zoo", "macro", "FAILED", "no GPU")
    assert key == keys.failure("run-1")
    assert as_identity("admin").list() == [key]
    (failed,) = failed_runs(STORE)
    assert (failed.pipeline, failed.subject, failed.message) == ("build-zoo", "macro", "no GPU")


def test_the_rights_are_enough_for_figures_and_no_more(
    emptied: None, as_identity: AsIdentity
) -> None:
    """`nasoa store metrics` in the cluster; it changes nothing and reads no user's data."""
    admin = as_identity("admin")
    admin.put("data/a", b"1")
    record_failure(STORE, "run-1", "build-zoo", "macro", "FAILED", "")
    admin.put(keys.evaluation("blocks", "a"), b"{}")
    admin.put(keys.experience("corrupt"), b"{")
    admin.put(keys.outcome("corrupt"), b"{")
    store = as_identity("nasoa-s3-metrics")
    text = StoreMetrics(open_store(STORE)).text()
    assert "nasoa_runs_failed_total 1\n" in text
    assert 'nasoa_search_evaluations{search="blocks"} 1\n' in text
    for refused in (lambda: store.get("data/a"), lambda: store.put("doctor/a", b"1")):
        with pytest.raises(Exception, match="refuses these credentials"):
            refused()


def test_the_rights_are_enough_to_collect_experience(
    emptied: None, one_core: None, as_identity: AsIdentity, tmp_path: Path
) -> None:
    """The steps of `meta_train`, each as its own identity."""
    as_identity("admin").put("source/digits.npz", digits(60))
    as_identity("nasoa-s3-collect-experience")
    config = MetaTrainConfig(run_limit_s=30.0, iterations=(2, 4), resolutions=(32,))
    budget = CollectionBudget(runs=1)
    collection = Collection(name="c", datasets=[SOURCE])
    made = collect_experience(STORE, collection, config=config, budget=budget)
    assert made == 1
    as_identity("nasoa-s3-tabulate-experience")
    table = Output(str(tmp_path / "table.parquet"))
    kfp_meta_train.tabulate_experience(STORE, "c", [str(made)], table, str(tmp_path / "summary.md"))
    assert table.metadata["records"] > 0
    with pytest.raises(Exception, match="refuses these credentials"):
        collect_experience(STORE, collection, config=config, budget=CollectionBudget(runs=2))
