"""The steps of meta-training, as their components call them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.online.collecting.collected_table import write_table
from nasoa.online.collecting.meta_train import MetaTrainConfig
from nasoa.steps import collect_experience as collecting
from nasoa.steps.lineage import Artifact
from nasoa.steps.tabulate_experience import collected


@dataclass(frozen=True)
class CollectionForm:
    """A collection, and the part of it that a component makes, as its parameters describe them.

    Args:
        name: name of the collection.
        data: DATA of each meta-training data set.
        runs: total number of runs; 0 for no limit.
        time_limit: duration of this call; "" for no limit.
        shard: "I/K" for every K-th run, starting with run I.
    """

    name: str
    data: Sequence[str]
    runs: int
    time_limit: str
    shard: str


@dataclass(frozen=True)
class RunsForm:
    """What the runs of a collection are sampled from, as a component's parameters describe it.

    Args:
        run_limit: time after which a run ends at the latest.
        iterations: the fewest and the most iterations.
        limits: the shortest and the longest time limit of a task, or none.
        seed: random seed.
    """

    run_limit: str
    iterations: Sequence[int]
    limits: Sequence[str]
    seed: int


def collect_experience(
    store: str, collection: CollectionForm, sampled: RunsForm, metrics: Artifact
) -> str:
    """Make runs of a collection, and return how many were made, as text."""
    index, slash, shards = collection.shard.partition("/")
    if not (slash and index.isdigit() and shards.isdigit()):
        raise InvalidInput(f"expected a shard like 0/4, got {collection.shard!r}")
    iterations, limits = sampled.iterations, sampled.limits
    if len(iterations) != 2:
        raise InvalidInput(f"expected the fewest and the most iterations, got {iterations}")
    if len(limits) not in (0, 2):
        raise InvalidInput(f"expected the shortest and the longest limit, or none, got {limits}")
    made = collecting.collect_experience(
        store,
        collecting.Collection(name=collection.name, datasets=collection.data),
        config=MetaTrainConfig(
            iterations=(int(iterations[0]), int(iterations[1])),  # KFP's numbers are floats
            run_limit_s=parse_duration(sampled.run_limit),
            limits_s=(parse_duration(limits[0]), parse_duration(limits[1])) if limits else None,
            seed=sampled.seed,
        ),
        budget=collecting.CollectionBudget(
            runs=collection.runs,
            seconds=parse_duration(collection.time_limit) if collection.time_limit else 0.0,
        ),
        shard=(int(index), int(shards)),
    )
    metrics.metadata["runs_made"] = made
    return str(made)


def tabulate_experience(
    store: str, name: str, made: Sequence[str], table: Artifact, summary_path: str
) -> str:
    """Write the table of a collection and a Markdown summary, and return the counts as JSON.

    `made`: number of runs that each shard made, as text.
    """
    records = collected(store, name)
    Path(table.path).parent.mkdir(parents=True, exist_ok=True)
    write_table(records, Path(table.path))
    counts = Counter((record.dataset, record.model) for record in records)
    lines = ["| data set | model | records |", "| --- | --- | --- |"]
    lines += [f"| {dataset} | {model} | {n} |" for (dataset, model), n in sorted(counts.items())]
    Path(summary_path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = {
        "collection": name,
        "runs_made": sum(map(int, made)),
        "runs": len({record.run_id for record in records}),
        "records": len(records),
    }
    table.metadata.update({"records": len(records)})
    return json.dumps(document)
