"""One meta-training run: fine-tune on a random part of a data set, evaluate, and record."""

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
from nasoa.training.precision import precision_for
from nasoa.training.run import FREE


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Measurements of a part before the run; `probe` is the probe of the run's model."""

    meta_features: MetaFeatures
    mirror_safe: bool
    probe: Probe | None = None


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Origin of records: the run's id, the hardware, and the version of this program."""

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
    limit_s: float,
    origin: Origin,
) -> list[CollectedRecord]:
    """Fine-tune with the run's regime and return one record per evaluation.

    If the limit is reached first, the last record has the number of iterations that were made.

    Args:
        run: plan of the run.
        part: images, from `random_part`.
        measured: measurements of the part.
        entry: the model.
        network: network with the model's weights and a head for the part's classes.
        limit_s: number of seconds after which the training ends at the latest.
        origin: origin of the records.
    """
    clock = WallClock()
    job = Job(
        network=network,
        data=part,
        regime=run.regime,
        entry=entry,
        mirror_safe=measured.mirror_safe,
        precision=precision_for(network),
        seed=run.seed,
    )
    listeners = Listeners(evaluate_at=run.checkpoints[:-1])
    tuned = finetune(job, Deadline(clock, limit_s), FREE, listeners=listeners)
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
    """Return the records of a fine-tune of `elapsed_s` seconds: one per evaluation, and the end."""
    done = tuned.training.iterations
    points = [
        (evaluation.iteration, evaluation.val_accuracy, evaluation.accuracy, evaluation.elapsed_s)
        for evaluation in tuned.evaluations
        if evaluation.iteration < done
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
            image_resolution=part.image_resolution,
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
