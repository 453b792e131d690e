"""Component: collect experience on meta-training data sets, one shard of the runs."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def collect_experience(
    store: str,
    name: str,
    data: List[str],  # noqa: UP006
    runs: int,
    time_limit: str,
    run_limit: str,
    iterations: List[int],  # noqa: UP006
    limits: List[str],  # noqa: UP006
    seed: int,
    shard: str,
    metrics: dsl.Output[dsl.Metrics],
) -> str:
    """Make the missing runs of this shard, and return how many were made."""
    from nasoa.steps import kfp_meta_train

    return kfp_meta_train.collect_experience(
        store,
        kfp_meta_train.CollectionForm(name, data, runs, time_limit, shard),
        kfp_meta_train.RunsForm(run_limit, iterations, limits, seed),
        metrics,
    )
