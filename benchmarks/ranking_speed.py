"""Time the ranking of up to a million candidates, by their number and the experience learned.

Everything runs on one thread; times are CPU times, so other load on the machine matters little.
Candidates are the grid of ten models, with as many learning rates as needed for a number of them.

    python -m benchmarks.ranking_speed [--repeats 9] [-o FILE]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.online.choice.ranking import Ranker
from nasoa.online.predictor.experience_predictor import ExperiencePredictor
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.regimes.task_times import TaskTimes
from nasoa.records import CollectedRecord, MetaFeatures, ZooEntry
from nasoa.zoo.entries import REFERENCE_MODEL, packaged_zoo
from nasoa.zoo.step_times import StepTimes
from nasoa.zoo.task_size import TaskSize

RESULT = RESULTS / "ranking_speed.json"
SEED = 0
NUM_MODELS = 10
NUM_RATES = (1, 4, 11, 36, 108)  # of 960 candidates each
LEARNED = (0, 300, 1000)
META = MetaFeatures(
    num_classes=10,
    num_images=1300,
    mean_images_per_class=130.0,
    std_images_per_class=20.0,
    domain_similarity=math.exp(-0.08),
    landmark_accuracy=0.7,
)


def models() -> dict[str, ZooEntry]:
    """Return ten models of growing size, like the reference model."""
    entry = packaged_zoo().entry(REFERENCE_MODEL)
    return {
        f"model{i}": replace(
            entry,
            name=f"model{i}",
            num_params=entry.num_params * (i + 1),
            source_accuracy=min(0.9, entry.source_accuracy + 0.03 * i),
        )
        for i in range(NUM_MODELS)
    }


def random_record(
    number: int, candidates: RunTable, zoo: dict[str, ZooEntry], rng: np.random.Generator
) -> CollectedRecord:
    """Return a run of a random candidate with a random accuracy."""
    regime = candidates.regime(int(rng.integers(len(candidates))))
    entry = zoo[regime.model]
    return CollectedRecord.of(
        META,
        entry,
        regime,
        None,
        dataset=f"set{number // 10}",
        run_id=f"run{number}",
        image_resolution=64,
        mirror_safe=True,
        accuracy=float(np.clip(0.6 - 0.1 * math.log10(regime.lr) + rng.normal(0, 0.05), 0, 1)),
        val_accuracy=0.5,
        elapsed_s=1.0,
        ended="iterations",
        num_test=200,
        seed=SEED,
        hardware="",
        code_version="",
    )


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Return the CPU seconds of each repeat, after one warm-up."""
    work()
    found = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return found


def made(zoo: dict[str, ZooEntry], num_rates: int) -> RunTable:
    """Return the candidates of a grid with a number of learning rates."""
    rates = tuple(np.geomspace(0.001, 0.3, num_rates).tolist())
    size = TaskSize(num_train=1300, num_val=200, num_test=400, num_classes=10)
    times = TaskTimes(StepTimes.of([]), zoo, size, image_resolution=64)
    space = replace(RegimeSpace.small(), lrs=rates)
    return grid_candidates(space, times, Budget(seconds=60.0))


def rankers(zoo: dict[str, ZooEntry], candidates: RunTable) -> dict[int, Ranker]:
    """Return a ranker for each number of learned runs, which are of random candidates."""
    rng = np.random.default_rng(SEED)
    found = {}
    for learned in LEARNED:
        predictor = ExperiencePredictor(SEED)
        predictor.learn_collected([random_record(i, candidates, zoo, rng) for i in range(learned)])
        found[learned] = Ranker(predictor, META, "new", zoo)
    return found


def measure(repeats: int) -> dict[str, object]:
    """Measure milliseconds of making the candidates, and of ranking them by experience learned."""
    zoo = models()
    by_learned = rankers(zoo, made(zoo, max(NUM_RATES)))
    sizes: list[dict[str, object]] = []
    for num_rates in NUM_RATES:
        candidates = made(zoo, num_rates)
        generating = seconds(partial(made, zoo, num_rates), repeats)
        ranking = {
            f"after_{learned}_runs": seconds(partial(ranker.rank, candidates, 5), repeats)
            for learned, ranker in by_learned.items()
        }
        sizes.append(
            {
                "candidates": len(candidates),
                "generating": summary([1e3 * s for s in generating]),
                "ranking": {
                    name: summary([1e3 * s for s in spent]) for name, spent in ranking.items()
                },
            }
        )
    return {"unit": "milliseconds of processor time, one thread", "sizes": sizes}


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    with threadpool_limits(1):
        measured = measure(arguments.repeats)
    result = {
        "command": f"python -m benchmarks.ranking_speed --repeats {arguments.repeats}",
        "machine": machine(["numpy", "scikit-learn"]),
        "seed": SEED,
        "repeats": arguments.repeats,
        **measured,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
