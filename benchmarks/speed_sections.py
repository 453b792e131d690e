"""What was timed, as sections of the page of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.growth_plots import PLOTS
from benchmarks.results_files import machine_of, result, source, table
from benchmarks.speed_sides import BFLOAT16, COLD, FEATURES, PLAIN, WARM


def speed() -> str:
    """Return what was timed beside something else in the same run."""
    lines: list[list[object]] = []

    def add(what: str, beside: str, times: float | str, name: str) -> None:
        shown = times if isinstance(times, str) else f"{times:.3g}"
        lines.append([what, beside, shown, source(name), machine_of(name)])

    predictor = result("predictor_speed.json")
    update = "an update of the adaptive MLP"
    for key, beside in (("torch_loop", "one backward pass"), ("torch_per_depth", "one per depth")):
        median = predictor[f"{key}_ratio"]["median"]
        add(update, f"torch, {beside}", median, "predictor_speed.json")
    photographs = result("photographs.json")
    reading = f"reading {photographs['photographs']} photographs of 12 megapixels"
    add(reading, "a plain loop", photographs["times_as_fast"]["median"], "photographs.json")
    cached = photographs["times_as_fast_from_cache"]["median"]
    add(f"{reading} again", "a plain loop", f"{cached:,.0f}", "photographs.json")
    ratios = [row["ratio"] for row in result("recorded_steps.json")["rows"]]
    span = f"{min(ratios):.3g} to {max(ratios):.3g}"
    add("a training step of the zoo's models", "unrecorded", span, "recorded_steps.json")
    header = ["what", "beside", "times as fast", "file", "machine"]
    return "## Speed\n\nMedians of ratios measured side by side.\n\n" + table(header, lines)


PLAIN_LOOPS = {
    "float32": "float32",
    "float32 channels_last": "float32, channels last",
    "bfloat16 channels_last": "bfloat16, channels last",
}


def features() -> str:
    """Return how fast features of frozen networks are beside plain loops."""
    name = "frozen_features.json"
    return (
        "## Features of frozen networks\n\n"
        "Images a second of `FrozenPrefix` on one core, and how many times as fast it is as plain "
        f"loops in evaluation mode: medians of {result(name)['repeats']} rounds, in each of which "
        f"all took turns ({source(name)}, {machine_of(name)}).\n\n"
        + _beside_plain(name, "frozen prefix", lambda row: f"{row['resolution']} px")
    )


def training_steps() -> str:
    """Return how fast training steps are beside plain loops."""
    name = "training_speed.json"

    def case(row: dict[str, Any]) -> str:
        frozen = "3 stages" if row["frozen_stages"] == 3 else "nothing"
        return f"{row['resolution']} px, {frozen} frozen"

    return (
        "## Training steps\n\n"
        "Images a second of nasoa's training step on one core, and how many times as fast it is as "
        f"plain loops: medians of {result(name)['repeats']} rounds, in each of which all took "
        f"turns ({source(name)}, {machine_of(name)}).\n\n" + _beside_plain(name, "nasoa", case)
    )


def _beside_plain(name: str, ours: str, case: Callable[[dict[str, Any]], str]) -> str:
    """Return a table of images a second, and of the ratios to the plain loops."""
    rows = result(name)["rows"]
    loops = {loop: shown for loop, shown in PLAIN_LOOPS.items() if loop in rows[0]["cpu_ratio"]}
    lines = [
        [
            row["network"],
            case(row),
            f"{row['images_per_cpu_s'][ours]:,.0f}",
            *(f"{row['cpu_ratio'][loop]:.2f}" for loop in loops),
        ]
        for row in rows
    ]
    return table(["network", "", "images a second", *loops.values()], lines)


def survival() -> str:
    """Return how fast survival by rank and crowding is beside pymoo."""
    name = "sorting.json"
    found = result(name)
    ratios = ("survive_times_as_fast", "with_building_times_as_fast", "most_without_building")
    lines = [
        [
            f"{row['points']:,}",
            row["objectives"],
            *(f"{row[key]['median']:.3g}" for key in ("survive_ms", "survive_pymoo_ms")),
            *(f"{row[key]['median']:.1f}" for key in ratios),
        ]
        for row in found["sizes"]
    ]
    header = ["points", "objectives", "nasoa, ms", "pymoo, ms", "times as fast"]
    header += ["with making the population", "at most"]
    return (
        "## Survival\n\n"
        "Selecting the better half of points by rank and crowding distance, in float64, beside "
        "pymoo's `RankAndCrowding` on a population that exists, and with making that population, "
        f"medians of {found['repeats']} rounds in turns ({source(name)}, {machine_of(name)}). Both "
        "rank with moocore's `pareto_rank`; the last column is the ratio without the population if "
        "nothing but this ranking took time.\n\n" + table(header, lines)
    )


DEPTHS = {
    -1: "nothing",
    0: "the stem",
    1: "1 stage",
    2: "2 stages",
    3: "3 stages",
    4: "all but the head",
}


def training_from_files() -> str:
    """Return how fast training from image files is beside a plain loop over the files."""
    name = "speed.json"
    found = result(name)
    ratios = [f"{side} over {PLAIN}" for side in (COLD, WARM, FEATURES)]
    ratios.append(f"{WARM} over {BFLOAT16}")

    def line(row: dict[str, Any]) -> list[object]:
        rates = (row["images_per_s"].get(side) for side in (PLAIN, COLD, WARM, FEATURES))
        times = (row["times_as_fast"].get(ratio) for ratio in ratios)
        return [
            row["network"],
            DEPTHS[row["frozen_stages"]],
            *(f"{rate:,.0f}" if rate else "" for rate in rates),
            *(f"{ratio['median']:.2f}" if ratio else "" for ratio in times),
        ]

    return (
        "## Training from image files\n\n"
        "Images a second from listing the files to the last step, beside a plain loop with "
        "`ImageFolder`, a `DataLoader` with a worker for each core and torchvision's transforms, "
        f"in float32: {found['data']}, {found['setting']}, medians of {found['repeats']} "
        f"({source(name)}, {machine_of(name)}). Cold: no decoded images in the cache; warm: an "
        "earlier task left them; features: those of frozen stages are computed once. nasoa's "
        "times include a first head and validations, which the plain loop lacks. Its head alone is "
        "fitted, and each image counts once.\n\n"
        + table(
            ["network", "frozen", PLAIN, COLD, WARM, FEATURES, *ratios],
            map(line, found["rows"]),
        )
    )


def pipeline_overhead() -> str:
    """Return what the local pipeline adds to a task."""
    name = "pipeline_overhead.json"
    found = result(name)
    ways, parts, imported = [], [], []
    for own in found["data_sets"]:
        ratio = own["ratio_of_updates"]
        ways.append(
            [
                own["data"],
                f"{own['images']:,}",
                *(f"{own[way]['outside_s']:.2f} s" for way in ("command", "pipeline")),
                f"{ratio:.3f}" if ratio is not None else "",
            ]
        )
        parts += [
            [own["data"], part, f"{seconds:.2f} s"]
            for part, seconds in own["pipeline_outside_s"].items()
        ]
        imported += [
            [own["data"], way, process, f"{seconds:.2f} s"]
            for way, imports in own["imports_s"].items()
            for process, seconds in imports["processes"].items()
        ]
    empty_ms = 1000 * found["empty_process_s"]["median"]
    return (
        "## The local pipeline\n\n"
        f"Seconds of wall time that a limit of {found['limit_s']:g} s does not cover, for the same "
        "task by `nasoa finetune` and by `nasoa pipeline run finetune-task --local`, medians of "
        f"{len(found['seeds'])}, and the pipeline's updates within the limit as a fraction of the "
        f"command's, where both chose the same regime ({source(name)}, {machine_of(name)}).\n\n"
        + table(["data", "images", "command", "pipeline", "updates"], ways)
        + "\nWhere the pipeline's time outside the limit goes; of a step, what its process takes "
        "beyond the time that it counts:\n\n"
        + table(["data", "part", "seconds"], parts)
        + "\nSeconds that the processes spend importing, under the profiler of imports, which "
        f"slows them down; a process that imports nothing takes {empty_ms:.0f} ms. Within a step "
        "they count towards the limit:\n\n" + table(["data", "by", "process", "seconds"], imported)
    )


def growth() -> str:
    """Return what candidates, experience and tasks cost in number."""
    ranking = result("ranking_speed.json")["sizes"][-1]
    runs = ranking["ranking"]["after_1000_runs"]["median"]
    updates = {kind: result(f"store_updates_{kind}.json") for kind in ("folder", "s3")}
    load = result("load_simulation.json")
    needed, search = load["needed"], load["search"]
    lines: list[list[object]] = [
        [
            f"ranking {ranking['candidates']:,} candidates after 1,000 runs",
            f"{runs:.0f} ms",
            source("ranking_speed.json"),
        ]
    ]
    for kind, found in updates.items():
        median = found["update after compact"]["seconds"]["median"]
        what = f"one update of the predictor beside {found['experiences']:,} experiences, {kind}"
        lines.append([what, f"{median:.2f} s", source(f"store_updates_{kind}.json")])
    writes = load["online"]["loose"][-1]["writes"]
    lines += [
        [
            f"experiences that {writes['clients']} clients write into S3",
            f"{writes['a_second']:.0f} a second; {needed['tasks_a_day']:,} tasks a day need "
            f"{needed['peak_a_second']:.2f} at their peak",
            source("load_simulation.json"),
        ],
        [
            f"a simulated search with {search['workers']} workers, {search['lost']} of them lost",
            f"{search['trainings']} trainings, {search['wasted_trainings']} made twice",
            source("load_simulation.json"),
        ],
    ]
    plots = [
        f"![{plot.title}: {plot.up} over {plot.across}](growth-{name}.svg)\n\n"
        f"{plot.title} ({source(plot.source)}, {machine_of(plot.source)}).\n"
        for name, plot in PLOTS.items()
        if plot.is_measured()
    ]
    return "\n".join(["## Growth\n", table(["what", "result", "file"], lines), *plots])
