"""The steps of meta-training, as their components call them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput
from nasoa.online.collecting.collected_table import write_table
from nasoa.online.collecting.meta_train import MetaTrainConfig
from nasoa.steps import collect_experience as collecting
from nasoa.steps.lineage import Artifact
from nasoa.steps.tabulate_experience import collected


def collect_experience(
    store: str,
    name: str,
    data: Sequence[str],
    runs: int,
    time_limit: str,
    run_limit: str,
    iterations: Sequence[int],
    limits: Sequence[str],
    seed: int,
    shard: str,
    metrics: Artifact,
) -> str:
    """Make runs of a collection, and return how many were made, as text.

    `shard` is "I/K": every K-th run, starting with run I.
    """
    index, slash, shards = shard.partition("/")
    if not (slash and index.isdigit() and shards.isdigit()):
        raise InvalidInput(f"expected a shard like 0/4, got {shard!r}")
    if len(iterations) != 2:
        raise InvalidInput(f"expected the fewest and the most iterations, got {iterations}")
    if len(limits) not in (0, 2):
        raise InvalidInput(f"expected the shortest and the longest limit, or none, got {limits}")
    made = collecting.collect_experience(
        store,
        name,
        data,
        config=MetaTrainConfig(
            iterations=(int(iterations[0]), int(iterations[1])),  # KFP's numbers are floats
            run_limit_s=parse_duration(run_limit),
            limits_s=(parse_duration(limits[0]), parse_duration(limits[1])) if limits else None,
            seed=seed,
        ),
        budget=collecting.Budget(
            runs=runs, seconds=parse_duration(time_limit) if time_limit else 0.0
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
