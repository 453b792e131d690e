"""`nasoa finetune` against a plain loop with the same weights in the same time, side by side.

    python benchmarks/finetune_against_plain_loop.py ../shared/data/pacs_photo.zip ... --repeats 3

The plain loop is what a person writes first: full fine-tune of ET-NAS-A from a fresh head, SGD with
Nesterov momentum, lr 0.1, batch 64, label smoothing, flips and small shifts, one cosine over the
time, all training images, float32. It gets the limit as pure training time: reading the data and
testing are not counted for it, while for nasoa everything is. The runs take turns.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from nasoa.config import DataConfig
from nasoa.data import ImageDataset, load_dataset
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.networks import load_network

LR = 0.1
BATCH = 64
SHIFT = 4


def main() -> None:
    """Run both on every data set, and print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--limit", type=float, default=45.0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    use_threads()
    rows = []
    for data in arguments.data:
        runs: list[dict[str, Any]] = []
        for seed in range(arguments.repeats):
            runs.append(
                {
                    "seed": seed,
                    "plain": plain_loop(data, arguments.limit, seed),
                    "nasoa": nasoa_finetune(data, arguments.limit, seed),
                }
            )
            sys.stderr.write(f"{data} seed {seed}: {json.dumps(runs[-1])}\n")
        medians = {
            who: statistics.median(run[who]["accuracy"] for run in runs)
            for who in ("plain", "nasoa")
        }
        rows.append({"data": Path(data).name, "median_accuracy": medians, "runs": runs})
    document = {
        "what": "test accuracy of nasoa finetune and of a plain loop, same weights, same time",
        "time_limit_s": arguments.limit,
        "machine": hardware_key(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "results": rows,
    }
    text = json.dumps(document, indent=1) + "\n"
    if arguments.output:
        arguments.output.write_text(text)
    sys.stdout.write(text)


def nasoa_finetune(data: str, limit_s: float, seed: int) -> dict[str, Any]:
    """One run of the command in a fresh store; the wall time includes the start of Python."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as store:
        command = [
            *(sys.executable, "-m", "nasoa", "finetune", data, "--time-limit", f"{limit_s}s"),
            *("--seed", str(seed), "--store", store, "--json"),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall_s = time.perf_counter() - started
    result = json.loads(done.stdout)
    kept = ("accuracy", "predicted_accuracy", "elapsed_s", "regime")
    return {**{key: result[key] for key in kept}, "wall_s": round(wall_s, 2)}


def plain_loop(data: str, limit_s: float, seed: int) -> dict[str, Any]:
    """The loop; all images of the training split are trained on."""
    dataset = load_dataset(data, seed=seed, resolution=64, config=DataConfig(val_fraction=0.001))
    zoo = packaged_zoo()
    entry = zoo.entry(REFERENCE_MODEL)
    torch.manual_seed(seed)
    network = load_network(entry, zoo.weights(entry.name), len(dataset.class_names))
    mean = torch.tensor(entry.mean).view(1, 3, 1, 1)
    std = torch.tensor(entry.std).view(1, 3, 1, 1)
    optimizer = torch.optim.SGD(
        network.parameters(), LR, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    network.train()
    started, iterations = time.perf_counter(), 0
    while (share := (time.perf_counter() - started) / limit_s) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = LR * 0.5 * (1.0 + math.cos(math.pi * share))
        images, labels = _batch(dataset, iterations)
        loss = functional.cross_entropy(
            network((images / 255 - mean) / std), labels, label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        iterations += 1
    network.eval()
    correct = 0
    with torch.no_grad():
        for indices in torch.arange(len(dataset.test)).split(256):
            images = dataset.test.images(indices).float()
            logits = network((images / 255 - mean) / std)
            correct += int((logits.argmax(1) == dataset.test.labels[indices]).sum())
    return {"accuracy": correct / len(dataset.test), "iterations": iterations}


def _batch(dataset: ImageDataset, iteration: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A random batch, mirrored or not, shifted by some pixels."""
    generator = torch.Generator().manual_seed(iteration)
    indices = torch.randint(len(dataset.train), (BATCH,), generator=generator)
    images = dataset.train.images(indices).float()
    if torch.rand(1, generator=generator) < 0.5:
        images = images.flip(3)
    padded = functional.pad(images, (SHIFT,) * 4, mode="reflect")
    top, left = torch.randint(2 * SHIFT + 1, (2,), generator=generator).tolist()
    side = images.shape[-1]
    return padded[:, :, top : top + side, left : left + side], dataset.train.labels[indices]


if __name__ == "__main__":
    main()
