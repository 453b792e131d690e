"""Sections of the page of results on `against_plain` and `not_below_linear`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.against_plain import ARMS
from benchmarks.growth_plots import Curve, Growth, Result
from benchmarks.not_below_linear import NOTICED
from benchmarks.results_files import result, source, table

PLAIN, LINEAR = "against_plain.json", "not_below_linear.json"

PLOT_FILE = "accuracy-over-time.svg"
NAMES = {
    "nasoa": "nasoa",
    "loop": "ET-NAS-A, plain loop",
    "linear": "Lite0, linear classifier",
    "finetune": "Lite0, plain fine-tune",
}


def mean_accuracies(found: Result) -> list[Curve]:
    """Return the mean accuracy of each arm over the time limit in seconds."""
    return [
        Curve.of(
            name,
            [(float(limit), own["mean_accuracy"][arm]) for limit, own in found["limits"].items()],
        )
        for arm, name in NAMES.items()
    ]


PLOT = Growth(
    PLAIN,
    "Mean accuracy on test tasks",
    "time limit in seconds, with everything",
    "accuracy",
    mean_accuracies,
    is_share=True,
)


def beside_plain_programs() -> str:
    """Return the accuracies of nasoa and of three plain programs in the same time."""
    found = result(PLAIN)
    lines = []
    for limit, own in found["limits"].items():
        for data, row in own["accuracy"].items():
            lead = own["lead_by_data_set"][data]
            lines.append([f"{limit} s", data.removesuffix(".zip"), *_cells(row), _lead(lead)])
        lines.append([f"{limit} s", "**mean**", *_cells(own["mean_accuracy"]), _mean_lead(own)])
    return (
        "## Beside plain programs\n\n"
        f"Test accuracy, means of {len(found['seeds'])} seeds, on test tasks "
        "([how often they were looked at](limits.md#evidence)), in equal time of the wall clock: "
        "nasoa in a new store; `loop`, a full fine-tune of "
        "ET-NAS-A; `linear`, a logistic regression on the features of EfficientNet-Lite0 at the "
        "largest size that fits; `finetune`, a plain fine-tune of EfficientNet-Lite0. Nasoa also "
        "tests and saves within its time. The last column is nasoa's lead over the best of the "
        "three on that task, and for the mean over the best on average, with a 90 % interval over "
        "sources of images, as flowers5 and flowers5_224 have one "
        f"({source(PLAIN)}, {_processors(found)}, {_code(found)}).\n\n"
        + table(["limit", "task", *ARMS, "lead"], lines)
        + (f"\n![{PLOT.title}]({PLOT_FILE})\n" if PLOT.is_measured() else "")
    )


def means() -> str:
    """Return the table of README: mean accuracies, and the lead over the best plain program."""
    found = result(PLAIN)
    lines = [
        [f"{limit} s", *_cells(own["mean_accuracy"]), _mean_lead(own)]
        for limit, own in found["limits"].items()
    ]
    header = ["limit", *(NAMES[arm] for arm in ARMS), "lead"]
    return f"{table(header, lines)}\nMeasured with the {_code(found)}.\n"


def behind() -> str:
    """Return the sentence of docs/limits.md on tasks on which a plain program is ahead of nasoa."""
    limits = result(PLAIN)["limits"]
    leads = pd.DataFrame(
        [
            {"data": data.removesuffix(".zip"), "limit": limit, **lead}
            for limit, own in limits.items()
            for data, lead in own["lead_by_data_set"].items()
        ]
    )
    worse = leads[leads["lead"].round(3) < 0]
    count = leads["data"].nunique()
    if worse.empty:
        return f"On none of these {count} tasks a plain program is ahead of nasoa."
    told = [
        f"{data} by "
        + " and ".join(f"{-row.lead:.3f} at {row.limit} s ({row.over})" for row in own.itertuples())
        for data, own in worse.groupby("data")
    ]
    return (
        f"On {len(told)} of these {count} tasks the best plain program is ahead of nasoa: "
        f"{'; '.join(told)}."
    )


def not_below_linear() -> str:
    """Return how fine-tunes of each model compare with a linear classifier on its features."""
    found = result(LINEAR)
    runs = pd.DataFrame(found["runs"])
    runs["below"] = runs["lead"] < -NOTICED * runs["lead_standard_error"]
    by_model = runs.groupby(["model", "limit_s"]).agg(
        runs=("lead", "size"), lead=("lead", "mean"), worst=("lead", "min"), below=("below", "sum")
    )
    lines = [
        [model, f"{limit_s:g} s", row.runs, f"{row.lead:+.3f}", f"{row.worst:+.3f}", row.below]
        for (model, limit_s), row in zip(by_model.index, by_model.itertuples(), strict=True)
    ]
    names = sorted(name.removesuffix(".zip") for name in runs["data"].unique())
    return (
        "## Beside a linear classifier on the same features\n\n"
        "Test accuracy of `nasoa finetune --model` minus that of a logistic regression on the same "
        "model's features at the same size, which uses all training images, chooses C on a "
        f"validation split and has no limit, on {', '.join(names)}. The last column counts runs "
        f"that are below by more than {NOTICED:g} standard errors "
        f"({source(LINEAR)}, {_processors(found)}).\n\n"
        + table(["model", "limit", "data sets", "mean", "worst", "below"], lines)
    )


def _processors(found: Result) -> str:
    return f"{found['machine']['cores']} cores of {' and of '.join(found['cpus'])}"


def _code(found: Result) -> str:
    """Return the versions of the code that made the runs."""
    versions = [f"`{version}`" for version in found["code_versions"]]
    return f"code of {' and '.join(versions)}"


def _cells(row: dict[str, float]) -> list[str]:
    return [f"{row[arm]:.3f}" for arm in ARMS]


def _lead(lead: dict[str, Any]) -> str:
    return f"{lead['lead']:+.3f} ({lead['over']})"


def _mean_lead(own: dict[str, Any]) -> str:
    interval = own["interval_90"]
    between = f", {interval[0]:+.3f} to {interval[1]:+.3f}" if interval else ""
    return f"{own['lead_over_best_other']:+.3f} ({own['best_other']}{between})"
