"""The zoo and its step times: those of the package and those of the store."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from nasoa.errors import InvalidInput, WeightsError
from nasoa.online.regimes.regime_space import admitted_resolutions
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import Task, ZooEntry, to_sealed_json
from nasoa.steps.reading import read_record
from nasoa.store import ArtifactStore, keys, listing
from nasoa.store.zoo_versions import add_version, newest_versions, read_weights
from nasoa.work_progress import report_progress, reported
from nasoa.zoo.additions import Addition
from nasoa.zoo.entries import DEPTHWISE_MODEL, REFERENCE_MODEL, Zoo, packaged_zoo
from nasoa.zoo.machine_speed import (
    KindSpeed,
    MachineSpeed,
    intensity_of,
    slope_and_overhead,
)
from nasoa.zoo.step_times import FIT_S, StepTime, StepTimes
from nasoa.zoo.task_size import TaskSize

IMPORTED = "imported"
ADDED = "added"
PROFILED_BATCH = 32
SMALL_BATCH = 8
FIT_PASS = (1024, 1280)  # images and features of the pass of a fit that is timed in every task
SMALL_RESOLUTION = 32  # of images on which steps are timed in every task, in pixels
PROFILED_STAGES = (3, -1)
PROFILE_S = 20.0


def load_zoo(store: ArtifactStore) -> Zoo:
    """Return the packaged models and those of the newest version of every zoo in the store.

    If a version cannot be read, it is logged and the one before it is used. If zoos have a model of
    the same name, one that the user added takes precedence.
    """
    zoo = packaged_zoo()
    # The user's own additions come last, so that they replace others of the same name.
    for version in sorted(newest_versions(store), key=lambda v: (v.zoo == ADDED, v.zoo)):
        readers = {e.name: partial(read_weights, store, version, e) for e in version.entries}
        zoo = zoo.merged(Zoo({entry.name: entry for entry in version.entries}, readers))
    return zoo


def import_published(store: ArtifactStore, folder: Path) -> list[ZooEntry]:
    """Import the published ET-NAS checkpoints of a folder, as a new zoo version in the store.

    Raises:
        InvalidInput: `folder` is not a folder, or has no checkpoints.
        WeightsError: a file holds none of the twelve published networks.
    """
    from nasoa.zoo.library import Pretraining  # noqa: PLC0415
    from nasoa.zoo.networks import describe  # noqa: PLC0415
    from nasoa.zoo.published import IMAGENET_MEAN, IMAGENET_STD, recognise  # noqa: PLC0415
    from nasoa.zoo.weight_files import read_checkpoint, to_safetensors  # noqa: PLC0415

    if not os.path.isdir(folder):
        raise InvalidInput(f"expected a folder of ET-NAS checkpoints, but {folder} is not a folder")
    paths = sorted(p for p in folder.iterdir() if ".pth" in p.name or p.suffix in (".pt", ".tar"))
    if not paths:
        raise InvalidInput(f"expected *.pth or *.pth.tar files in {folder}, but there are none")
    models: dict[str, tuple[ZooEntry, bytes]] = {}
    for path in reported(paths, "checkpoints"):
        state = read_checkpoint(path)
        try:
            model, network = recognise(state)
        except WeightsError as error:
            raise WeightsError(f"{path.name}: {error}") from None
        entry = describe(
            network,
            Pretraining(
                name=model.name,
                resolution=224,
                mean=IMAGENET_MEAN,
                std=IMAGENET_STD,
                source="ImageNet",
                accuracy=model.top1,
            ),
            family="ET-NAS",
            encoding=model.encoding,
        )
        models[model.name] = (entry, to_safetensors(network.state_dict()))
    return add_version(store, IMPORTED, models)


def add_backbone(store: ArtifactStore, request: Addition) -> ZooEntry:
    """Add a backbone from another library or a file, as a new zoo version in the store.

    Raises:
        UnknownName: no such library, network or weights; the message suggests similar names.
        BackboneError: the network has no classifier head or no stages, or cannot be built here.
        WeightsError: the weights are missing, cannot be read, or do not fit.
    """
    from nasoa.zoo.adding import PARTS, take_in  # noqa: PLC0415

    entry, weights = take_in(request)
    (added,) = add_version(store, ADDED, {entry.name: (entry, weights)})
    report_progress(PARTS, 3, 3)
    return added


def step_times(store: ArtifactStore, hardware: str) -> StepTimes:
    """Return the step times of some hardware: rows measured there, and scaled packaged rows.

    A corrupt row is logged and left out. The packaged rows are never used without scaling, because
    machines of different speeds report the same processor name.
    """
    prefix = keys.step_times(hardware)
    found = (
        read_record(store, f"{prefix}{name}.json", StepTime)
        for name in listing.names(store, prefix)
    )
    return StepTimes.of(row for row in found if row is not None)


def chosen_zoo(store: ArtifactStore, models: Sequence[str] = ()) -> Zoo:
    """Return the models of the given names, or by default all that can be built here.

    Raises:
        UnknownName: there is no model of a name; the message suggests similar names.
    """
    zoo = load_zoo(store)
    if not models:
        return zoo.buildable()
    return Zoo({name: zoo.entry(name) for name in models}, zoo.readers)


def task_times(
    store: ArtifactStore,
    zoo: Zoo,
    task: Task,
    saving_s: Callable[[int], float] = lambda _num_bytes: 0.0,
) -> TaskTimes:
    """Return the durations of a task's regimes on its hardware, scaled by its measured image times.

    With the step clock, they are those of the reference hardware. For `saving_s` see `StepTimes`.
    """
    is_exact = task.clock == "steps"
    known = StepTimes.of([]) if is_exact else step_times(store, task.hardware)
    return TaskTimes(
        replace(
            known.adjusted(zoo.entries, task.probes, _speed(known, task)),
            loading_s=task.loading_image_s,
            saving_s=saving_s,
        ),
        zoo.entries,
        TaskSize(
            num_train=task.num_train,
            num_val=task.num_val,
            num_test=task.num_test,
            num_classes=len(task.class_names),
        ),
        image_resolution=task.resolution,
        is_exact=is_exact,
        limit_s=task.time_limit_s,
        is_mirrored=task.mirror_safe,
    )


def _speed(known: StepTimes, task: Task) -> MachineSpeed:
    """Return how this machine differs from estimates, by what was timed for a task.

    A task on the step clock has timed nothing.
    """
    dense, depthwise = (packaged_zoo().entry(n) for n in (REFERENCE_MODEL, DEPTHWISE_MODEL))

    def estimate_s(entry: ZooEntry, resolution: int) -> float:
        return known.step_time_s(entry, resolution, PROFILED_BATCH, -1, False)

    image = task.reference_image_s / known.eval_image_s(dense, dense.resolution) or 1.0
    fit = task.fit_pass_s / (FIT_S * math.prod(FIT_PASS) * len(task.class_names)) or 1.0
    if not task.small_step_s:
        same = KindSpeed(step=image, intensity=intensity_of(dense))
        return MachineSpeed(image=image, dense=same, depthwise=same, fit=fit)
    step, overhead_s = slope_and_overhead(
        task.small_step_s,
        task.reference_step_s,
        estimate_s(dense, SMALL_RESOLUTION),
        estimate_s(dense, dense.resolution),
    )
    # The overhead of the other network may be smaller; most of its step is its own.
    rest_s = max(task.depthwise_step_s - overhead_s, task.depthwise_step_s / 2.0)
    return MachineSpeed(
        image=image,
        dense=KindSpeed(step=step, intensity=intensity_of(dense)),
        depthwise=KindSpeed(
            step=rest_s / estimate_s(depthwise, SMALL_RESOLUTION),
            intensity=intensity_of(depthwise),
        ),
        overhead_s=overhead_s,
        fit=fit,
    )


def profiled_rows(entry: ZooEntry) -> list[tuple[int, int, int]]:
    """Return the resolutions, batch sizes and frozen stages at which a model is measured.

    All stages trained and the last stage alone, at a small, a medium and a large resolution,
    smaller ones first, or of a network that takes one size in a small and a larger batch; all other
    costs are derived from these (`nasoa.zoo.step_times`).
    """
    if entry.fixed_resolution:
        batches = (SMALL_BATCH, PROFILED_BATCH)
        return [(entry.resolution, b, frozen) for b in batches for frozen in PROFILED_STAGES]
    sizes = admitted_resolutions(entry, entry.resolution)
    chosen = sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
    if entry.resolution in sizes:
        chosen = sorted({*chosen, entry.resolution})
    return [(r, PROFILED_BATCH, frozen) for r in chosen for frozen in PROFILED_STAGES]


def profile(
    store: ArtifactStore,
    zoo: Zoo,
    name: str,
    rows: Sequence[tuple[int, int, int]] = (),
    *,
    repeats: int = 5,
    longest_s: float = 1.0,
    total_s: float = PROFILE_S,
) -> Iterator[StepTime]:
    """Measure and store step times of a model, one row after another.

    Args:
        store: store for the rows.
        zoo: a zoo that has the model.
        name: name of the model.
        rows: resolution, batch size and frozen stages of each row; `profiled_rows` by default.
        repeats: number of steps per row.
        longest_s: a row ends after this many seconds of one kind of step.
        total_s: no row is started if it could end later than this many seconds after the start.

    Yields:
        Each row, as soon as it is stored.
    """
    from nasoa.zoo.networks import load_network  # noqa: PLC0415
    from nasoa.zoo.profile import profile as measure  # noqa: PLC0415

    entry = zoo.entry(name)
    started = time.monotonic()
    last_s, last_batch = 0.0, PROFILED_BATCH
    network = load_network(entry, zoo.weights(name))
    for resolution, batch_size, frozen in rows or profiled_rows(entry):
        begun = time.monotonic()
        # A larger resolution takes up to about twice as long, a larger batch in proportion.
        growth = max(2.0, batch_size / last_batch)
        if begun - started + growth * last_s > total_s:
            return
        row = measure(
            entry,
            network,
            resolution=resolution,
            batch_size=batch_size,
            frozen_stages=frozen,
            repeats=repeats,
            longest_s=longest_s,
        )
        key = keys.step_time(row.hardware, name, row.resolution, batch_size, frozen)
        store.put(key, to_sealed_json(row))
        yield row
        last_s, last_batch = time.monotonic() - begun, batch_size
