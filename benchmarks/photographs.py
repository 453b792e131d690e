"""Measure how long photographs of 12 megapixels take to read, compared with a plain Pillow loop.

The loop decodes each photograph in full and resizes it. `load_dataset` reads the same folder
without the cache, then with an empty cache, then with a filled one. All of these alternate in one
run. The photographs are real images enlarged to 4000 x 3000 pixels, with noise like that of a
sensor, so that the files are as large as those of a camera. CPU time is measured too: on a shared
machine, its ratio is the steadier one.

    python -m benchmarks.photographs [--photographs 48] [--repeats 5] [-o FILE]
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.data import ImageDataset, load_dataset

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
ARCHIVES = ("clothing10_224", "houses4_224", "flowers5_224")
SEED = 0
RESOLUTION = 224
SIZE = (4000, 3000)
NOISE = 7.0  # standard deviation in grey levels
QUALITY = 92


def make_photographs(folder: Path, count: int) -> None:
    """Write `count` photographs of about 4 MB in a class folder for each archive."""
    rng = np.random.default_rng(SEED)
    for number in range(count):
        name = ARCHIVES[number % len(ARCHIVES)]
        with zipfile.ZipFile(DATA / f"{name}.zip") as archive:
            paths = sorted(path for path in archive.namelist() if path.endswith(".jpg"))
            small = Image.open(io.BytesIO(archive.read(paths[7 * number % len(paths)])))
        size = SIZE if small.width >= small.height else SIZE[::-1]
        pixels = np.asarray(small.convert("RGB").resize(size, Image.Resampling.BICUBIC))
        noise = rng.normal(0, NOISE, (*pixels.shape[:2], 1)).astype(np.int16)
        (folder / name).mkdir(parents=True, exist_ok=True)
        photograph = Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
        photograph.save(folder / name / f"{number:04d}.jpg", quality=QUALITY)


def plain_loop(folder: Path) -> NDArray[np.uint8]:
    """Return the `(n, 3, R, R)` photographs in the order of their paths, read one by one."""
    images = []
    for path in sorted(folder.rglob("*.jpg")):
        image = Image.open(path).convert("RGB")
        image = image.resize((RESOLUTION, RESOLUTION), Image.Resampling.BILINEAR)
        images.append(np.asarray(image).transpose(2, 0, 1))
    return np.stack(images)


def nasoa(folder: Path, cache_bytes: int) -> ImageDataset:
    """Read the photographs as a data set; a bound of 0 bytes turns the cache off."""
    os.environ["NASOA_CACHE_BYTES"] = str(cache_bytes)
    return load_dataset(str(folder), seed=SEED, resolution=RESOLUTION)


def measure(folder: Path, cache: Path, repeats: int) -> dict[str, object]:
    """Return wall and CPU seconds, and the ratios of the loop to nasoa."""
    os.environ["NASOA_CACHE_DIR"] = str(cache)
    work: dict[str, Callable[[], object]] = {
        "plain_loop": lambda: plain_loop(folder),
        "no_cache": lambda: nasoa(folder, 0),
        "empty_cache": lambda: nasoa(folder, 4 * 1024**3),
        "from_cache": lambda: nasoa(folder, 4 * 1024**3),
    }
    wall: dict[str, list[float]] = {name: [] for name in work}
    cpu: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for file in cache.rglob("*.pixels"):
            file.unlink()
        for name, function in work.items():
            began = time.perf_counter(), time.process_time()
            function()
            wall[name].append(time.perf_counter() - began[0])
            cpu[name].append(time.process_time() - began[1])
    loop = wall["plain_loop"]
    return {
        **{f"{name}_s": summary(values) for name, values in wall.items()},
        **{f"{name}_cpu_s": summary(values) for name, values in cpu.items()},
        "times_as_fast": summary(_ratios(loop, wall["no_cache"])),
        "times_as_little_cpu": summary(_ratios(cpu["plain_loop"], cpu["no_cache"])),
        "times_as_fast_from_cache": summary(_ratios(loop, wall["from_cache"])),
    }


def _ratios(loop: list[float], here: list[float]) -> list[float]:
    return [theirs / ours for theirs, ours in zip(loop, here, strict=True)]


def difference(folder: Path) -> dict[str, float]:
    """Return grey levels between full decoding and a data set, pairing each image with its twin."""
    full = torch.from_numpy(plain_loop(folder)).flatten(1).float()
    data = nasoa(folder, 0)
    means, worst = [], 0.0
    for split in (data.train, data.val, data.test):
        for image in split.images(torch.arange(len(split))).flatten(1).float():
            distances = (full - image).abs()
            nearest = distances.mean(dim=1).argmin()
            means.append(float(distances[nearest].mean()))
            worst = max(worst, float(distances[nearest].max()))
    return {"mean": float(f"{np.mean(means):.3g}"), "most": worst}


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "photographs.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photographs"
        make_photographs(folder, arguments.photographs)
        sizes = [path.stat().st_size for path in folder.rglob("*.jpg")]
        # Other processes slow all of it down.
        load = os.getloadavg()[0]
        result: dict[str, object] = {
            "command": f"python -m benchmarks.photographs --photographs {arguments.photographs} "
            f"--repeats {arguments.repeats}",
            "machine": {**machine(["numpy", "pillow", "torch"]), "load_average": load},
            "seed": SEED,
            "repeats": arguments.repeats,
            "photographs": arguments.photographs,
            "pixels": list(SIZE),
            "megabytes": summary([size / 1e6 for size in sizes]),
            "resolution": RESOLUTION,
            **measure(folder, Path(temporary) / "cache", arguments.repeats),
            "grey_levels_from_full_decoding": difference(folder),
        }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
