"""Check that nasoa's fine-tune of each model is as good as a linear classifier on its features.

    python -m benchmarks.not_below_linear pacs_photo.zip ... --limits 15 45 120

For every model of the packaged zoo whose library is installed, the test accuracy of `nasoa finetune
--model NAME` is compared with that of logistic regression on the same model's features, at the
resolution that the fine-tune chose, with all training images, C chosen on a validation split, and
no time limit. Both classify the same test images, so the standard error of the difference is that
of a paired difference. Finished runs are appended to the file given by `--runs` and not repeated.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.machine import RESULTS, machine
from benchmarks.nasoa_run import finetune
from benchmarks.run_log import Row, RunLog, make_missing, names_of
from nasoa.zoo.entries import packaged_zoo

if TYPE_CHECKING:
    from torch import Tensor

KEY = ("data", "limit_s", "seed", "model")
LIMITS_S = (15.0, 45.0, 120.0)
COLUMNS = ("accuracy", "linear_accuracy", "linear_standard_error", "lead", "lead_standard_error")
# A fine-tune is below the classifier if it is behind by more standard errors than this.
NOTICED = 2.0


def main() -> None:
    """Make the missing runs, then print and write all; or run one model."""
    models = sorted(packaged_zoo().buildable().entries)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="+", metavar="DATA")
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS_S, metavar="S")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0,))
    parser.add_argument("--models", nargs="+", choices=models, default=models)
    parser.add_argument("--runs", type=Path, default=Path("build/not_below_linear.jsonl"))
    parser.add_argument("--output", type=Path, default=RESULTS / "not_below_linear.json")
    parser.add_argument("--model", choices=models, help="only run this once, in this process")
    arguments = parser.parse_args()
    if arguments.model:
        (data,), (limit_s,), (seed,) = arguments.data, arguments.limits, arguments.seeds
        print(json.dumps(run_model(arguments.model, data, limit_s, seed)))  # noqa: T201
        return
    names = names_of(arguments.data)
    log = RunLog(arguments.runs, KEY)
    runs = product(names, arguments.limits, arguments.seeds, arguments.models)
    keys = (dict(zip(KEY, values, strict=True)) for values in runs)
    failed = make_missing(log, keys, lambda key: one_model(names[key["data"]], key))
    result = summarise([row for row in log.rows if row["data"] in names])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(result["runs"]))  # noqa: T201
    sys.exit(1 if failed else 0)


def one_model(data: str, key: Row) -> list[str]:
    """Return the arguments of Python that run one model once."""
    return [
        *("-m", "benchmarks.not_below_linear", data, "--model", key["model"]),
        *("--limits", str(key["limit_s"]), "--seeds", str(key["seed"])),
    ]


def run_model(
    model: str, data: str, limit_s: float, seed: int, options: Sequence[str] = ()
) -> dict[str, Any]:
    """Fine-tune a model with the command, and compare it with a linear classifier.

    Args:
        model: name of the model.
        data: DATA of the command.
        limit_s: its time limit in seconds.
        seed: its seed.
        options: further arguments of the command.

    Raises:
        RuntimeError: the command failed.
    """
    finished = finetune(data, limit_s, seed, ["--model", model, *options])
    # Imported here, so that the process uses little memory while the command runs.
    from benchmarks.model_features import linear_classifier  # noqa: PLC0415
    from nasoa.training.hardware import use_threads  # noqa: PLC0415

    use_threads()
    resolution = finished.result["regime"]["resolution"]
    correct, c = linear_classifier(packaged_zoo(), model, data, seed, resolution)
    return {**finished.row(), **comparison(finished.correct, correct), "c": c}


def comparison(tuned: Tensor, linear: Tensor) -> dict[str, float]:
    """Return the linear classifier's accuracy, the fine-tune's lead, and their standard errors.

    Args:
        tuned: `(n,)` bool, n >= 2, whether the fine-tuned network classifies each test image
            correctly.
        linear: the same for the linear classifier.
    """
    lead = tuned.double() - linear.double()
    root = len(lead) ** 0.5
    return {
        "linear_accuracy": linear.double().mean().item(),
        "linear_standard_error": linear.double().std().item() / root,
        "lead": lead.mean().item(),
        "lead_standard_error": lead.std().item() / root,
        "num_test": len(lead),
    }


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the result: runs, and which are below the linear classifier."""
    below = [row for row in rows if row["lead"] < -NOTICED * row["lead_standard_error"]]
    return {
        "what": "test accuracy of a model fine-tuned, and of a linear classifier on its features",
        "machine": machine(("torch", "scikit-learn")),
        "cpus": sorted({row["cpu"] for row in rows}),
        "code_versions": sorted({row["code_version"] for row in rows}),
        "below_linear": [{name: row[name] for name in (*KEY, "lead")} for row in below],
        "runs": list(rows),
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table with a line for each run."""
    lines = [
        "| data | limit | seed | model | px | nasoa | linear | nasoa minus linear |",
        "|---|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        accuracy, linear, linear_error, lead, lead_error = (row[name] for name in COLUMNS)
        lines.append(
            f"| {row['data']} | {row['limit_s']:g} s | {row['seed']} | {row['model']} "
            f"| {row['regime']['resolution']} | {accuracy:.4f} "
            f"| {linear:.4f} ± {linear_error:.4f} | {lead:+.4f} ± {lead_error:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
