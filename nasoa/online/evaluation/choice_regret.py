"""Regret of choices: for each task in turn, a run is chosen before any of the task is observed.

The candidates of a task are its rows. After the choice, a random subset of them, the feedback, is
revealed and learned, and the next task follows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nasoa.online.evaluation.subject import Subject
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.predictor.choice_record import regret_of


def mean_regret(
    fresh: Callable[[], Subject], table: TaskTable, *, feedback: int, draws: int, seed: int
) -> float:
    """Return the best target of a task minus the chosen one's, averaged over tasks and draws.

    Args:
        fresh: function that creates an untrained predictor for each draw.
        table: tasks, in the order in which they are processed.
        feedback: maximum number of rows of a task that are revealed after the choice.
        draws: number of passes over the tasks, each with other feedback.
        seed: random seed for the feedback; all predictors get the same feedback for the same seed.
    """
    members = [np.flatnonzero(table.groups == group) for group in range(table.num_groups)]
    regrets = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        chooser = fresh()
        for indices in members:
            scores = chooser.predict(indices)
            regrets.append(regret_of(scores, table.targets[indices]))
            chooser.learn(rng.permutation(indices)[:feedback])
    return float(np.mean(regrets))
