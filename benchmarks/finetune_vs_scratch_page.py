"""The section of docs/results.md about fine-tuning and training from scratch (Table 6)."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results_files import machine_text, source, table

NAME = "finetune_vs_scratch.json"


def section(found: Mapping[str, Any]) -> str:
    """Return Table 6: accuracies and times of both, beside the paper's."""
    longer = round(found["longer"] * found["iterations"])
    return "\n".join(
        [
            "## Fine-tuning and training from scratch (Table 6)\n",
            f"Test accuracy from packaged and from random weights after {found['iterations']:,} "
            f"updates, and from random weights after {longer:,}: batches of "
            f"{found['batch_size']} images of {found['resolution']} px, everything trained. The "
            "learning rate of an arm is the best in validation at the first seed among "
            f"{', '.join(f'{lr:g}' for lr in found['lrs'])}. Means over {len(found['seeds'])} "
            "seeds ± standard deviation between them, and minutes on the reference machine "
            f"({source(NAME)}, {machine_text(found['machine'])}).\n",
            table(
                ["data", "network", "arm", "learning rate", "accuracy", "minutes"],
                _lines(found["networks"]),
            ),
            _gains(found["networks"]),
            "The paper, with ResNets, 350 epochs for fine-tuning and 600 from scratch:\n",
            table(["data", "network", "scratch", "fine-tuned", "gain"], _paper(found["paper"])),
        ]
    )


def _lines(networks: Mapping[str, Any]) -> Iterator[list[str]]:
    for data in dict.fromkeys(name for own in networks.values() for name in own["data"]):
        for network, own in networks.items():
            for arm, cell in own["data"].get(data, {}).items():
                spread = "" if cell["std"] is None else f" ± {100 * cell['std']:.1f}"
                accuracy = f"{100 * cell['accuracy']:.1f}{spread}"
                minutes = f"{cell['minutes']:.1f}"
                yield [
                    data.removesuffix(".zip"),
                    network,
                    arm,
                    f"{cell['lr']:g}",
                    accuracy,
                    minutes,
                ]


def _gains(networks: Mapping[str, Any]) -> str:
    """Return by how much fine-tuning is ahead, a line for each network and arm."""
    lines = []
    for network, own in networks.items():
        for arm, gain in own["gain"].items():
            between = gain["interval_90"]
            interval = f" ({100 * between[0]:+.1f} to {100 * between[1]:+.1f})" if between else ""
            ahead = f"{gain['ahead_on']} of {gain['data_sets']}"
            lines.append([network, arm, f"{100 * gain['mean']:+.1f}{interval}", ahead])
    header = ["network", "fine-tuned less", "points, 90 % interval over data sets", "ahead on"]
    return table(header, lines)


def _paper(paper: Mapping[str, Any]) -> Iterator[list[str]]:
    gains = []
    for data, row in paper.items():
        for network, cell in row.items():
            gains.append(cell["finetuned"] - cell["scratch"])
            yield [
                data,
                network,
                f"{cell['scratch']} in {cell['scratch_min']} min",
                f"{cell['finetuned']} in {cell['finetuned_min']} min",
                f"{gains[-1]:+.1f}",
            ]
    yield ["mean", "", "", "", f"{statistics.fmean(gains):+.1f}"]
