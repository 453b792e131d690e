"""Predictions for held-out data sets, and the trust that follows from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nasoa.errors import InvalidInput
from nasoa.online.collecting.held_out import predict_held_out
from nasoa.online.collecting.starter import collected_runs
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.held_out_predictions import HeldOutPredictions
from nasoa.online.regimes.tabulate import tabulate_collected
from nasoa.records import CollectedRecord


@pytest.fixture(scope="module")
def records() -> list[CollectedRecord]:
    """A few runs of three data sets."""
    runs = collected_runs()
    datasets = sorted({run.dataset for run in runs})[:3]
    return [run for name in datasets for run in [r for r in runs if r.dataset == name][:10]]


@pytest.fixture(scope="module")
def judged(records: list[CollectedRecord]) -> HeldOutPredictions:
    return predict_held_out(records)


def test_nothing_of_a_data_set_is_known_where_it_is_asked_about(
    records: list[CollectedRecord], judged: HeldOutPredictions
) -> None:
    name = records[0].dataset
    spoilt = [replace(r, accuracy=1.0 - r.accuracy) if r.dataset == name else r for r in records]
    again = predict_held_out(spoilt)
    own = _is_of(name, judged, records)
    assert own.any()
    np.testing.assert_array_equal(judged.mixture[own], again.mixture[own])
    assert (judged.mixture[~own] != again.mixture[~own]).any()


def test_a_part_of_a_data_set_is_held_out_with_it(records: list[CollectedRecord]) -> None:
    """Larger images from the same source are held out too, whichever of the two is judged."""
    whole, other = list(dict.fromkeys(record.dataset for record in records))[:2]
    parted = [replace(r, dataset=f"{whole}_224") if r.dataset == other else r for r in records]
    judged = predict_held_out(parted)
    of_whole, of_part = (_is_of(name, judged, parted) for name in (whole, f"{whole}_224"))
    assert of_whole.sum() == of_part.sum() == 10
    far = ~(of_whole | of_part)
    for spoilt, asked in ((whole, of_part), (f"{whole}_224", of_whole)):
        again = predict_held_out(
            [replace(r, accuracy=1.0 - r.accuracy) if r.dataset == spoilt else r for r in parted]
        )
        np.testing.assert_array_equal(judged.mixture[asked], again.mixture[asked])
        assert (judged.mixture[far] != again.mixture[far]).any()


def test_several_processes_say_what_one_does(
    records: list[CollectedRecord], judged: HeldOutPredictions
) -> None:
    found = predict_held_out(records, processes=2)
    assert list(found.tasks) == list(judged.tasks)
    # Each process has one thread, and rounding depends on the number of threads.
    np.testing.assert_allclose(found.mixture, judged.mixture, rtol=1e-9)


def test_each_record_is_judged_once(
    records: list[CollectedRecord], judged: HeldOutPredictions
) -> None:
    assert sorted(judged.accuracies) == sorted(record.accuracy for record in records)
    places = np.concatenate(list(judged.by_task()))
    assert sorted(places) == list(range(len(records)))
    assert ((judged.mixture > 0) & (judged.mixture < 1)).all()


def test_the_record_decides_how_sure_a_predictor_is(
    records: list[CollectedRecord], judged: HeldOutPredictions
) -> None:
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    before = predictor.predict_held_out(records)
    # As good as the best on average, so that the mixture decides.
    even = replace(judged, average=judged.mixture)
    better = replace(even, experts=np.repeat(judged.targets[:, None], judged.experts.shape[1], 1))
    sure, unsure = (ExperiencePredictor.from_state(predictor.state()) for _ in range(2))
    sure.replace_record(HeldOutPredictions.concat([better] * 10))
    unsure.replace_record(
        HeldOutPredictions.concat([replace(even, experts=1.0 - judged.experts)] * 10)
    )
    assert sure.decides
    assert unsure.decides
    assert _width(sure, records) < _width(unsure, records)
    # What the experts learned is unchanged.
    np.testing.assert_allclose(sure.predict_held_out(records).experts, before.experts, rtol=1e-9)


def test_experts_that_are_right_are_trusted(
    records: list[CollectedRecord], judged: HeldOutPredictions
) -> None:
    predictor = ExperiencePredictor()
    predictor.learn_collected(records)
    name = list(predictor.expert_weights)[1]
    experts = judged.experts.copy()
    experts[:, 1] = judged.targets
    predictor.replace_record(HeldOutPredictions.concat([replace(judged, experts=experts)] * 10))
    assert max(predictor.expert_weights, key=lambda n: predictor.expert_weights[n]) == name


def test_what_cannot_be_judged(records: list[CollectedRecord], judged: HeldOutPredictions) -> None:
    with pytest.raises(InvalidInput, match="at least two data sets"):
        predict_held_out([r for r in records if r.dataset == records[0].dataset])
    with pytest.raises(InvalidInput, match="at least two data sets, got 1"):
        predict_held_out([replace(records[0], dataset=name) for name in ("a", "a_224")])
    with pytest.raises(InvalidInput, match="learned something"):
        ExperiencePredictor().predict_held_out(records)
    with pytest.raises(InvalidInput, match="learned something"):
        ExperiencePredictor().replace_record(judged)


def _is_of(name: str, judged: HeldOutPredictions, records: list[CollectedRecord]) -> np.ndarray:
    """Return a mask of the judged runs that belong to a data set."""
    runs = [record.run_id.partition(".")[0] for record in records if record.dataset == name]
    whole = [task.startswith(f"{name}/") for task in judged.tasks]
    return np.array(whole) | np.isin(judged.tasks, runs)


def _width(predictor: ExperiencePredictor, records: list[CollectedRecord]) -> float:
    """Return the mean width of the intervals around these records."""
    lows, highs = predictor.intervals(predictor.with_defaults(tabulate_collected(records)))
    return float((highs - lows).mean())
