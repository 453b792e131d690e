"""Measure training from image files at every frozen depth, beside a plain PyTorch loop.

    python -m benchmarks.speed DATA.zip [--limit 30] [--repeats 3] [--runs FILE] [-o FILE]

DATA is a folder or a zip archive with `train/<class>/` and `test/<class>/`, like those of real
photographs. Both sides train the same network with random weights, at the same resolution and batch
size, on the same training images, with all cores:

- plain: `ImageFolder`, a `DataLoader` with a worker for each core, torchvision's transforms, in
  float32 (`benchmarks.plain.image_folder`);
- plain bfloat16: the same in bfloat16 and channels_last, where the processor computes in it;
- nasoa cold: `load_dataset` and `finetune` of the package, as `nasoa finetune` calls them, with an
  empty cache of decoded images;
- nasoa warm: the same when an earlier task has left the decoded images in the cache;
- nasoa features: warm, with the features of the frozen stages computed once (1 to 3 stages).

Each side trains until the limit. Its time starts before it lists the files and ends after its last
step; nasoa's ends after the last validation, and includes what the plain loop lacks: fitting a
first head, and the validations that select a checkpoint. With 4 frozen stages nasoa fits the head
to features and is done before the limit, and each image counts once. Files are in the operating
system's cache for all sides.

`frozen_stages` is -1 if everything is trained, 0 if the stem is frozen, and 4 for the head alone.
Each run is a separate process; sides take turns, and finished runs are not repeated.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.device import device
from benchmarks.machine import RESULTS, machine, summary, write
from benchmarks.run_log import Row, RunLog, make_missing
from benchmarks.speed_sides import BFLOAT16, COLD, DEPTHS, FEATURES, NETWORKS, PLAIN, SIDES, WARM
from nasoa.online.regimes.regime_space import LEAST_CACHED
from nasoa.records import HEAD_ONLY
from nasoa.training.precision import best_precision

KEY = ("data", "network", "frozen_stages", "side", "repeat", "setting")


def main() -> None:
    """Make the missing runs and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--depths", type=int, nargs="+", choices=DEPTHS, default=DEPTHS)
    parser.add_argument("--limit", type=float, default=30.0, metavar="S")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("build/speed.jsonl"))
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "speed.json")
    arguments = parser.parse_args()
    if min(arguments.batch_size, arguments.repeats) < 1 or arguments.limit <= 0:
        parser.error("expected at least 1 image per batch and 1 repeat, and a limit above 0")
    if not arguments.data.exists():
        parser.error(f"expected a folder or zip archive, but {arguments.data} does not exist")
    log = RunLog(arguments.runs, KEY)
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpacked(arguments.data, Path(scratch))
        failed = make_missing(log, turns(arguments), partial(command, arguments, folder))
    write(summarise(log.rows, arguments), arguments.output)
    if failed:
        raise SystemExit(f"{failed} runs failed")


def unpacked(data: Path, scratch: Path) -> Path:
    """Return the folder of DATA; an archive is extracted into `scratch`."""
    if data.is_dir():
        return data
    with zipfile.ZipFile(data) as archive:
        archive.extractall(scratch / data.stem)
    return scratch / data.stem


def setting(arguments: argparse.Namespace) -> str:
    """Return in words what all sides have in common; runs with other settings are other runs."""
    size = f"{arguments.resolution} px, batch {arguments.batch_size}"
    return f"{size}, a limit of {arguments.limit:g} s"


def turns(arguments: argparse.Namespace) -> Iterator[Row]:
    """Yield the keys of all runs; the sides of a case take turns."""
    for repeat in range(arguments.repeats):
        for network in arguments.networks:
            for depth in arguments.depths:
                for side in sides_at(depth):
                    key = (arguments.data.stem, network, depth, side, repeat, setting(arguments))
                    yield dict(zip(KEY, key, strict=True))


def sides_at(depth: int) -> list[str]:
    """Return the sides that exist at a frozen depth on this machine."""
    missing = set()
    if not LEAST_CACHED <= depth < HEAD_ONLY:
        missing.add(FEATURES)
    if best_precision().autocast_dtype is None:
        missing.add(BFLOAT16)
    return [side for side in SIDES if side not in missing]


def command(arguments: argparse.Namespace, folder: Path, key: Row) -> Sequence[str]:
    """Return the arguments of Python for one run."""
    return (
        *("-m", "benchmarks.speed_run", str(folder), "--side", key["side"]),
        *("--network", key["network"], "--depth", str(key["frozen_stages"])),
        *("--limit", str(arguments.limit), "--resolution", str(arguments.resolution)),
        *("--batch-size", str(arguments.batch_size)),
    )


def summarise(rows: Sequence[Row], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the result: images a second of every side, and the ratios to the plain loops."""
    own = [
        row
        for row in rows
        if row["setting"] == setting(arguments) and row["data"] == arguments.data.stem
    ]
    cases = list(dict.fromkeys((row["network"], row["frozen_stages"]) for row in own))
    return {
        "command": f"python -m benchmarks.speed {arguments.data.name} "
        f"--limit {arguments.limit:g} --repeats {arguments.repeats}",
        "machine": {**device(), **machine(("pillow",))},
        "code_versions": sorted({row["code_version"] for row in own}),
        "data": arguments.data.stem,
        "setting": setting(arguments),
        "seed": 0,
        "repeats": arguments.repeats,
        "rows": [case_summary(own, *case) for case in cases],
    }


def case_summary(rows: Sequence[Row], network: str, frozen_stages: int) -> dict[str, Any]:
    """Return the medians of one network at one depth, over the repeats."""
    speeds: dict[str, dict[int, float]] = {}
    for row in rows:
        if (row["network"], row["frozen_stages"]) == (network, frozen_stages):
            speeds.setdefault(row["side"], {})[row["repeat"]] = row["images_per_s"]
    ratios = {
        f"{side} over {other}": [
            speeds[side][repeat] / speeds[other][repeat]
            for repeat in speeds[side].keys() & speeds[other].keys()
        ]
        for side in (COLD, WARM, FEATURES)
        for other in (PLAIN, BFLOAT16)
        if side in speeds and other in speeds
    }
    return {
        "network": network,
        "frozen_stages": frozen_stages,
        "images_per_s": {side: statistics.median(found.values()) for side, found in speeds.items()},
        "times_as_fast": {name: summary(found) for name, found in ratios.items() if found},
    }


if __name__ == "__main__":
    main()
