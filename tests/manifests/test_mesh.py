"""What Istio, the profile controller and a second `kubectl apply` would do to the documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.manifests.bundle import Bundle
from scripts.manifests.checks import CHECKS
from tests.manifests.breaking import Break, problems, stateful_set
from tests.manifests.cluster_store import find


def namespace(bundle: Bundle, name: str) -> dict[str, dict[str, str]]:
    metadata: dict[str, dict[str, str]] = find(bundle, "Namespace", name)["metadata"]
    return metadata


@pytest.mark.parametrize("value", ["true", None])
def test_sidecars(single_user: Bundle, value: str | None) -> None:
    labels = stateful_set(single_user)["spec"]["template"]["metadata"]["labels"]
    change = {} if value is None else {"sidecar.istio.io/inject": value}

    def broken(_: Bundle) -> None:
        labels.pop("sidecar.istio.io/inject")
        labels.update(change)

    (found,) = problems("sidecars", single_user, broken)
    assert found.startswith("StatefulSet nasoa-store/seaweedfs: the pods need the label")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda b: namespace(b, "nasoa")["annotations"].update(owner="other@example.com"),
            "Profile nasoa: the annotation owner of its namespace must be 'user@example.com'",
        ),
        (lambda b: namespace(b, "nasoa").pop("annotations"), "Profile nasoa: the annotation owner"),
        (
            lambda b: namespace(b, "nasoa-search")["labels"].update(
                {"app.kubernetes.io/part-of": "nasoa"}
            ),
            "Profile nasoa-search: the label app.kubernetes.io/part-of",
        ),
        (
            lambda b: find(b, "Profile", "nasoa")["spec"]["owner"].update(name="other@example.com"),
            "Profile nasoa: the annotation owner of its namespace must be 'other@example.com'",
        ),
    ],
)
def test_profiles(multi_user: Bundle, broken: Break, said: str) -> None:
    (found,) = problems("profiles", multi_user, broken)
    assert found.startswith(said)


def test_a_profile_whose_namespace_is_left_to_the_controller(multi_user: Bundle) -> None:
    made = find(multi_user, "Namespace", "nasoa")
    assert problems("profiles", multi_user, lambda b: b.documents.remove(made)) == []


def test_a_run_in_an_overlay(single_user_gpu: Bundle) -> None:
    installed = replace(single_user_gpu, by_hand=frozenset())
    assert list(CHECKS["runs"](single_user_gpu)) == []
    (found,) = CHECKS["runs"](installed)
    assert found.startswith("TrainJob kubeflow/pretrain-zoo: a run must not be in an overlay")


def test_a_run_that_waits(single_user_gpu: Bundle) -> None:
    job = find(single_user_gpu, "TrainJob", "pretrain-zoo")["spec"]
    (found,) = problems("runs", single_user_gpu, lambda _: job.update(suspend=True))
    assert "leave suspend to whoever starts the run" in found


def test_runs_are_not_installed(single_user_gpu: Bundle) -> None:
    assert [d for d in single_user_gpu.installed if d["kind"] == "TrainJob"] == []
    assert [d for d in single_user_gpu.documents if d["kind"] == "TrainJob"]
