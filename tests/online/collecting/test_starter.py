"""Experience in the package: the table, its card, and the predictors that have learned it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from nasoa.errors import CorruptRecord
from nasoa.online.collecting import starter
from nasoa.online.collecting.meta_train import FROZEN_STAGES
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.predictor.paper_predictor import PaperPredictor
from nasoa.records import CollectedRecord
from scripts.make_starter import TEST_TASKS, with_counts


@pytest.mark.parametrize(
    ("kind", "path"),
    [(ExperiencePredictor, starter.STATE), (PaperPredictor, starter.PAPER_STATE)],
)
def test_the_predictors_have_learned_the_table(
    kind: type[ExperiencePredictor | PaperPredictor], path: Path
) -> None:
    runs = starter.collected_runs()
    predictor = kind.from_state(starter.starter_state(path))
    assert predictor.num_collected == len(runs)
    assert predictor.num_experiences == 0


def test_the_table_holds_what_it_should_and_no_test_task() -> None:
    runs = starter.collected_runs()
    assert len(runs) >= 3000
    assert len({run.dataset for run in runs}) >= 15
    assert len({run.model for run in runs}) >= 5
    assert not {run.dataset for run in runs} & TEST_TASKS
    assert {run.frozen_stages for run in runs} == set(FROZEN_STAGES)
    assert len({(run.run_id, run.iterations) for run in runs}) == len(runs)
    # Records of one training have the same part, model and rate.
    of_run = {run.run_id: (run.dataset, run.num_images, run.model, run.lr) for run in runs}
    assert all(
        of_run[run.run_id] == (run.dataset, run.num_images, run.model, run.lr) for run in runs
    )


def test_the_card_explains_every_column_and_names_every_data_set() -> None:
    card = starter.CARD.read_text(encoding="utf-8")
    columns = card.split("## Columns")[1].split("##")[0]
    first_cells = [row.split("|")[1] for row in columns.splitlines() if row.startswith("| ")]
    explained = {name.strip() for cell in first_cells for name in cell.split(",")}
    assert {field.name for field in fields(CollectedRecord)} == explained - {"column"}
    runs = starter.collected_runs()
    assert {run.dataset for run in runs} <= set(re.findall(r"\w+", card))
    assert with_counts(card, runs) == card


def test_a_damaged_package_says_what_to_do(tmp_path: Path) -> None:
    damaged = tmp_path / "predictor.safetensors"
    damaged.write_bytes(starter.STATE.read_bytes()[:1000])
    with pytest.raises(CorruptRecord, match="install nasoa again"):
        starter.starter_state(damaged)
