"""One run of the offline collection: fine-tune a random part, look at it, record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nasoa.arch import StagedNetwork
from nasoa.data import ImageDataset
from nasoa.online.collecting.meta_train import PlannedRun
from nasoa.online.tuning.finetune import FineTuned, finetune
from nasoa.online.tuning.job import Job, Listeners
from nasoa.records import CollectedRecord, MetaFeatures, Probe, ZooEntry
from nasoa.training.clock import WallClock
from nasoa.training.deadline import Deadline
from nasoa.training.loop import WorkCost
from nasoa.training.precision import Precision


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured of a part before the run; `probe` is that of the run's model."""

    meta_features: MetaFeatures
    mirror_safe: bool
    probe: Probe | None = None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where records come from: the run's id, the hardware, and the version of this program."""

    run_id: str
    hardware: str
    code_version: str


def collect(
    run: PlannedRun,
    part: ImageDataset,
    measured: Measured,
    entry: ZooEntry,
    network: StagedNetwork,
    *,
    precision: Precision,
    limit_s: float,
    origin: Origin,
) -> list[CollectedRecord]:
    """Fine-tune by the run's regime and give a record for each iteration count looked at.

    Where the limit comes first, the last record has the iterations that were made.

    Args:
        run: what to do.
        part: from `random_part`.
        measured: of the part.
        entry: the model.
        network: with the model's weights and a head of as many classes as the part has.
        precision: where and in which format to compute.
        limit_s: the training ends after so many seconds at the latest.
        origin: of the records.
    """
    clock = WallClock()
    job = Job(
        network=network,
        data=part,
        regime=run.regime,
        entry=entry,
        mirror_safe=measured.mirror_safe,
        precision=precision,
        seed=run.seed,
    )
    looks = Listeners(looks=run.checkpoints[:-1])
    tuned = finetune(job, Deadline(clock, limit_s), WorkCost(0.0, 0.0), listeners=looks)
    return records_of(
        run, tuned, clock.elapsed_s(), part=part, measured=measured, entry=entry, origin=origin
    )


def records_of(
    run: PlannedRun,
    tuned: FineTuned,
    elapsed_s: float,
    *,
    part: ImageDataset,
    measured: Measured,
    entry: ZooEntry,
    origin: Origin,
) -> list[CollectedRecord]:
    """A record for each look at a fine-tune that took `elapsed_s` seconds, and for its end."""
    done = tuned.training.iterations
    points = [
        (look.iteration, look.val_accuracy, look.accuracy, look.elapsed_s)
        for look in tuned.looks
        if look.iteration < done
    ]
    if done > 0:
        points.append((done, tuned.training.val_accuracy, tuned.accuracy, elapsed_s))
    return [
        CollectedRecord.of(
            measured.meta_features,
            entry,
            replace(run.regime, iterations=iterations),
            measured.probe,
            dataset=part.name,
            run_id=origin.run_id,
            native_resolution=part.native_resolution,
            mirror_safe=measured.mirror_safe,
            accuracy=accuracy,
            val_accuracy=val_accuracy,
            elapsed_s=round(seconds, 3),
            ended=tuned.training.ended,
            num_test=len(part.test),
            seed=run.seed,
            hardware=origin.hardware,
            code_version=origin.code_version,
        )
        for iterations, val_accuracy, accuracy, seconds in points
    ]
