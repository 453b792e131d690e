"""The paper's choice: the best of H random configurations (Algorithm 3, lines 10 to 18)."""

from __future__ import annotations

import numpy as np

from nasoa.online.choice.ranking import Ranking
from nasoa.online.predictor.paper_predictor import PaperPredictor
from nasoa.online.regimes.run_table import RunTable
from nasoa.records import Candidate

# The paper names H but gives no value.
NUM_CONFIGURATIONS = 1000


def best_of_random(predictor: PaperPredictor, candidates: RunTable, top: int) -> Ranking:
    """Rank the `top` candidates by predicted accuracy; ties are broken by the shorter time.

    Args:
        predictor: the paper's predictor.
        candidates: candidates of one task, from `random_candidates`, each as long as the time
            limit allows.
        top: number of candidates to return at most.
    """
    scores = predictor.scores(candidates)
    order = np.lexsort((candidates.predicted_s, -scores))[:top]
    chosen = candidates.take(order)
    lows, highs = predictor.intervals(chosen)
    accuracies = np.clip(scores[order], 0.0, 1.0)
    found = [
        Candidate(
            regime=chosen.regime(index),
            predicted_accuracy=float(accuracies[index]),
            interval=(float(lows[index]), float(highs[index])),
            predicted_s=float(chosen.predicted_s[index]),
        )
        for index in range(len(chosen))
    ]
    return Ranking(candidates=tuple(found), explores=False, cost=0.0)
