"""Regret of choosing: each task in turn, the choice before anything of the task is seen.

The candidates of a task are its rows. After the choice some random ones, the feedback, are
revealed and learned, and the next task comes.
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
    """Best target of a task minus the chosen one's, averaged over tasks and draws.

    Args:
        fresh: makes what chooses and knows nothing; each draw gets one.
        table: the tasks, in the order in which they come.
        feedback: rows of a task that are revealed afterwards, at most all.
        draws: how many times to go through the tasks, each with other feedback.
        seed: of the feedback; whatever chooses gets the same with one seed.
    """
    members = [np.flatnonzero(table.groups == group) for group in range(table.num_groups)]
    regrets = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        chooser = fresh()
        for places in members:
            scores = chooser.predict(places)
            regrets.append(regret_of(scores, table.targets[places]))
            chooser.learn(rng.permutation(places)[:feedback])
    return float(np.mean(regrets))
