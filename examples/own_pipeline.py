"""A pipeline of one's own out of two components of nasoa: what would be best for these images?

    python examples/own_pipeline.py sklearn:digits          asks on this machine
    python examples/own_pipeline.py --compile advice.yaml   writes it for a cluster

It needs kfp, the files in components/published and, on a cluster, nasoa's image and a secret with
the store's keys. Nothing is trained: the data are looked at, and the predictor is asked.
"""

import argparse
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kfp import compiler, components, dsl, kubernetes, local

PUBLISHED = Path(__file__).resolve().parents[1] / "components" / "published"
IMAGE = "registry.example.com/nasoa:0.1.0"
SECRET = "nasoa-s3"
KEYS = ("NASOA_S3_ACCESS_KEY_ID", "NASOA_S3_SECRET_ACCESS_KEY", "NASOA_S3_ENDPOINT")

compute_meta_features = components.load_component_from_file(
    str(PUBLISHED / "compute_meta_features" / "component.yaml")
)
predict_regime = components.load_component_from_file(
    str(PUBLISHED / "predict_regime" / "component.yaml")
)


def on_cluster(step: dsl.PipelineTask, cpu: str, memory: str) -> None:
    """What a step of nasoa needs on a cluster; `kfp.local` leaves it out."""
    step.set_container_image(IMAGE)
    step.set_caching_options(False)
    step.set_cpu_request(cpu).set_cpu_limit(cpu)
    step.set_memory_request(memory).set_memory_limit(memory)
    kubernetes.use_secret_as_env(step, SECRET, {key: key for key in KEYS})
    kubernetes.set_security_context(
        step, run_as_user=10001, run_as_group=10001, run_as_non_root=True
    )


@dsl.pipeline(  # type: ignore[untyped-decorator]
    name="advice", description="Which model to fine-tune, and how, without training it."
)
def advice(data: str, store: str, time_limit: str = "60s") -> str:
    """Ask for the regimes that would be best.

    Args:
        data: Images: a folder of class folders, a .zip of one, or s3://bucket/prefix.
        store: Where the predictor is: a folder or s3://bucket/prefix.
        time_limit: That a fine-tune would have.

    Returns:
        The best regimes as JSON.
    """
    described = compute_meta_features(data=data, time_limit=time_limit, store=store)
    on_cluster(described, cpu="4", memory="8Gi")
    chosen = predict_regime(task=described.outputs["Output"], store=store)
    on_cluster(chosen, cpu="1", memory="2Gi")
    result: str = chosen.outputs["Output"]
    return result


def ask(data: str, store: str, time_limit: str) -> Any:
    """Run the pipeline on this machine, each step in a process; returns what it says."""
    with tempfile.TemporaryDirectory() as outputs, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an image and a secret do nothing here
        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=outputs)
        return json.loads(advice(data=data, store=store, time_limit=time_limit).output)


def main(arguments: list[str]) -> int:
    """Compile the pipeline, or run it and print the best regimes."""
    parser = argparse.ArgumentParser(description="Which model to fine-tune, and how.")
    parser.add_argument("data", nargs="?", default="sklearn:digits")
    parser.add_argument("--store", default=".nasoa")
    parser.add_argument("--time-limit", default="60s")
    parser.add_argument(
        "--compile", metavar="FILE", help="write the pipeline in place of running it"
    )
    given = parser.parse_args(arguments)
    if given.compile:
        compiler.Compiler().compile(advice, given.compile)
        return 0
    for candidate in ask(given.data, given.store, given.time_limit)["candidates"]:
        predicted, regime = candidate["predicted_accuracy"], candidate["regime"]
        sys.stdout.write(f"{predicted:.3f} {regime['model']} {json.dumps(regime)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
