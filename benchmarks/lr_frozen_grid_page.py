"""The section of docs/results.md about learning rates and frozen stages (Table 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.results_files import machine_text, source, table

NAME = "lr_frozen_grid.json"


def section(found: Mapping[str, Any]) -> str:
    """Return Table 7: the optimum of each data set, beside the paper's."""
    grid = len(found["lrs"]) * len(found["frozen_stages"])
    header = ["data", "optimum", "of each seed", "accuracy", "best on the others", "accuracy"]
    return "\n".join(
        [
            "## Learning rates and frozen stages (Table 7)\n",
            f"The best of {grid} settings of {found['network']} in validation, and its test "
            f"accuracy: {found['iterations']} updates on batches of {found['batch_size']} images "
            f"of {found['resolution']} px, means over {len(found['seeds'])} seeds "
            f"({source(NAME)}, {machine_text(found['machine'])}). A setting is a learning rate and "
            "a number of frozen stages, -1 for none. Beside it is the setting that is best in "
            "validation on the other data sets.\n",
            table(header, (_line(name, own) for name, own in found["data"].items())),
            _told(found),
            "The paper, with ResNet50:\n",
            table(
                ["data", "optimum", "accuracy"],
                ([row["data"], _setting(row), row["accuracy"]] for row in found["paper"]),
            ),
        ]
    )


def _line(name: str, own: Mapping[str, Any]) -> list[str]:
    shared = own["best_elsewhere"]
    return [
        name.removesuffix(".zip"),
        _setting(own["optimum"]),
        "; ".join(_setting(optimum) for optimum in own["optimum_by_seed"]),
        f"{100 * own['optimum']['accuracy']:.1f}",
        _setting(shared) if shared else "",
        f"{100 * shared['accuracy']:.1f}" if shared else "",
    ]


def _told(found: Mapping[str, Any]) -> str:
    """Return how many optima differ, and what choosing for each data set gains."""
    paper = {(row["lr"], row["frozen_stages"]) for row in found["paper"]}
    text = (
        f"{found['different_optima']} different optima on {len(found['data'])} data sets; "
        f"{len(paper)} on {len(found['paper'])} in the paper, which concludes that both should be "
        f"optimised for each data set. The best on average is {_setting(found['best_on_average'])}."
    )
    gain = found["gain_of_choosing"]
    if gain["mean"] is not None:
        interval = ""
        if gain["interval_90"]:
            low, high = (100 * end for end in gain["interval_90"])
            interval = f" (90 % interval {low:+.1f} to {high:+.1f})"
        text += (
            f" Choosing for each data set gains {100 * gain['mean']:+.1f} points of test accuracy"
            f"{interval} over the setting that is best on the others."
        )
    return f"{text}\n"


def _setting(setting: Mapping[str, Any]) -> str:
    return f"{setting['lr']:g}, {setting['frozen_stages']}"
