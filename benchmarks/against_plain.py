"""Compare `nasoa finetune` with plain programs of a careful person, in turns and equal time.

    python -m benchmarks.against_plain pacs_photo.zip ... --limits 15 45 120

There are four arms; each runs in a separate process with all cores:

- nasoa: the command in a fresh store;
- loop: (a) full fine-tune of ET-NAS-A in a plain loop (`benchmarks/plain/loop.py`);
- linear: (b) logistic regression on EfficientNet-Lite0 features (`benchmarks/plain/linear.py`);
- finetune: (c) plain fine-tune of EfficientNet-Lite0 (`benchmarks/plain/finetune.py`).

The limit begins with an arm's process and includes importing the libraries, for all four. nasoa
also tests and saves its model within it; the others end their training then and test afterwards.
Accuracy is over all test images; for nasoa it is that of the saved model. Finished runs are
appended to the file given by `--runs` and are not repeated.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, machine
from benchmarks.nasoa_run import finetune
from benchmarks.paired_summary import accuracies, compare
from benchmarks.run_log import Row, RunLog, make_missing, names_of
from nasoa.training.clock import process_start

PLAIN_ARMS = ("loop", "linear", "finetune")
ARMS = ("nasoa", *PLAIN_ARMS)
KEY = ("data", "limit_s", "seed", "arm")
LIMITS_S = (15.0, 45.0, 120.0)
PACKAGES = ("torch", "scikit-learn", "efficientnet-lite-pytorch")


def main() -> None:
    """Make the missing runs, then print and write the summary; or run one arm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="+", metavar="DATA")
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS_S, metavar="S")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--runs", type=Path, default=Path("build/against_plain.jsonl"))
    parser.add_argument("--output", type=Path, default=RESULTS / "against_plain.json")
    parser.add_argument("--arm", choices=ARMS, help="only run this arm once, in this process")
    arguments = parser.parse_args()
    if arguments.arm:
        (data,), (limit_s,), (seed,) = arguments.data, arguments.limits, arguments.seeds
        print(json.dumps(run_arm(arguments.arm, data, limit_s, seed)))  # noqa: T201
        return
    names = names_of(arguments.data)
    log = RunLog(arguments.runs, KEY)
    runs = turns(names, arguments.limits, arguments.seeds, arguments.arms)
    keys = (dict(zip(KEY, values, strict=True)) for values in runs)
    failed = make_missing(log, keys, lambda key: one_arm(names[key["data"]], key))
    result = summarise([row for row in log.rows if row["data"] in names], arguments.limits)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(markdown(result))  # noqa: T201
    sys.exit(1 if failed else 0)


def turns(
    names: Mapping[str, str], limits_s: Sequence[float], seeds: Sequence[int], arms: Sequence[str]
) -> Iterator[tuple[str, float, int, str]]:
    """Yield every run; the arms of a data set in turn, each time starting with another one."""
    number = 0
    for limit_s in limits_s:
        for seed in seeds:
            for name in names:
                first = number % len(arms)
                number += 1
                for arm in (*arms[first:], *arms[:first]):
                    yield name, limit_s, seed, arm


def one_arm(data: str, key: Row) -> list[str]:
    """Return the arguments of Python that run one arm once."""
    return [
        *("-m", "benchmarks.against_plain", data, "--arm", key["arm"]),
        *("--limits", str(key["limit_s"]), "--seeds", str(key["seed"])),
    ]


def run_arm(arm: str, data: str, limit_s: float, seed: int) -> dict[str, Any]:
    """Run one arm in this process."""
    if arm == "nasoa":
        return finetune(data, limit_s, seed).row()
    started = process_start()
    module = importlib.import_module(f"benchmarks.plain.{arm}")
    # Imported here because the process that starts the arms does not need it.
    import torch  # noqa: PLC0415

    from nasoa.training.hardware import use_threads  # noqa: PLC0415

    use_threads()
    # The first optimiser of a process imports the compiler, which must not happen in a timed step.
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1)
    imports_s = time.monotonic() - started
    found: dict[str, Any] = module.run(data, limit_s - imports_s, seed)
    return {**found, "elapsed_s": found["elapsed_s"] + imports_s}


def summarise(rows: Sequence[Mapping[str, Any]], limits_s: Sequence[float]) -> dict[str, Any]:
    """Return the result: runs, and for each limit the comparison over complete data sets."""
    tables = {limit_s: accuracies(rows, limit_s, ARMS) for limit_s in limits_s}
    return {
        "what": "test accuracy of nasoa finetune beside three plain programs in the same time",
        "machine": machine(PACKAGES),
        "cpus": sorted({row["cpu"] for row in rows}),
        "code_versions": sorted({row["code_version"] for row in rows}),
        "seeds": sorted({row["seed"] for row in rows}),
        "limits": {
            f"{limit_s:g}": {**compare(table, "nasoa", PLAIN_ARMS), "accuracy": table}
            for limit_s, table in tables.items()
            if table
        },
        "runs": list(rows),
    }


def markdown(result: Mapping[str, Any]) -> str:
    """Return the table of all limits: accuracies, and the lead over the best plain arm."""
    lines = [
        f"| limit | data | {' | '.join(ARMS)} | nasoa minus the best plain |",
        "|---|---|" + "---:|" * (len(ARMS) + 1),
    ]
    for limit, found in result["limits"].items():
        for data, row in found["accuracy"].items():
            lead = found["lead_by_data_set"][data]
            lines.append(_line(limit, data, row, f"{lead['lead']:+.4f} ({lead['over']})"))
        interval = found["interval_90"]
        between = f", {interval[0]:+.4f} to {interval[1]:+.4f}" if interval else ""
        text = f"{found['lead_over_best_other']:+.4f} ({found['best_other']}{between})"
        lines.append(_line(limit, "mean", found["mean_accuracy"], text))
    return "\n".join(lines)


def _line(limit: str, data: str, row: Mapping[str, float], lead: str) -> str:
    cells = " | ".join(f"{row[arm]:.4f}" for arm in ARMS)
    return f"| {limit} s | {data} | {cells} | {lead} |"


if __name__ == "__main__":
    main()
