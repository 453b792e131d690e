"""Collect experience on meta-training data sets in parallel (Algorithm 3, offline part)."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.collect_experience import collect_experience
from nasoa.components.tabulate_experience import tabulate_experience
from nasoa.pipelines.definition import Definition
from nasoa.pipelines.fetching import fetched
from nasoa.pipelines.placement import OFFLINE, at_once, on_gpu, on_light


def meta_train(
    data: List[str],  # noqa: UP006
    store: str,
    shards: List[str] = ["0/2", "1/2"],  # noqa: B006, UP006  (KFP reads it, nothing changes it)
    name: str = "known",
    runs: int = 0,
    time_limit: str = "1h",
    run_limit: str = "30s",
    iterations: List[int] = [10, 1500],  # noqa: B006, UP006
    limits: List[str] = [],  # noqa: B006, UP006
    seed: int = 0,
) -> str:
    """Fine-tune on random parts of meta-training data sets with random regimes.

    Args:
        data: Meta-training data sets, a list of folders, .zip files, or s3://bucket/prefix.
        store: Store of the zoo and the collection: a folder or s3://bucket/prefix.
        shards: Shards of the runs, one pod each, like ["0/4", "1/4", "2/4", "3/4"].
        name: Name of the collection in the store.
        runs: Total number of runs; 0 for as many as the time allows.
        time_limit: Time limit of each shard, like 45m or 6h; empty for no limit.
        run_limit: Time limit of a single run.
        iterations: Minimum and maximum number of updates of a random run; longer limits need more.
        limits: For runs that resemble users' tasks, the shortest and longest time limit of a task
            on the reference machine, like ["15s", "2m"], none above run_limit; empty for random
            regimes.
        seed: Random seed; the same seed gives the same runs.

    Returns:
        The numbers of runs and records as JSON.
    """
    at_hand = fetched(data_sets=data)
    with dsl.ParallelFor(shards, name="Share", parallelism=at_once()) as shard:
        made = on_gpu(
            collect_experience(
                store=store,
                name=name,
                data=data,
                runs=runs,
                time_limit=time_limit,
                run_limit=run_limit,
                iterations=iterations,
                limits=limits,
                seed=seed,
                shard=shard,
            ),
            "Collect experience",
        ).after(*at_hand)
    table = on_light(
        tabulate_experience(store=store, name=name, made=dsl.Collected(made.outputs["Output"])),
        "Tabulate experience",
    )
    result: str = table.outputs["Output"]
    return result


META_TRAIN = Definition(
    name="meta_train",
    body=meta_train,
    display_name="Collect experience",
    description="Fine-tune on random parts of meta-training data sets with random regimes.",
    subject="name",
    retries=OFFLINE,
    shares_data=True,
)
