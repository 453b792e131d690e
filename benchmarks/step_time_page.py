"""The section of docs/results.md about step times (`benchmarks/step_time.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.results_files import machine_text, source, table

NAME = "step_time.json"
# File of a plot -> measure, what it is in words, and the paper's figures of it.
PLOTS = {
    "step-time-training.svg": ("train_step_ms", "training step", "Figures 4 left, 5 and 11"),
    "step-time-inference.svg": ("inference_ms", "inference", "Figures 4 right and 11"),
}
SHOWN = {
    "train_step_ms": "training step, ms",
    "inference_ms": "inference, ms",
    "memory_mb": "memory, MB",
}


def section(found: Mapping[str, Any]) -> str:
    """Return Table 2 and the plots of Figures 4, 5 and 11."""
    reference = found["reference"]
    sizes = sorted({own["resolution"] for own in found["networks"]})
    return "\n".join(
        [
            "## Training steps of ET-NAS and its peers (Table 2, Figures 4, 5 and 11)\n",
            f"Medians of {found['repeats']} repeats, in each of which every network was measured "
            f"once in a process of its own, with random weights and batches of "
            f"{found['batch_size']} images of {_joined(sizes)} px, in the number format "
            f"`{found['number_format']}`, with threads: {found['threads']} ({source(NAME)}, "
            f"{machine_text(found['machine'])}). The paper's figures are of a V100 and batches of "
            f"64. “Times” is the ratio to {reference}. Accuracies are the paper's, or else those "
            "of torchvision's first ImageNet weights. Memory is the peak of training steps: "
            "resident memory of the process on a CPU, allocated memory on a GPU.\n",
            *(_table(found, measure) for measure in SHOWN),
            _told(found),
            *(
                f"![Published accuracy against {timed} time, {figures}]({file})\n"
                for file, (_measure, timed, figures) in PLOTS.items()
            ),
        ]
    )


def _table(found: Mapping[str, Any], measure: str) -> str:
    """Return the table of one measure, the fastest or smallest first."""
    lines = [
        [
            own["name"],
            own["resolution"],
            f"{own['top1']:.2f}",
            "paper" if own["top1_source"] == "the paper" else "torchvision",
            _figure(own[measure]["median"]),
            _ratio(own["times_reference"][measure]["ours"]),
            _ratio(own["times_reference"][measure]["paper"]),
            _figure(own["paper"][measure]),
        ]
        for own in sorted(found["networks"], key=lambda own: own[measure]["median"])
    ]
    header = ["network", "px", "top-1", "of", SHOWN[measure], "times", "paper's times", "paper"]
    return table(header, lines)


def _told(found: Mapping[str, Any]) -> str:
    """Return rank correlations, the networks on the fronts, and the paper's claims."""
    correlations = [
        f"{SHOWN[measure].partition(',')[0]} {_correlation(own)}"
        for measure, own in found["rank_correlation"].items()
    ]
    gap = found["step_against_inference"]
    claims = [
        f"{claim['slower']} takes {claim['ours']:.2f} times the training step of "
        f"{claim['faster']}; the paper's table gives {claim['paper']:.2f} ({claim['paper_says']})."
        for claim in found["claims"]
    ]
    fronts = [
        f"Of accuracy and {timed} time, no other network is better in both than "
        f"{_joined(found['fronts'][measure])}."
        for measure, timed, _figures in PLOTS.values()
    ]
    return (
        f"Spearman's rank correlation with the paper: {'; '.join(correlations)}. Between training "
        f"step and inference it is {_correlation(gap['ours'])} here and "
        f"{_correlation(gap['paper'])} in the paper. {' '.join([*claims, *fronts])}\n"
    )


def _correlation(found: Mapping[str, Any]) -> str:
    return f"{_ratio(found['spearman']) or 'unknown'} over {found['networks']} networks"


def _joined(values: Sequence[object]) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
