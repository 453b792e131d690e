"""The search pipelines, run through kfp.local with real training on a tiny space."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nasoa.errors import InvalidInput
from nasoa.pipelines import local
from nasoa.steps import searches
from nasoa.steps.zoo import load_zoo
from nasoa.store import open_store
from tests.pipelines.conftest import Watched

DATA = "sklearn:digits:classes=0,1,2:per_class=50"
JUDGING = {
    "epochs": 2,
    "stop_share": 1.0,
    "batch_size": 32,
    "resolution": 32,
    "num_classes": 0,
    "val_fraction": 0.4,
    "step_batch_size": 8,
    "timeout_s": 60.0,
    "repeats": 2,
}
BLOCKS = {
    "num_children": 2,
    "max_evaluations": 2,
    "ranges": {
        "stages": [[1], [2], [1], [1]],
        "first_channels": [8],
        "max_operators": 1,
    },
    "evaluate": JUDGING,
}
MACRO = {
    "num_children": 2,
    "max_evaluations": 2,
    "ranges": {"blocks": [4, 5], "first_channels": [8], "last_channels": [16, 32]},
    "evaluate": JUDGING,
}


@pytest.mark.slow
def test_from_blocks_to_a_zoo(watched: Watched) -> None:
    """Run a generation of blocks, one of macro structures from its cells, and build a zoo."""
    store = watched.store
    blocks = {"data": DATA, "store": store, "search": "b", "settings": json.dumps(BLOCKS)}
    first = local.run("search_generation", blocks, verbose=False)
    assert (first["generation"], first["evaluated"], first["evaluated_now"]) == (1, 2, 2)
    assert first["hypervolume"] > 0
    # The budget is used up: the next scheduled run trains nothing.
    again = local.run("search_generation", blocks, verbose=False)
    assert again == {**first, "evaluated_now": 0}

    macro = {
        "data": DATA,
        "store": store,
        "search": "m",
        "space": "macro",
        "cells_from": "b",
        "num_cells": "1",
        "settings": json.dumps(MACRO),
    }
    assert local.run("search_generation", macro, verbose=False)["evaluated"] == 2
    (cell,) = searches.read_search(store, "m").config.space.cells
    on_front = {text.split()[0] for text in searches.read_search(store, "b").evaluations}
    assert str(cell) in on_front

    built = local.run(
        "build_zoo",
        {"data": DATA, "store": store, "search": "m", "num_models": "1", "epochs": "1"},
        verbose=False,
    )
    (entry,) = map(json.loads, built)
    zoo = load_zoo(open_store(store))
    assert zoo.entry(entry["name"]).encoding == entry["encoding"]
    assert entry["encoding"] in searches.read_search(store, "m").evaluations
    assert len(zoo.weights(entry["name"])) > 1000


@pytest.mark.slow
def test_a_search_of_another_configuration_is_refused_by_the_pipeline(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    settings = {**BLOCKS, "max_evaluations": 0}
    with pytest.raises(InvalidInput, match="max_evaluations"):
        local.run(
            "search_generation",
            {"data": DATA, "store": store, "settings": json.dumps(settings)},
            verbose=False,
        )
