"""Ways to search spend equal core-seconds, in tables and with trainings, and can be taken up."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import search_comparison, search_methods, search_worlds
from benchmarks.run_log import Row, RunLog
from benchmarks.search_methods import (
    METHODS,
    Result,
    World,
    chosen_front,
    methods_for,
    search,
)
from benchmarks.search_worlds import (
    TABLE_SPACE,
    RealTable,
    SyntheticTable,
    block_of,
    block_upper,
    result_of,
)
from nasoa.arch import ArchSpec
from nasoa.offline.space import SMALL_MACRO, BlockSpace

TINY = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=1, max_skips=1)


def synthetic() -> SyntheticTable:
    return SyntheticTable(0, interaction=0.3, noise=0.02)


def rows_of(space: BlockSpace) -> list[Row]:
    """Return a complete table whose values follow from the encodings."""
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for spec in space.all():
        kinds = [operator.kind for operator in spec.block.operators]
        step = spec.first_channel * (1 + len(kinds)) + sum(kinds)
        score = 0.3 + 0.05 * len(kinds) + 0.002 * spec.first_channel - 0.01 * kinds[0]
        common = {"encoding": str(spec), "core_s": 1.0}
        rows.append({**common, "kind": "step", "seed": 0, "step_ms": float(step)})
        scores = {"synflow": score, "naswot": score, "jacobian": score, "macs": float(step)}
        rows.append({**common, "kind": "free", "seed": 0, **scores})
        for seed in (0, 1, 2):
            value = score + 0.01 * float(rng.normal())
            rows.append({**common, "kind": "train", "seed": seed, "core_s": 5.0, "score": value})
    return rows


@pytest.mark.parametrize("name", ["evolution", "random", "pymoo"])
def test_a_method_keeps_to_its_core_seconds_and_is_a_function_of_its_seed(name: str) -> None:
    table = synthetic()
    found = list(search(name, table.world(0), 3, 400.0))
    assert 300.0 < sum(result.core_s for _, result in found) <= 400.0
    assert len({candidate for candidate, _ in found}) == len(found)
    again = list(search(name, table.world(0), 3, 400.0))
    assert [candidate for candidate, _ in again] == [candidate for candidate, _ in found]
    assert [c for c, _ in search(name, table.world(0), 4, 400.0)] != [c for c, _ in found]
    assert 0.0 < table.quality(3, chosen_front(found, table.limit)) <= 1.0


def test_evolution_is_ahead_of_random_sampling_where_a_front_can_be_climbed() -> None:
    table = synthetic()
    leads = []
    for seed in range(4):
        own, other = (
            table.quality(seed, chosen_front(list(search(n, table.world(0), seed, 1500.0)), 1e9))
            for n in ("evolution", "random")
        )
        leads.append(own - other)
    assert np.mean(leads) > 0.0


def test_genes_reach_the_members_of_a_block_space_and_nothing_else() -> None:
    space = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=2, max_skips=1)
    rng = np.random.default_rng(0)
    upper = np.array(block_upper(space))
    found: set[ArchSpec] = set()
    for _ in range(3000):
        spec = block_of(space, [int(g) for g in rng.integers(upper + 1)])
        if spec is not None:
            assert space.valid(spec) == spec
            found.add(spec)
    single = {spec for spec in found if len(spec.block.operators) == 1}
    one = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=1, max_skips=1)
    assert single == set(one.all())
    assert len(found) > 300


@pytest.mark.slow
def test_a_space_that_is_used_up_ends_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_methods, "STALLED", 10)
    asked: list[Any] = []

    def evaluate(spec: ArchSpec) -> Result:
        asked.append(spec)
        return Result((1.0 + len(asked), 0.5), 1.0)

    world = World(TINY, evaluate, partial(block_of, TINY), block_upper(TINY), {})
    for name in ("random", "pymoo"):
        asked.clear()
        assert {spec for spec, _ in search(name, world, 0, 1e9)} <= set(TINY.all())
        assert len(asked) == len(set(asked)) > 10


def test_an_evaluation_that_failed_costs_its_time_and_is_on_no_front() -> None:
    failed = result_of({"step_ms": 5.0, "core_s": 1.0}, {"score": None, "core_s": 3.0})
    slow = result_of({"step_ms": 500.0, "core_s": 1.0}, None)
    good = result_of({"step_ms": 9.0, "core_s": 1.0}, {"score": 0.4, "core_s": 3.0})
    assert (failed.core_s, slow.core_s) == (4.0, 1.0)
    assert chosen_front([("a", failed), ("b", slow), ("c", good)], 120.0) == ["c"]


def test_a_sieve_is_charged_for_its_scores() -> None:
    space = replace(TINY, first_channels=tuple(range(16, 129, 16)))
    scored: list[ArchSpec] = []

    def score(spec: ArchSpec) -> tuple[float, float]:
        scored.append(spec)
        return float(spec.first_channel), 0.5

    world = World(
        space,
        lambda spec: Result((float(spec.first_channel), 1.0 / len(str(spec))), 1.0),
        partial(block_of, space),
        block_upper(space),
        {"synflow": score, "macs": lambda spec: (float(spec.first_channel), 0.0)},
    )
    found = list(search("sieve, synflow", world, 0, 60.0))
    assert len(scored) == len(set(scored)) > 0
    total = sum(result.core_s for _, result in found)
    assert len(found) < total <= min(60.0, len(found) + 0.5 * len(scored))


@pytest.mark.slow
def test_fronts_in_the_table_are_judged_by_trainings_that_the_search_did_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=1, max_skips=1)
    monkeypatch.setattr(search_worlds, "TABLE_SPACE", space)
    rows = rows_of(space)
    with pytest.raises(ValueError, match="1 are missing"):
        RealTable(rows[:-1])
    table = RealTable(rows)
    specs = list(space.all())
    assert table.quality(0, specs) == 1.0
    assert table.quality(0, specs[:1]) < 1.0
    # Changing what the search sees changes nothing in the judgement.
    changed = [{**r, "score": 0.0} if r["kind"] == "train" and r["seed"] == 1 else r for r in rows]
    assert RealTable(changed).quality(1, specs[:5]) == table.quality(1, specs[:5])
    assert RealTable(changed).quality(0, specs[:5]) != table.quality(0, specs[:5])
    assert set(methods_for(table.world(0))) == set(METHODS)
    log = RunLog(tmp_path / "simulated.jsonl", ("table", "method", "seed"))
    search_comparison.simulate([table], log, range(2))
    assert {(row["method"], row["seed"]) for row in log.rows} == {
        (name, seed) for name in METHODS for seed in range(2)
    }
    count = len(log.rows)
    again = RunLog(tmp_path / "simulated.jsonl", ("table", "method", "seed"))
    search_comparison.simulate([table], again, range(2))
    assert len(again.rows) == count


def test_the_report_has_intervals_and_paired_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_comparison, "RESULTS", tmp_path)
    simulated = RunLog(tmp_path / "a.jsonl", ("table", "method", "seed"))
    for table, (name, ahead), seed in (
        (table, method, seed)
        for table in ("synthetic 1", "synthetic 2")
        for method in (("evolution", 0.05), ("random", 0.0), ("pymoo", 0.03))
        for seed in range(8)
    ):
        quality = [0.5 + ahead + seed / 100] * 3
        simulated.append({"table": table, "method": name, "seed": seed, "quality": quality})
    real = RunLog(tmp_path / "b.jsonl", ("method", "seed", "budget_s"))
    search_comparison.report(simulated, real, tmp_path)
    found = json.loads((tmp_path / "search_comparison.json").read_text())
    assert [world["where"] for world in found["worlds"]] == [
        "all synthetic tables",
        "synthetic 1",
        "synthetic 2",
    ]
    (evolution, *_others) = found["worlds"][0]["methods"]
    assert evolution["lead over random"] == pytest.approx([0.05, 0.05, 0.05])
    mean, low, high = evolution["quality"][-1]
    assert low < mean < high
    page = (tmp_path / "search-comparison.md").read_text()
    assert "| evolution | 8 |" in page
    assert "+0.020 (+0.020 to +0.020)" in page


def test_the_table_is_small_enough_to_train() -> None:
    members = sum(1 for _ in TABLE_SPACE.all())
    assert 100 < members < 400
