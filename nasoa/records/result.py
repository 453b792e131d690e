"""What came of a task."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import Count, Seconds
from nasoa.records.recommendation import Regime
from nasoa.records.task import EnergyUse, Task
from nasoa.records.training import CurvePoint
from nasoa.records.zoo_entry import ZooEntry


@dataclass(frozen=True, kw_only=True)
class Experience:
    """One finished fine-tune, with everything needed to learn from it again.

    `regime` is what was done: its iterations are those that were made. `accuracy` is that of the
    test split, looked at once; `val_accuracy` chose the checkpoint. `confusion[i][j]` counts test
    images of class i that were classified as j; the log has it apart where there are many classes
    (`nasoa.store.confusions`), and it is empty then. `ended` is how the training ended (see
    `nasoa.training.run.TrainingResult`). `energy`: what the task used until the model was saved;
    None on a step clock and in records of earlier releases.
    """

    task: Task
    run_id: str
    regime: Regime
    model: ZooEntry
    predicted_accuracy: float
    predictor_version: Count
    accuracy: float
    val_accuracy: float
    elapsed_s: Seconds
    curve: tuple[CurvePoint, ...]
    confusion: tuple[tuple[Count, ...], ...]
    ended: str
    model_dir: str
    code_version: str
    created_at: str
    energy: EnergyUse | None = None


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a user gets back of a task: the same from the command line and from a pipeline.

    `head_val_accuracy` is what the head alone reached in validation, before anything else was
    trained, `val_accuracy` the chosen checkpoint. `elapsed_s` includes everything from reading the
    data to learning from the result, and so does `energy`, which is None on a step clock.
    """

    task_id: str
    dataset: str
    model: str
    regime: Regime
    predicted_accuracy: float
    accuracy: float
    head_val_accuracy: float
    val_accuracy: float
    elapsed_s: float
    time_limit_s: float
    ended: str
    predictor_version_before: int
    predictor_version_after: int
    model_dir: str
    energy: EnergyUse | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a task that had begun, for whoever operates the store.

    `reason` is why it failed, in a word; "" where it did not. `elapsed_s` is the part of the limit
    that was spent when its model was saved, or when it failed; `durations_s` are those of its
    steps. `store_retries` counts requests to the store that were sent again after a failure.
    """

    task_id: str
    reason: str
    elapsed_s: float
    time_limit_s: float
    durations_s: dict[str, float]
    store_retries: int
    created_at: str
    code_version: str


@dataclass(frozen=True, kw_only=True)
class FailedRun:
    """A run of a pipeline that failed or was cancelled.

    `run_id` is KFP's; `subject` what it was about: the data of a task, or the name of a search;
    `state` and `message` are KFP's words.
    """

    run_id: str
    pipeline: str
    subject: str
    state: str
    message: str
    created_at: str
    code_version: str
