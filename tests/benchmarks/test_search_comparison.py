"""Ways to search spend equal core-seconds, in tables and with trainings, and can be taken up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import search_comparison, search_methods, search_worlds
from benchmarks.macro_table import MacroStructures
from benchmarks.quiet import measuring, working
from benchmarks.run_log import Row, RunLog
from benchmarks.search_comparison import KEYS
from benchmarks.search_methods import (
    CHILDREN,
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
    Trainings,
    block_of,
    block_upper,
    fill_table,
    measure_table,
    result_of,
)
from benchmarks.shards import shard_log
from nasoa.arch import ArchSpec, parse, parse_block
from nasoa.errors import InvalidInput
from nasoa.offline.space import SMALL_MACRO, BlockSpace, MacroSpace

TINY = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=1, max_skips=1)


def synthetic() -> SyntheticTable:
    return SyntheticTable.of_layers(0, interaction=0.3, noise=0.02)


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
        for kind in ("synflow", "naswot", "jacobian", "macs"):
            rows.append({**common, "kind": kind, "seed": 0, "score": score, "core_s": 0.1})
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


SMALL_STRUCTURES = MacroSpace(
    cells=(parse_block("020-"), parse_block("2-")),
    blocks=(4, 5),
    first_channels=(16, 32),
    last_channels=(64, 128),
)


def test_a_synthetic_table_has_every_macro_structure_once() -> None:
    table = MacroStructures(0, interaction=0.3, noise=0.02, space=SMALL_STRUCTURES)
    found = set(table.candidates)
    assert len(found) == len(table.candidates) == SMALL_STRUCTURES.count()
    rng = np.random.default_rng(0)
    for _ in range(200):
        one = table.sample(rng)
        assert one in found
        assert table.mutate(one, rng) in found - {one}
    assert table.objectives.min(axis=0).tolist() == [0.0, 0.0]
    assert table.objectives.max(axis=0).tolist() == [1.0, 1.0]
    again = MacroStructures(0, interaction=0.3, noise=0.02, space=SMALL_STRUCTURES)
    other = MacroStructures(1, interaction=0.3, noise=0.02, space=SMALL_STRUCTURES)
    assert np.array_equal(table.objectives, again.objectives)
    assert not np.array_equal(table.objectives, other.objectives)
    # Of two networks that differ in the first channel only, the wider one takes longer.
    step = {candidate: float(table.objectives[i, 1]) for candidate, i in table.index.items()}
    narrow, wide = (parse(f"020- {first} 1-1-2-2") for first in (16, 32))
    assert step[narrow] < step[wide]


def test_genes_reach_all_macro_structures_and_nothing_else() -> None:
    table = MacroStructures(0, interaction=0.3, noise=0.02, space=SMALL_STRUCTURES)
    ranges = [range(most + 1) for most in table.upper]
    decoded = [table.decode(genes) for genes in product(*ranges)]
    assert {spec for spec in decoded if spec is not None} == set(table.candidates)
    # Few genes are lost, so that pymoo is not held up by its encoding.
    assert sum(spec is not None for spec in decoded) > 0.8 * len(decoded)


@pytest.mark.parametrize("name", ["evolution", "random", "pymoo"])
def test_macro_structures_are_searched_with_the_search_s_own_mutations(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        search_worlds, "MacroStructures", partial(MacroStructures, space=SMALL_STRUCTURES)
    )
    monkeypatch.setattr(search_worlds, "SYNTHETIC_EVALUATIONS", 80)
    table = SyntheticTable.of_macro(0, interaction=0.3, noise=0.02)
    assert table.name == "synthetic macro structures, interaction 0.3, noise 0.02, seed 0"
    world = table.world(0)
    assert methods_for(world) == ["evolution", "random", "pymoo"]
    found = list(search(name, world, 0, table.budget_s))
    assert 40 < len(found) <= SMALL_STRUCTURES.count()
    assert all(isinstance(candidate, ArchSpec) for candidate, _ in found)
    slow = [result for _, result in found if result.objectives[0] > table.limit]
    assert slow
    assert {(result.objectives[1], result.core_s) for result in slow} == {(float("inf"), 1.0)}
    assert 0.5 < table.quality(0, chosen_front(found, table.limit)) <= 1.0


def test_in_the_table_of_trainings_the_random_phase_is_one_generation() -> None:
    # A quarter of the table must leave most of the budget to evolution.
    members = sum(1 for _ in TABLE_SPACE.all())
    assert search_worlds.TABLE_RANDOM == CHILDREN < search_worlds.SHARE * members / 3
    space = replace(TINY, first_channels=tuple(range(16, 129, 16)))
    world = World(
        space,
        lambda spec: Result((float(spec.first_channel), 1.0 / len(str(spec))), 1.0),
        partial(block_of, space),
        block_upper(space),
        {},
        num_random=CHILDREN,
    )
    usual = replace(world, num_random=World.num_random)
    assert usual.num_random == 2 * CHILDREN
    for name in ("evolution", "pymoo"):
        short, long = ([spec for spec, _ in search(name, one, 0, 24.0)] for one in (world, usual))
        assert short != long
        if name == "evolution":
            assert short[:CHILDREN] == long[:CHILDREN]


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
        {"synflow": score, "macs": lambda spec: (float(spec.first_channel), 0.125)},
    )
    found = list(search("sieve, synflow", world, 0, 60.0))
    assert len(scored) == len(set(scored)) > 0
    total = sum(result.core_s for _, result in found)
    assert len(found) < total <= min(60.0, len(found) + 0.625 * len(scored))


def test_a_surrogate_is_charged_for_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    space = replace(TINY, first_channels=tuple(range(16, 129, 16)))
    now = iter(float(second) for second in range(10_000))
    monkeypatch.setattr(search_methods.time, "process_time", lambda: next(now))
    chosen: list[int] = []

    class First:
        """A surrogate that chooses the first candidates."""

        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def choose(self, specs: list[ArchSpec], count: int) -> list[ArchSpec]:
            chosen.append(count)
            return specs[:count]

    monkeypatch.setattr(search_methods, "Surrogate", First)
    world = World(
        space,
        lambda spec: Result((float(spec.first_channel), 1.0 / len(str(spec))), 1.0),
        partial(block_of, space),
        block_upper(space),
        {},
    )
    found = list(search("surrogate", world, 0, 40.0))
    total = sum(result.core_s for _, result in found)
    # A second for each choice, beside one for each evaluation.
    assert len(found) < total <= 40.0
    assert total == len(found) + len(chosen)


@pytest.mark.slow
def test_fronts_in_the_table_are_judged_by_trainings_that_the_search_did_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = BlockSpace(stages=SMALL_MACRO, first_channels=(16, 32), max_operators=1, max_skips=1)
    monkeypatch.setattr(search_worlds, "TABLE_SPACE", space)
    rows = rows_of(space)
    with pytest.raises(InvalidInput, match="1 are missing"):
        RealTable(rows[:-1])
    table = RealTable(rows)
    specs = list(space.all())
    assert table.quality(0, specs) == 1.0
    assert table.quality(0, specs[:1]) < 1.0
    # Changing what the search of a seed sees changes nothing in its judgement.
    seen = table._seen(1)
    assert set(seen.values()) == {0, 1, 2}
    assert seen != table._seen(2)

    def changed(is_changed: Callable[[int, int], bool]) -> RealTable:
        """Return the table with other scores of some trainings, by what seed 1 sees."""
        by_encoding = {str(spec): seed for spec, seed in seen.items()}
        return RealTable(
            [
                {**row, "score": 0.0}
                if row["kind"] == "train" and is_changed(row["seed"], by_encoding[row["encoding"]])
                else row
                for row in rows
            ]
        )

    others = changed(lambda seed, own: seed == own)
    assert others.quality(1, specs[:5]) == table.quality(1, specs[:5])
    assert others.world(1).evaluate(specs[0]) != table.world(1).evaluate(specs[0])
    others = changed(lambda seed, own: seed != own and seed > 0)
    assert others.quality(1, specs[:5]) != table.quality(1, specs[:5])
    assert others.world(1).evaluate(specs[0]) == table.world(1).evaluate(specs[0])
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
        for table in ("synthetic layers 1", "synthetic layers 2", "synthetic macro structures 1")
        for method in (("evolution", 0.05), ("random", 0.0), ("pymoo", 0.03))
        for seed in range(8)
    ):
        quality = [0.5 + ahead + seed / 100] * 3
        simulated.append({"table": table, "method": name, "seed": seed, "quality": quality})
    real = RunLog(tmp_path / "b.jsonl", ("method", "seed", "budget_s"))
    search_comparison.report(simulated, real, tmp_path)
    found = json.loads((tmp_path / "search_comparison.json").read_text())
    assert [world["where"] for world in found["worlds"]] == [
        "all tables of synthetic layers",
        "all tables of synthetic macro structures",
        "synthetic layers 1",
        "synthetic layers 2",
        "synthetic macro structures 1",
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
    assert 100 < members < 150


class Made:
    """A stand-in for trainings that notes what it makes."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str, int]] = []

    def step(self, spec: ArchSpec, _config: Any) -> Row:
        self.made.append((str(spec), "step", 0))
        return {"step_ms": float(spec.first_channel), "core_s": 1.0}

    def train(self, spec: ArchSpec, _config: Any, seed: int) -> Row:
        self.made.append((str(spec), "train", seed))
        return {"score": 0.3 + len(str(spec)) / 100, "accuracy": 0.5, "core_s": 5.0}

    def score(self, name: str, spec: ArchSpec, _config: Any, seed: int) -> Row:
        self.made.append((str(spec), name, seed))
        return {"score": float(len(str(spec))), "core_s": 0.1}


@pytest.fixture
def made() -> Made:
    return Made()


def test_two_processes_search_for_real_and_make_nothing_twice(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_worlds, "REAL_SPACE", TINY)
    searches = [(seed, name) for seed in (0, 1) for name in ("evolution", "random")]
    logs, steps = [], 0
    for index in range(2):
        shard = (index, 2)
        real = shard_log(tmp_path / "real.jsonl", ("method", "seed", "budget_s"), shard)
        trainings = Trainings(made, shard_log(tmp_path / "made.jsonl", KEYS, shard))  # type: ignore[arg-type]
        logs.append((real, trainings))
    for index, (real, trainings) in enumerate(logs):
        search_comparison.run_real(trainings, real, searches[index::2], 60.0)
    assert len(made.made) == len(set(made.made))
    real, trainings = logs[0]
    real.refresh()
    assert {(row["seed"], row["method"]) for row in real.rows} == set(searches)
    # The steps of a batch are measured before any of it is trained.
    first_training = next(i for i, (_, kind, _) in enumerate(made.made) if kind == "train")
    steps = len([kind for _, kind, _ in made.made[:first_training] if kind == "step"])
    assert steps == first_training > 2
    count = len(made.made)
    for index, (log, trainings) in enumerate(logs):
        search_comparison.run_real(trainings, log, searches[index::2], 60.0)
    assert len(made.made) == count


def test_the_steps_of_a_table_are_measured_before_it_is_divided(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_worlds, "TABLE_SPACE", TINY)
    log = RunLog(tmp_path / "table.jsonl", KEYS)
    trainings = Trainings(made, log)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="with the verb steps"):
        fill_table(trainings, log, (0, 2))
    assert not made.made
    measure_table(trainings)
    assert {kind for _, kind, _ in made.made} == {"step"}
    for index in range(2):
        fill_table(trainings, log, (index, 2))
    assert len(made.made) == len(set(made.made)) == len(search_worlds.table_plan())
    assert RealTable(log.rows).quality(0, list(TINY.all())) == 1.0


def test_measurements_wait_for_other_work_and_begin_before_new_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    order: list[str] = []

    def measure() -> None:
        with measuring():
            order.append("measured")

    def work() -> None:
        with working():
            order.append("other work")

    with working(), working():
        threads = [threading.Thread(target=task) for task in (measure, work)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)
        order.append("work")
    for thread in threads:
        thread.join()
    assert order == ["work", "measured", "other work"]
