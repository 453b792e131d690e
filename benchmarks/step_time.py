"""Time ET-NAS beside its peers: training steps, inference, memory (Table 2, Figures 4, 5 and 11).

    python -m benchmarks.step_time [--batch-size 8] [--repeats 5] [--number-format package]

The networks (`benchmarks/step_time_networks.py`) are the twelve of Table 10, built from their
encodings, and the ResNets, RegNets, EfficientNets and MobileNets of torchvision, all with random
weights and 1,000 classes. Images have the size at which a network was published: 224 px, but 240,
260 and 300 px for EfficientNet-B1, B2 and B3. The paper names 224 px and does not say whether that
holds for those three; `--resolution` gives all networks the same size.

In each repeat every network is measured once, one after another, each in its own process, on a CPU
by default with one thread, which the other load of a machine disturbs the least:

- the training step is a forward pass, a backward pass and an update of all weights, as the
  package's trainer makes it (Eq. 1), the median of `--steps` of them after a warm-up;
- inference classifies a batch as the package does, with batch normalisation folded into
  convolutions;
- the memory is the peak of these training steps: weights, gradients, momentum and activations. On a
  GPU it is what torch has allocated at most. On a CPU it is the peak resident memory of the process
  less what that was before the network was built, so it includes blocks that the allocator keeps.

Medians over repeats are compared with the paper's figures by the rank correlation, and by ratios to
a network that both have. Finished measurements are appended to the file given by `--runs`, and are
not repeated; `--report` makes none. `python -m benchmarks.results_page` draws the plots.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from scipy.stats import spearmanr

from benchmarks.arguments import at_least_one
from benchmarks.device import device
from benchmarks.machine import RESULTS, summary, write
from benchmarks.paper_tables import NETWORKS as PAPER
from benchmarks.peak_memory import peak_bytes
from benchmarks.run_log import Row, RunLog, make_missing
from benchmarks.step_time_networks import NETWORKS, Network
from benchmarks.step_time_page import NAME
from benchmarks.step_time_plots import timed_models
from nasoa.arch import StagedNetwork
from nasoa.cores import sleep_soon
from nasoa.report.accuracy_chart import front
from nasoa.training.hardware import hardware_key, use_threads
from nasoa.training.precision import Precision, best_precision, precision_for
from nasoa.training.timing import TimedSteps

KEY = ("network", "repeat", "resolution", "batch_size", "number_format", "steps", "hardware")
NUMBER_FORMATS = ("package", "float32", "bfloat16")
REFERENCE = "ET-NAS-C"
MEASURES = ("train_step_ms", "inference_ms", "memory_mb")  # fields of `Published` too
# The paper's claims about training steps: slower network, faster one, and the times it states.
CLAIMS = (
    ("RegNetY-16GF", "ET-NAS-G", "6x in the abstract, 5x in section 1"),
    ("EfficientNet-B3", "ET-NAS-I", "1.7x in the abstract, 1.5x in section 4.2"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the missing measurements, then write the result; return the exit code."""
    asked = parse(arguments)
    use_threads(asked.threads)
    if asked.network:
        network = NETWORKS[asked.network]
        size = asked.resolution or network.resolution
        row = measure(network, size, asked.batch_size, asked.number_format, asked.steps)
        print(json.dumps(row))  # noqa: T201
        return 0
    # As the command line has it; the processes that measure read it when they import torch.
    sleep_soon()
    log = RunLog(asked.runs, KEY)
    keys = list(turns(asked))
    failed = 0 if asked.report else make_missing(log, keys, lambda key: one_network(asked, key))
    rows = [row for row in (log.find(**key) for key in keys) if row is not None]
    if asked.reference not in {row["network"] for row in rows}:
        sys.stderr.write(
            f"expected finished measurements of {asked.reference}, the reference, in {asked.runs}, "
            "but there are none; leave out --report, or name another --reference\n"
        )
        return 2
    found = {**_settings(asked), **summarise(rows, asked.reference)}
    write(found, asked.output)
    return 1 if failed else 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; by default that of the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--batch-size", type=at_least_one, default=8, metavar="N")
    parser.add_argument("--resolution", type=at_least_one, metavar="PX", help="the same for all")
    parser.add_argument("--number-format", choices=NUMBER_FORMATS, default="package")
    parser.add_argument("--repeats", type=at_least_one, default=5, metavar="N")
    parser.add_argument("--steps", type=at_least_one, default=3, metavar="N", help="in each repeat")
    parser.add_argument("--threads", type=at_least_one, default=1, metavar="N")
    parser.add_argument("--reference", choices=PAPER, default=REFERENCE, metavar="NETWORK")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument("--runs", type=Path, default=Path("build/step_time.jsonl"))
    parser.add_argument("--output", type=Path, default=RESULTS / NAME)
    parser.add_argument("--network", choices=NETWORKS, help="only measure this, in this process")
    asked = parser.parse_args(arguments)
    if asked.reference not in asked.networks:
        parser.error(f"expected {asked.reference}, the reference, among --networks")
    return asked


def turns(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the key of every measurement: all networks once, then all of them again."""
    hardware = hardware_key()
    for repeat, name in product(range(asked.repeats), asked.networks):
        size = asked.resolution or NETWORKS[name].resolution
        values = (name, repeat, size, asked.batch_size, asked.number_format, asked.steps, hardware)
        yield dict(zip(KEY, values, strict=True))


def one_network(asked: argparse.Namespace, key: Row) -> list[str]:
    """Return the arguments of Python that measure one network once."""
    return [
        *("-m", "benchmarks.step_time", "--network", key["network"]),
        *("--resolution", str(key["resolution"]), "--batch-size", str(key["batch_size"])),
        *("--number-format", key["number_format"], "--steps", str(key["steps"])),
        *("--threads", str(asked.threads)),
    ]


def measure(
    network: Network, resolution: int, batch_size: int, number_format: str, steps: int
) -> Row:
    """Measure one network in this process, which has measured none before.

    Returns:
        Seconds of a training step and of inference for a batch, bytes of memory of training, the
        number of weights, and the number formats of both.
    """
    before = _peak_bytes()
    torch.manual_seed(0)
    built = network.build(resolution)
    precision = precision_of(number_format, built)
    timed = TimedSteps(
        built, precision, frozen_stages=-1, resolution=resolution, batch_size=batch_size
    )
    step_s = timed.step_s(steps)
    # The kernel counts pages for each core and joins the counts late, so a peak may seem to fall.
    memory_bytes = max(0, _peak_bytes() - before)
    return {
        "train_step_s": step_s,
        "inference_s": timed.forward_s(steps),
        "memory_bytes": memory_bytes,
        "num_params": sum(weight.numel() for weight in built.parameters()),
        "train_format": _name(precision.autocast_dtype),
        "inference_format": _name(precision.frozen_dtype),
    }


def precision_of(number_format: str, network: StagedNetwork) -> Precision:
    """Return the device and number format to compute with: the package's own, or a given one."""
    if number_format == "package":
        return precision_for(network)
    half = torch.bfloat16 if number_format == "bfloat16" else None
    return Precision(best_precision().device, half, channels_last=True)


def _peak_bytes() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_bytes()


def _name(dtype: torch.dtype | None) -> str:
    return str(dtype or torch.float32).removeprefix("torch.")


def _settings(asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "what": "training step, inference and memory of ET-NAS and its peers, in turns",
        "machine": device(),
        "hardware": hardware_key(),
        "threads": torch.get_num_threads(),
        "batch_size": asked.batch_size,
        "number_format": asked.number_format,
        "repeats": asked.repeats,
        "steps": asked.steps,
        "seed": 0,
    }


def summarise(rows: Sequence[Mapping[str, Any]], reference: str) -> dict[str, Any]:
    """Return medians of all networks beside the paper's figures.

    Args:
        rows: measurements, those of the reference among them.
        reference: the network that ratios are relative to.
    """
    names = list(dict.fromkeys(row["network"] for row in rows))
    networks = [_network([row for row in rows if row["network"] == name]) for name in names]
    medians = {
        measure: {own["name"]: own[measure]["median"] for own in networks} for measure in MEASURES
    }
    paper = {
        measure: {
            name: figure for name in names if (figure := _in_paper(name, measure)) is not None
        }
        for measure in MEASURES
    }
    for own in networks:
        own["times_reference"] = {
            measure: {
                "ours": _times(medians[measure], own["name"], reference),
                "paper": _times(paper[measure], own["name"], reference),
            }
            for measure in MEASURES
        }
    steps, inference = medians["train_step_ms"], medians["inference_ms"]
    return {
        "code_versions": sorted({row["code_version"] for row in rows}),
        "reference": reference,
        "networks": networks,
        "rank_correlation": {
            measure: rank_correlation(medians[measure], paper[measure]) for measure in MEASURES
        },
        "step_against_inference": {
            "ours": rank_correlation(steps, inference),
            "paper": rank_correlation(paper["train_step_ms"], paper["inference_ms"]),
        },
        "fronts": {
            measure: [model.name for model in front(timed_models(networks, measure))]
            for measure in ("train_step_ms", "inference_ms")
        },
        "claims": [
            {
                "slower": slower,
                "faster": faster,
                "paper_says": says,
                "paper": _times(paper["train_step_ms"], slower, faster),
                "ours": _times(steps, slower, faster),
            }
            for slower, faster, says in CLAIMS
            if slower in steps and faster in steps
        ],
    }


def _network(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of a network, from its measurements in all repeats."""
    network, first = NETWORKS[rows[0]["network"]], rows[0]
    top1, top1_source = network.top1()
    step = [1000 * row["train_step_s"] for row in rows]
    inference = [1000 * row["inference_s"] for row in rows]
    return {
        "name": network.name,
        "series": network.series,
        "resolution": first["resolution"],
        "num_params": first["num_params"],
        "top1": top1,
        "top1_source": top1_source,
        "train_format": first["train_format"],
        "inference_format": first["inference_format"],
        "repeats": len(rows),
        "train_step_ms": summary(step),
        "inference_ms": summary(inference),
        "memory_mb": summary([row["memory_bytes"] / 1e6 for row in rows]),
        "paper": {measure: _in_paper(network.name, measure) for measure in MEASURES},
    }


def _in_paper(name: str, measure: str) -> float | None:
    """Return a figure of the paper; None if it has none of this network."""
    figure: float | None = getattr(PAPER[name], measure) if name in PAPER else None
    return figure


def _times(values: Mapping[str, float], name: str, reference: str) -> float | None:
    """Return how many times the reference's value a network's is; None if one is unknown."""
    if name not in values or reference not in values:
        return None
    return round(values[name] / values[reference], 3)


def rank_correlation(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    """Return Spearman's rank correlation over the networks that both have, and their number.

    It is None for fewer than three networks.
    """
    both = [name for name in ours if name in theirs]
    rho = None
    if len(both) > 2:
        found = spearmanr([ours[name] for name in both], [theirs[name] for name in both])
        rho = round(float(found.statistic), 3)
    return {"networks": len(both), "spearman": rho}


if __name__ == "__main__":
    sys.exit(main())
