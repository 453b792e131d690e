"""Pretrain one model for the zoo."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def pretrain_zoo(
    store: str,
    zoo: str,
    architecture: str,
    data: str,
    scale: str,
    epochs: int,
    time_limit: str,
    model: dsl.Output[dsl.Model],
    zoo_version: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> str:
    """Pretrain, resumable, and add the model to the zoo as a new version; returns its entry."""
    from nasoa.steps import kfp_search

    return kfp_search.pretrain_zoo(
        store, zoo, architecture, data, scale, epochs, time_limit, model, zoo_version, metrics
    )
