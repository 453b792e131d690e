"""Compare the front that NSGA2 finds with pymoo's and random search on tables with known fronts.

Each table gives every candidate's two objectives, so the fraction of the best possible hypervolume
is exact. There are two kinds: macro structures with synthetic accuracies (eight layers of three
operators, 6,561 networks; the interaction of layers and the noise of the accuracy vary), and real
published networks, ImageNet accuracy against training time (timm's results and its training
benchmark), where a mutation goes to a network of a similar size.

Every method gets the same number of unique evaluations, 16 per generation. pymoo's NSGA-II has
populations of 16, integer crossover and mutation, and no duplicates. It is left out on the
published networks, which have no genes.

    python -m benchmarks.nsga2_quality --tables FOLDER [--seeds 10] [-o FILE]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2 as PymooNSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling

from benchmarks.machine import RESULTS, machine, summary, write
from nasoa.offline import NSGA2
from nasoa.offline.pareto import hypervolume

Array = NDArray[np.float64]
LAYERS, OPERATORS = 8, 3
CHILDREN = 16
BUDGET = 444
REFERENCE = (1.0, 1.0)
NEAREST = 12


class MacroTable:
    """Synthetic accuracies and costs of every network of eight layers with three operators."""

    def __init__(self, seed: int, *, interaction: float, noise: float) -> None:
        rng = np.random.default_rng(seed)
        self.candidates = list(product(range(OPERATORS), repeat=LAYERS))
        genes = np.array(self.candidates)
        accuracy, cost = np.zeros(len(genes)), np.zeros(len(genes))
        for layer in range(LAYERS):
            gain, price = np.sort(rng.uniform(size=(2, OPERATORS)), axis=1)
            accuracy += rng.uniform(0.3, 1.5) * gain[genes[:, layer]]
            cost += rng.uniform(0.5, 2.0) * price[genes[:, layer]]
            for earlier in range(layer):
                effect = rng.normal(0.0, interaction / LAYERS, (OPERATORS, OPERATORS))
                accuracy += effect[genes[:, layer], genes[:, earlier]]
        accuracy = 1.0 - np.exp(-accuracy / accuracy.std() / 2)
        accuracy += rng.normal(0.0, noise * accuracy.std(), len(genes))
        self.objectives = scaled(np.stack([-accuracy, cost], axis=1))
        self.index = {candidate: i for i, candidate in enumerate(self.candidates)}

    def sample(self, rng: np.random.Generator) -> tuple[int, ...]:
        """Return a random network."""
        return self.candidates[int(rng.integers(len(self.candidates)))]

    def mutate(self, candidate: tuple[int, ...], rng: np.random.Generator) -> tuple[int, ...]:
        """Return a network with another operator in one layer."""
        genes = list(candidate)
        layer = int(rng.integers(LAYERS))
        genes[layer] = int((genes[layer] + rng.integers(1, OPERATORS)) % OPERATORS)
        return tuple(genes)


class PublishedNetworks:
    """timm's networks at their training resolution: ImageNet error against training time."""

    def __init__(self, tables: Path) -> None:
        with (tables / "timm" / "results-imagenet.csv").open() as file:
            error = {r["model"].split(".")[0]: float(r["top1_err"]) for r in csv.DictReader(file)}
        path = tables / "timm" / "benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv"
        with path.open() as file:
            rows = [r for r in csv.DictReader(file) if r["model"] in error]
        self.candidates = [row["model"] for row in rows]
        seconds = np.array([1.0 / float(row["train_samples_per_sec"]) for row in rows])
        errors = np.array([error[row["model"]] for row in rows])
        self.objectives = scaled(np.stack([errors, np.log(seconds)], axis=1))
        self.index = {name: i for i, name in enumerate(self.candidates)}
        size = np.log([[float(r["param_count"]), float(r["train_img_size"])] for r in rows])
        distance = np.abs(size[:, None] - size).sum(axis=2)
        self.near = np.argsort(distance, axis=1)[:, 1 : NEAREST + 1]

    def sample(self, rng: np.random.Generator) -> str:
        """Return a random network."""
        return self.candidates[int(rng.integers(len(self.candidates)))]

    def mutate(self, candidate: str, rng: np.random.Generator) -> str:
        """Return one of the networks of the most similar size and resolution."""
        return self.candidates[int(rng.choice(self.near[self.index[candidate]]))]


Table = MacroTable | PublishedNetworks


def scaled(objectives: Array) -> Array:
    """Scale objectives to [0, 1] over the whole table."""
    least = objectives.min(axis=0)
    shares: Array = (objectives - least) / (objectives.max(axis=0) - least)
    return shares


def ours(table: Table, seed: int, budget: int) -> Array:
    """Return the objectives that NSGA2 evaluates, each candidate once."""
    space: Any = table  # candidates are tuples in one kind of table and names in the other
    search: NSGA2[Any] = NSGA2(space, num_children=CHILDREN, seed=seed)
    found: list[Array] = []
    while len(found) + CHILDREN <= budget:
        asked = search.ask()
        rows: Array = table.objectives[[space.index[candidate] for candidate in asked]]
        search.tell(asked, rows)
        found += list(rows)
    return np.array(found)


def by_chance(table: Table, seed: int, budget: int) -> Array:
    """Return the objectives of as many random candidates, each once."""
    order = np.random.default_rng(seed).permutation(len(table.objectives))
    drawn: Array = table.objectives[order[:budget]]
    return drawn


def pymoo(table: MacroTable, seed: int, budget: int) -> Array:
    """Return the objectives that pymoo's NSGA-II evaluates, each candidate counted once."""
    found: dict[tuple[int, ...], Array] = {}
    for genes in _pymoo_generations(table, seed):
        for candidate in genes:
            if len(found) == budget:
                return np.array(list(found.values()))
            found.setdefault(candidate, table.objectives[table.index[candidate]])
    return np.array(list(found.values()))


def _pymoo_generations(table: MacroTable, seed: int) -> Iterator[list[tuple[int, ...]]]:
    problem = Problem(n_var=LAYERS, n_obj=2, xl=0, xu=OPERATORS - 1, vtype=int)
    algorithm = PymooNSGA2(
        pop_size=CHILDREN,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=0.9, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    algorithm.setup(problem, seed=seed, verbose=False)
    for _ in range(40 * BUDGET // CHILDREN):
        population = algorithm.ask()
        if population is None or len(population) == 0:
            return
        genes = [tuple(int(gene) for gene in row) for row in population.get("X")]
        population.set("F", table.objectives[[table.index[row] for row in genes]])
        algorithm.tell(infills=population)
        yield genes


def quality(
    table: Table, method: Callable[..., Array], seeds: int, budget: int
) -> dict[str, object]:
    """Return the fraction of the best hypervolume, over the seeds."""
    best = hypervolume(table.objectives, REFERENCE)
    found = [method(table, seed, budget) for seed in range(seeds)]
    return {
        "hypervolume_ratio": summary([hypervolume(rows, REFERENCE) / best for rows in found]),
        "unique_evaluations": max(map(len, found)),
    }


def compare(name: str, table: Table, seeds: int, budget: int) -> dict[str, object]:
    """Compare every method on one table."""
    methods: dict[str, Callable[..., Array]] = {"nasoa": ours, "random": by_chance}
    if isinstance(table, MacroTable):
        methods["pymoo"] = pymoo
    return {
        "table": name,
        "candidates": len(table.objectives),
        "budget": budget,
        **{key: quality(table, method, seeds, budget) for key, method in methods.items()},
    }


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of published tables")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS / "nsga2_quality.json")
    arguments = parser.parse_args()
    rows = [
        compare(
            f"macro structures, interaction {interaction}, noise {noise}, seed {seed}",
            MacroTable(seed, interaction=interaction, noise=noise),
            arguments.seeds,
            BUDGET,
        )
        for seed, interaction, noise in product((0, 1), (0.3, 0.6), (0.02, 0.1))
    ]
    networks = PublishedNetworks(arguments.tables)
    rows.append(compare("published networks", networks, arguments.seeds, 160))
    result: dict[str, object] = {
        "command": f"python -m benchmarks.nsga2_quality --tables FOLDER --seeds {arguments.seeds}",
        "machine": machine(["numpy", "moocore", "pymoo"]),
        "children": CHILDREN,
        "seeds": arguments.seeds,
        "tables": rows,
    }
    write(result, arguments.output)


if __name__ == "__main__":
    main()
