"""Measure what the local pipeline adds to the bare steps of a task, in and around its time limit.

    python -m benchmarks.pipeline_overhead DATA... [--limit 40] [--repeats 5] [-o FILE]

For each DATA, in turns, with the same seeds, each in a new store, and with the decoded images in
the cache:

- command: `nasoa finetune DATA --time-limit 40s`;
- pipeline: `nasoa pipeline run finetune-task --local` with the same parameters, one process a step.

Reported are the seconds of wall time that the limit does not cover (`outside_s`: wall time less the
task's own `elapsed_s`), and the updates that were made within the limit, where both chose the same
regime. For the pipeline, `outside_s` is divided: before the first step (starting Python, importing
nasoa and KFP, building the pipeline), between and after the steps, and of each step what its
process took beyond the time that it counted (a shell, writing outputs, ending Python).

One more run of each, which is not timed, has PYTHONPROFILEIMPORTTIME set and tells the seconds that
each process spends importing, by package. How long a process that imports nothing takes is measured
too. Finished runs are appended to `--runs` and not repeated.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, code_version, machine, summary, write
from benchmarks.pipeline_timeline import Line, imports, most_imported, timeline
from benchmarks.run_log import Row, RunLog, names_of
from nasoa.records import Recommendation, Task
from nasoa.steps.reading import read_record
from nasoa.store import experience_log, keys, open_store

KEY = ("data", "limit_s", "way", "repeat")
COMMAND, PIPELINE = "command", "pipeline"
COMMAND_IMPORTS, PIPELINE_IMPORTS = "imports of the command", "imports of the pipeline"
WAYS = (COMMAND, PIPELINE)
# The steps that count their time; recording a failure comes after them.
STEPS = ("compute-meta-features", "predict-regime", "finetune", "update-predictor")
PROFILED = {"PYTHONPROFILEIMPORTTIME": "1"}
SHOWN_PACKAGES = 12
EMPTY_PROCESSES = 9


def main() -> None:
    """Make the missing runs, and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="+", metavar="DATA")
    parser.add_argument("--limit", type=float, default=40.0, metavar="S")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--runs", type=Path, default=Path("build/pipeline_overhead.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "pipeline_overhead.json")
    arguments = parser.parse_args()
    if arguments.repeats < 1 or arguments.limit <= 0:
        parser.error("expected at least 1 repeat and a limit above 0")
    try:
        names = names_of(arguments.data)
    except ValueError as error:
        parser.error(str(error))
    log = RunLog(arguments.runs, KEY)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["NASOA_CACHE_DIR"] = cache
        for name, data in names.items():
            measure_missing(log, name, data, arguments.limit, arguments.repeats)
    write(summarise(log.rows, list(names), arguments.limit), arguments.output)


def measure_missing(log: RunLog, name: str, data: str, limit_s: float, repeats: int) -> None:
    """Make the missing runs of one data set, and append them to the log."""
    turns = [(way, repeat) for repeat in range(repeats) for way in WAYS]
    turns += [(COMMAND_IMPORTS, 0), (PIPELINE_IMPORTS, 0)]
    missing: list[Row] = [
        {"data": name, "limit_s": limit_s, "way": way, "repeat": repeat}
        for way, repeat in turns
        if not log.has(data=name, limit_s=limit_s, way=way, repeat=repeat)
    ]
    if missing:
        with tempfile.TemporaryDirectory() as store:
            run(["task", "describe", data, "--store", store])  # leaves decoded images in the cache
    for key in missing:
        found = measure(key["way"], data, limit_s, key["repeat"])
        log.append({**key, **found, "code_version": code_version()})
        sys.stderr.write(f"{key}\n")


def measure(way: str, data: str, limit_s: float, seed: int) -> Row:
    """Return the fields of one run."""
    limit = f"{limit_s:g}s"
    environment = PROFILED if way in (COMMAND_IMPORTS, PIPELINE_IMPORTS) else {}
    with tempfile.TemporaryDirectory() as store:
        shared = ["--store", store, "--json"]
        if way in (COMMAND, COMMAND_IMPORTS):
            words = ["finetune", data, "--time-limit", limit, "--seed", str(seed)]
        else:
            words = ["pipeline", "run", "finetune-task", "--local", "--verbose"]
            words += ["-p", f"data={data}", "-p", f"time_limit={limit}", "-p", f"seed={seed}"]
        printed, lines, wall_s = run([*words, *shared], environment)
        if environment:
            return {"imports_s": imports(lines)}
        result = json.loads(printed)
        divided = {"divided_s": divide(lines, wall_s, result, store)} if way == PIPELINE else {}
        return {**outcome(result, store, wall_s), **divided}


def run(
    words: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[str, list[Line], float]:
    """Run nasoa; return standard output, the lines of standard error, and the wall seconds.

    Raises:
        RuntimeError: the command failed; the message is the end of its log.
    """
    lines: list[Line] = []
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "nasoa", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        errors = process.stderr

        def read_errors() -> None:
            for text in errors:
                lines.append(Line(time.perf_counter() - started, text.rstrip("\n")))

        reader = threading.Thread(target=read_errors)
        reader.start()
        printed = process.stdout.read()
        code = process.wait()
        wall_s = time.perf_counter() - started
        reader.join()
    if code:
        raise RuntimeError(f"nasoa failed: {' '.join(line.text for line in lines[-3:])}")
    return printed, lines, wall_s


def outcome(result: Mapping[str, Any], store: str, wall_s: float) -> Row:
    """Return what the limit covered, and what was trained in it."""
    task = _record(store, keys.task(result["task_id"]), Task)
    regime = result["regime"]
    return {
        "images": task.num_train + task.num_val + task.num_test,
        "wall_s": round(wall_s, 3),
        "elapsed_s": result["elapsed_s"],
        "outside_s": round(wall_s - result["elapsed_s"], 3),
        "updates": regime["iterations"],
        "regime": {name: value for name, value in regime.items() if name != "iterations"},
        "accuracy": result["accuracy"],
    }


def divide(
    lines: Sequence[Line], wall_s: float, result: Mapping[str, Any], store: str
) -> dict[str, float]:
    """Return the seconds outside the limit of each part of a pipeline; they add up to all."""
    whole = timeline(lines, wall_s)
    described = _record(store, keys.task(result["task_id"]), Task).used_s
    chosen = _record(store, keys.recommendation(result["task_id"]), Recommendation).used_s
    tuned = experience_log.read(open_store(store), result["task_id"]).elapsed_s
    ends = [0.0, described, chosen, tuned, result["elapsed_s"]]
    counted = dict(zip(STEPS, np.diff(ends).tolist(), strict=True))
    return {
        "before the first step": whole.before_s,
        **{name: step_s - counted.get(name, 0.0) for name, step_s in whole.steps.items()},
        "between the steps": whole.between_s,
        "after the last step": whole.after_s,
    }


def _record(store: str, key: str, kind: type[Any]) -> Any:
    found = read_record(open_store(store), key, kind)
    if found is None:
        raise RuntimeError(f"expected {key} in the store of the run")
    return found


def summarise(rows: Sequence[Row], names: Sequence[str], limit_s: float) -> dict[str, Any]:
    """Return the result: medians for each data set, and the imports."""
    own = [row for row in rows if row["limit_s"] == limit_s and row["data"] in names]
    return {
        "command": f"python -m benchmarks.pipeline_overhead {' '.join(names)} --limit {limit_s:g}",
        "machine": machine(("torch", "kfp", "scikit-learn")),
        "code_versions": sorted({row["code_version"] for row in own}),
        "limit_s": limit_s,
        "seeds": sorted({row["repeat"] for row in own}),
        "empty_process_s": summary([empty_process_s() for _ in range(EMPTY_PROCESSES)]),
        "data_sets": [of_data_set([row for row in own if row["data"] == name]) for name in names],
    }


def empty_process_s() -> float:
    """Return the seconds that a process of Python takes that imports nothing."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.perf_counter() - started


def of_data_set(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the medians of one data set."""
    by_way = {way: {r["repeat"]: r for r in rows if r["way"] == way} for way in WAYS}
    pairs = [
        (by_way[COMMAND][repeat], by_way[PIPELINE][repeat])
        for repeat in by_way[COMMAND].keys() & by_way[PIPELINE].keys()
    ]
    alike = [
        pipeline["updates"] / command["updates"]
        for command, pipeline in pairs
        if command["regime"] == pipeline["regime"]
    ]
    return {
        "data": rows[0]["data"],
        "images": pairs[0][0]["images"],
        **{way: _medians(list(found.values())) for way, found in by_way.items()},
        "more_outside_s": summary([b["outside_s"] - a["outside_s"] for a, b in pairs]),
        "pairs_of_the_same_regime": len(alike),
        "ratio_of_updates": statistics.median(alike) if alike else None,
        "pipeline_outside_s": {
            part: round(statistics.median(pipeline["divided_s"][part] for _, pipeline in pairs), 3)
            for part in pairs[0][1]["divided_s"]
        },
        "imports_s": {
            row["way"]: {
                "processes": {
                    process: round(sum(packages.values()), 3)
                    for process, packages in row["imports_s"].items()
                },
                "packages": most_imported(list(row["imports_s"].values()), SHOWN_PACKAGES),
            }
            for row in rows
            if "imports_s" in row
        },
    }


def _medians(rows: Sequence[Row]) -> dict[str, float]:
    return {
        name: round(statistics.median(row[name] for row in rows), 3)
        for name in ("wall_s", "elapsed_s", "outside_s", "updates")
    }


if __name__ == "__main__":
    main()
