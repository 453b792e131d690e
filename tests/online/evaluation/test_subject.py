"""What is evaluated learns: the default predictor on the project's own records."""

from __future__ import annotations

import numpy as np

from nasoa.online.collecting.collected_table import read_table
from nasoa.online.collecting.starter import TABLE
from nasoa.online.evaluation.subject import OfRecords
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.log_odds import from_log_odds
from nasoa.online.regimes.tabulate import tabulate_collected


def test_predictions_of_records_are_not_the_formulas_once_some_were_learned() -> None:
    records = read_table(TABLE)[:20]
    runs = tabulate_collected(records)
    accuracies = np.array([record.accuracy for record in records])
    subject = OfRecords(ExperiencePredictor(), runs, accuracies)
    everything = np.arange(20)
    formula = subject.predict(everything)
    np.testing.assert_allclose(formula, from_log_odds(subject._runs.defaults))
    subject.learn(everything[:15])
    learned = subject.predict(everything)
    assert (np.abs(learned - formula) > 1e-6).all()
    error, of_formula = (np.abs(p - accuracies)[:15].mean() for p in (learned, formula))
    assert error < 0.5 * of_formula
