"""A data set as every method gets it, and one fine-tune of it on the step clock."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from nasoa.data import ImageDataset
from nasoa.online.regimes.schedule_generator import Budget
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import Candidate, Experience, Recommendation, Regime, Task
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.compute_meta_features import describe, read_data
from nasoa.steps.finetune import finetune
from nasoa.steps.methods import DEFAULT, Method
from nasoa.steps.predict_regime import budget_of, predict_regime
from nasoa.steps.task_session import TaskSession
from nasoa.store import open_store
from nasoa.zoo.entries import Zoo, packaged_zoo

UNPROBED = replace(DEFAULT, probes=False)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one fine-tune.

    Args:
        regime: what was trained, with the iterations that were made.
        val_accuracy: validation accuracy of the checkpoint that was kept, by which searches decide.
        accuracy: its test accuracy.
        elapsed_s: seconds on the step clock, describing the task included where that was needed.
        used_s: the part of them before the fine-tune.
        predicted_accuracy: what the method predicted; None for methods that do not predict.
    """

    regime: Regime
    val_accuracy: float
    accuracy: float
    elapsed_s: float
    used_s: float = 0.0
    predicted_accuracy: float | None = None

    @classmethod
    def of(cls, experience: Experience, *, is_predicted: bool) -> Outcome:
        """Return the outcome of a finished fine-tune."""
        return cls(
            regime=experience.regime,
            val_accuracy=experience.val_accuracy,
            accuracy=experience.accuracy,
            elapsed_s=experience.elapsed_s,
            used_s=round(experience.task.used_s, 3),
            predicted_accuracy=experience.predicted_accuracy if is_predicted else None,
        )


class Subject:
    """A data set with the splits of one seed.

    Args:
        data: DATA as on the command line.
        seed: random seed for splits, samples and training.
    """

    def __init__(self, data: str, seed: int) -> None:
        self.seed = seed
        self.zoo = packaged_zoo().buildable()
        self.dataset: ImageDataset = read_data(data, seed)

    @cached_property
    def task(self) -> Task:
        """The described task before anything is spent; its time limit is replaced in each use."""
        with tempfile.TemporaryDirectory() as folder:
            session = TaskSession(open_store(folder), clock="steps", method=UNPROBED)
            task = describe(session, self.dataset, 1.0, seed=self.seed)
        return replace(task, used_s=0.0)

    def times(self, models: Sequence[str]) -> TaskTimes:
        """Return the times of these models on the step clock."""
        zoo = Zoo({name: self.zoo.entry(name) for name in models}, self.zoo.readers)
        with tempfile.TemporaryDirectory() as folder:
            return zoo_steps.task_times(open_store(folder), zoo, self.task)

    def budget(self, limit_s: float, used_s: float = 0.0) -> Budget:
        """Return the time budget of a fine-tune that is as long as the limit allows."""
        task = replace(self.task, time_limit_s=limit_s)
        return replace(budget_of(task, used_s), only_longest=True)

    def train(self, regime: Regime, limit_s: float, used_s: float = 0.0) -> Outcome:
        """Fine-tune with a regime.

        Args:
            regime: what to train.
            limit_s: time limit in seconds.
            used_s: the part of it that choosing the regime has taken.
        """
        task = replace(self.task, time_limit_s=limit_s, used_s=used_s)
        candidate = Candidate(
            regime=regime, predicted_accuracy=0.0, interval=(0.0, 1.0), predicted_s=limit_s
        )
        recommendation = Recommendation(
            candidates=(candidate,),
            predictor_version=0,
            num_experiences=0,
            note="",
            used_s=used_s,
            reserve_s=0.0,
        )
        with tempfile.TemporaryDirectory() as folder:
            session = TaskSession(open_store(folder), clock="steps", models=[regime.model])
            session.dataset = self.dataset
            return Outcome.of(finetune(session, task, recommendation), is_predicted=False)

    def choose(self, limit_s: float, method: Method, models: Sequence[str] = ()) -> Outcome:
        """Run a task as `nasoa finetune` does, up to learning from it.

        Args:
            limit_s: time limit of the task in seconds.
            method: how the regime is chosen.
            models: the only models to choose from; all by default.
        """
        with tempfile.TemporaryDirectory() as folder:
            session = TaskSession(open_store(folder), clock="steps", method=method, models=models)
            task, recommendation = self._recommended(session, limit_s)
            session.dataset = self.dataset
            experience = finetune(session, task, recommendation)
        return Outcome.of(experience, is_predicted=True)

    def choose_model(self, limit_s: float, models: Sequence[str] = ()) -> tuple[str, float]:
        """Return the model that nasoa chooses, and the seconds that this takes of the limit."""
        with tempfile.TemporaryDirectory() as folder:
            session = TaskSession(open_store(folder), clock="steps", models=models)
            _task, recommendation = self._recommended(session, limit_s)
        return recommendation.candidates[0].regime.model, recommendation.used_s

    def _recommended(self, session: TaskSession, limit_s: float) -> tuple[Task, Recommendation]:
        task = describe(session, self.dataset, limit_s, seed=self.seed)
        return task, predict_regime(session, task, top=1)
