"""Compare `FrozenPrefix` with engines of other libraries: torch.compile, OpenVINO, ONNX Runtime.

    pip install openvino onnxruntime onnxscript
    python -m benchmarks.inference_engines

Each engine computes the same features of the same batch, in the number format that it computes in
fastest here: bfloat16 where the processor has it, but float32 for ONNX Runtime, which has few
kernels for bfloat16 on CPUs. They take turns in every repeat, each in a separate process. The
preparation is everything from a network to its first batch: tracing, conversion, compilation. What
is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.frozen_features import CASES, FROZEN, network
from benchmarks.machine import RESULTS, write
from benchmarks.paired_workers import Work, Worker, in_turns, rates, ratios, result
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import split_network
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision, precision_for

PACKAGES = {"torch.compile": "torch", "OpenVINO": "openvino", "ONNX Runtime": "onnxruntime"}
Features = Callable[[Tensor], object]
# From a prefix in evaluation mode, a batch of images and a precision to what computes features.
Prepare = Callable[[nn.Sequential, Tensor, Precision], Features]


def frozen_prefix(prefix: nn.Sequential, images: Tensor, precision: Precision) -> Features:
    """Prepare the package's own way."""
    del images
    return FrozenPrefix(prefix, precision)


def torch_compile(prefix: nn.Sequential, images: Tensor, precision: Precision) -> Features:
    """Prepare inductor, which compiles C++ here."""
    del images
    compiled = torch.compile(precision.place(prefix))
    frozen = replace(precision, autocast_dtype=precision.frozen_dtype)

    def features(batch: Tensor) -> object:
        with torch.inference_mode(), frozen.autocast():
            return compiled(precision.place_images(batch))

    return features


def open_vino(prefix: nn.Sequential, images: Tensor, precision: Precision) -> Features:
    """Prepare OpenVINO on the CPU."""
    openvino: Any = importlib.import_module("openvino")
    converted = openvino.convert_model(prefix, example_input=images)
    half = precision.frozen_dtype is not None
    hints = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(converted, "CPU", hints)
    return lambda batch: compiled(batch.numpy())


def onnx_runtime(prefix: nn.Sequential, images: Tensor, precision: Precision) -> Features:
    """Prepare ONNX Runtime on the CPU, with all of its graph optimisations."""
    del precision
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefix.onnx"
        torch.onnx.export(prefix, (images,), file, input_names=["images"], dynamo=False)
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"images": batch.numpy()})


ENGINES: dict[str, Prepare] = {
    FROZEN: frozen_prefix,
    "torch.compile": torch_compile,
    "OpenVINO": open_vino,
    "ONNX Runtime": onnx_runtime,
}


def prepared(engine: str, name: str, resolution: int, batch_size: int) -> dict[str, Work]:
    """Return the features of a batch as an engine computes them, after a first time."""
    keep_freed_memory()
    images = torch.rand(batch_size, 3, resolution, resolution)
    whole = network(name)
    prefix, _ = split_network(whole.eval(), 4)
    features = ENGINES[engine](prefix, images, precision_for(whole))
    features(images)
    return {engine: partial(features, images)}


def measure(
    name: str, resolution: int, engines: list[str], options: argparse.Namespace
) -> dict[str, object]:
    """Measure one network at one size with all engines."""
    case = (name, resolution, options.batch_size)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(prepared, engine, *case, threads=options.threads))
            for engine in engines
        ]
        seconds = in_turns(workers, options.repeats)
    return {
        "network": name,
        "resolution": resolution,
        "preparation_s": {
            engine: round(worker.prepare_s, 2)
            for engine, worker in zip(engines, workers, strict=True)
        },
        "images_per_cpu_s": rates(seconds, options.batch_size),
        **ratios(seconds, FROZEN),
    }


def main() -> None:
    """Measure all cases and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "inference_engines.json")
    options = parser.parse_args()
    missing = [name for name, package in PACKAGES.items() if not importlib.util.find_spec(package)]
    engines = [engine for engine in ENGINES if engine not in missing]
    rows: list[object] = []
    for name, resolution in CASES:
        rows.append(measure(name, resolution, engines, options))
        write({**result(options, rows), "not_installed": missing}, options.output)


if __name__ == "__main__":
    main()
