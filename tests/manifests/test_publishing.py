"""Pipelines and schedules that a job publishes: each line is a command with real parameters."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest

from nasoa.cli.main import build_parser
from nasoa.pipelines import catalogue
from nasoa.pipelines.cron import parse
from nasoa.pipelines.options import compile_options
from nasoa.pipelines.parameters import typed
from scripts.manifests.bundle import Bundle
from scripts.manifests.pods import pods
from tests.manifests.cluster_store import find

# As the job's environment has it (test below).
WITH_STORE = compile_options(environment={"NASOA_STORE": "s3://nasoa"})
TASKS = {"finetune_task", "finetune_images"}
PUBLISHED = {
    ("single-user-full", "kubeflow"): set(catalogue.PIPELINES),
    ("multi-user-full", "nasoa"): TASKS,
    ("multi-user-full", "nasoa-search"): set(catalogue.PIPELINES) - TASKS,
}


def commands(bundle: Bundle, namespace: str) -> list[list[str]]:
    script = find(bundle, "ConfigMap", "nasoa-pipelines", namespace)["data"]["publish.sh"]
    lines = re.sub(r"\\\n *", "", script).splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(("overlay", "namespace"), PUBLISHED)
def test_each_line_is_a_command(built: dict[str, Bundle], overlay: str, namespace: str) -> None:
    published = set()
    for program, *words in commands(built[overlay], namespace):
        assert program == "nasoa"
        arguments = build_parser().parse_args(words)
        if words[1] == "schedule":
            pairs = dict(text.split("=", 1) for text in arguments.parameters)
            typed(catalogue.find(arguments.name, WITH_STORE), pairs)
            parse(arguments.cron)
        published.add(arguments.name.replace("-", "_"))
    assert published == PUBLISHED[overlay, namespace]


@pytest.mark.parametrize(("overlay", "namespace"), PUBLISHED)
def test_pipelines_are_compiled_with_the_image_that_compiles_them(
    built: dict[str, Bundle], overlay: str, namespace: str
) -> None:
    container = publisher(built[overlay], namespace)
    assert variables(container)["NASOA_IMAGE"]["value"] == container["image"]
    assert "/" in container["image"]
    assert "NASOA_STORE" in variables(container)


def test_kfp_with_users_is_told_who_publishes(built: dict[str, Bundle]) -> None:
    """A token for KFP's audience, at the path that the client reads; and the job's own profile."""
    for namespace in ("nasoa", "nasoa-search"):
        bundle = built["multi-user-full"]
        container = publisher(bundle, namespace)
        path = variables(container)["NASOA_KFP_TOKEN_FILE"]["value"]
        (mount,) = (m for m in container["volumeMounts"] if m["name"] == "kfp-token")
        (pod,) = (p for p in pods(bundle) if p.where == f"Job {namespace}/publish-pipelines")
        (volume,) = (v for v in pod.spec["volumes"] if v["name"] == "kfp-token")
        (source,) = volume["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
        assert path == f"{mount['mountPath']}/{source['serviceAccountToken']['path']}"
        own = variables(container)["NASOA_KFP_NAMESPACE"]["valueFrom"]["fieldRef"]["fieldPath"]
        assert own == "metadata.namespace"


def publisher(bundle: Bundle, namespace: str) -> dict[str, Any]:
    job = find(bundle, "Job", "publish-pipelines", namespace)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return dict(container)


def variables(container: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in container["env"]}
