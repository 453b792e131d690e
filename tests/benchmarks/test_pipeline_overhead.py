"""Where the time of a pipeline goes, from a log and from synthetic runs."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.pipeline_overhead import COMMAND, PIPELINE, PIPELINE_IMPORTS, summarise
from benchmarks.pipeline_timeline import Line, imports, most_imported, timeline


def task(name: str) -> str:
    return f"12:00:00.000 - INFO - Executing task \x1b[96m'{name}'\x1b[0m"


def end(name: str) -> str:
    return f"INFO - Task \x1b[96m'{name}'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m"


LOG = [
    Line(0.5, "import time:   300000 |     400000 | kfp.dsl"),
    Line(0.6, "import time:   100000 |     100000 |   numpy"),
    Line(2.0, task("describe")),
    Line(2.5, "    import time:  1000000 |    1000000 |     torch._C"),
    Line(2.6, "    import time:   500000 |    2000000 | torch"),
    Line(2.7, "import time:     2000 |       2000 | json"),
    Line(5.0, end("describe")),
    Line(5.5, task("choose")),
    Line(5.9, "    import time:   250000 |     250000 | numpy"),
    Line(7.5, end("choose")),
]


def test_the_parts_of_a_run_add_up() -> None:
    whole = timeline(LOG, wall_s=8.25)
    assert whole.before_s == 2.0
    assert whole.steps == {"describe": 3.0, "choose": 2.0}
    assert (whole.between_s, whole.after_s) == (0.5, 0.75)
    with pytest.raises(ValueError, match="finished steps"):
        timeline(LOG[:-1], wall_s=8.25)


def test_imports_belong_to_the_process_that_made_them() -> None:
    spent = imports(LOG)
    assert spent["runner"] == {"kfp": 0.3, "numpy": 0.1, "json": 0.002}
    assert spent["describe"] == {"torch": 1.5}
    assert spent["choose"] == {"numpy": 0.25}
    assert most_imported(list(spent.values()), 2) == {"torch": 1.5, "numpy": 0.35}


def run(way: str, repeat: int, outside_s: float, updates: int, lr: float = 0.1) -> dict[str, Any]:
    return {
        "data": "photos.zip",
        "limit_s": 40.0,
        "way": way,
        "repeat": repeat,
        "images": 100,
        "wall_s": 39.0 + outside_s,
        "elapsed_s": 39.0,
        "outside_s": outside_s,
        "updates": updates,
        "regime": {"lr": lr},
        "divided_s": {"before the first step": outside_s / 2},
        "code_version": "v",
    }


def test_updates_are_compared_where_the_regimes_are_the_same() -> None:
    rows = [
        run(COMMAND, 0, 0.1, 100),
        run(PIPELINE, 0, 4.1, 90),
        run(COMMAND, 1, 0.2, 100),
        run(PIPELINE, 1, 6.2, 10, lr=0.2),
        {**run(PIPELINE_IMPORTS, 0, 0.0, 0), "imports_s": {"runner": {"kfp": 1.0}}},
    ]
    (found,) = summarise(rows, ["photos.zip"], 40.0)["data_sets"]
    assert found["more_outside_s"]["median"] == pytest.approx(5.0)
    assert (found["pairs_of_the_same_regime"], found["ratio_of_updates"]) == (1, 0.9)
    assert found["pipeline_outside_s"] == {"before the first step": pytest.approx(2.575)}
    assert found["imports_s"][PIPELINE_IMPORTS]["packages"] == {"kfp": 1.0}
