"""Measure how fast `FrozenPrefix` computes features, compared with plain PyTorch loops.

The plain loops run the same network in evaluation mode, in float32 (contiguous and channels_last)
and in bfloat16 with autocast (channels_last). `python -m benchmarks.frozen_features` alternates
them, and reports medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from benchmarks.machine import RESULTS, write
from benchmarks.paired_workers import Work, Worker, in_turns, median, rates, ratios, result
from nasoa.arch import StagedNetwork, build_network, parse
from nasoa.training.frozen_prefix import FrozenPrefix
from nasoa.training.inputs import split_network
from nasoa.training.memory import keep_freed_memory
from nasoa.training.precision import Precision, best_precision, precision_for
from nasoa.zoo.backbones import build_staged

NETWORKS = {
    "efficientnet-lite0": "lite:efficientnet-lite0",
    "mobilenet_v3_small": "torchvision:mobilenet_v3_small",
    "regnet_y_400mf": "torchvision:regnet_y_400mf",
    "resnet18": "torchvision:resnet18",
    "ET-NAS-C": "",
}
CASES = [
    ("mobilenet_v3_small", 64),
    ("ET-NAS-C", 64),
    ("regnet_y_400mf", 64),
    ("mobilenet_v3_small", 128),
    ("resnet18", 128),
    ("ET-NAS-C", 128),
    ("efficientnet-lite0", 128),
    ("regnet_y_400mf", 128),
    ("efficientnet-lite0", 192),
]
CPU = torch.device("cpu")
FORMATS = {
    "float32": Precision(CPU, None, channels_last=False),
    "float32 channels_last": Precision(CPU, None, channels_last=True),
    "bfloat16 channels_last": Precision(CPU, torch.bfloat16, channels_last=True),
}
FROZEN = "frozen prefix"


def network(name: str) -> StagedNetwork:
    """Build a network with random weights."""
    torch.manual_seed(0)
    if not NETWORKS[name]:
        return build_network(parse("011- 32 2-211-2-111122"))
    return build_staged(NETWORKS[name], 1000, 224)


def plain(name: str, resolution: int, batch_size: int) -> dict[str, Work]:
    """Return the plain loops."""

    def features(placed: torch.nn.Module, precision: Precision, count: int) -> None:
        with torch.inference_mode(), precision.autocast():
            placed(precision.place_images(images[:count]))

    images = torch.rand(batch_size, 3, resolution, resolution)
    work: dict[str, Work] = {}
    for kind, precision in FORMATS.items():
        prefix, _ = split_network(network(name), 4)
        count = batch_size // _fraction(kind)
        work[kind] = partial(features, precision.place(prefix.eval()), precision, count)
        work[kind]()
    return work


def frozen(name: str, resolution: int, batch_size: int) -> dict[str, Work]:
    """Return the preparation and the call of a `FrozenPrefix`."""
    keep_freed_memory()
    images = torch.rand(batch_size, 3, resolution, resolution)
    whole = network(name)
    precision = precision_for(whole)
    prefix, _ = split_network(whole, 4)
    prepared = FrozenPrefix(prefix, precision)
    prepared(images)

    def prepare() -> None:
        FrozenPrefix(prefix, precision)(images[:2])

    return {FROZEN: partial(prepared, images), "preparation": prepare}


def measure(name: str, resolution: int, batch_size: int, repeats: int, threads: int) -> object:
    """Measure one network at one size."""
    case = (name, resolution, batch_size)
    with (
        Worker(plain, *case, threads=threads) as plain_worker,
        Worker(frozen, *case, threads=threads) as frozen_worker,
    ):
        measured = in_turns((plain_worker, frozen_worker), repeats)
    preparation = measured.pop("preparation")
    seconds = {
        kind: [(wall_s * _fraction(kind), cpu_s * _fraction(kind)) for wall_s, cpu_s in pairs]
        for kind, pairs in measured.items()
    }
    return {
        "network": name,
        "resolution": resolution,
        "preparation_s": median([cpu for _, cpu in preparation]),
        "images_per_cpu_s": rates(seconds, batch_size),
        **ratios(seconds, FROZEN),
    }


def _fraction(kind: str) -> int:
    """Return by what factor fewer images are timed: emulated bfloat16 takes many times as long."""
    return 16 if kind.startswith("bfloat16") and _is_emulated() else 1


def _is_emulated() -> bool:
    return best_precision().autocast_dtype is None


def main() -> None:
    """Measure all cases and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "frozen_features.json")
    options = parser.parse_args()
    rows: list[object] = []
    for name, resolution in CASES:
        rows.append(measure(name, resolution, options.batch_size, options.repeats, options.threads))
        bfloat16 = {"bfloat16": "emulated" if _is_emulated() else "native"}
        write({**result(options, rows), **bfloat16}, options.output)


if __name__ == "__main__":
    main()
