"""Component: pretrain one model of a zoo."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def pretrain_zoo(
    store: str,
    zoo: str,
    architecture: str,
    data: str,
    model: dsl.Output[dsl.Model],
    zoo_version: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    scale: str = "small",
    epochs: int = 0,
    time_limit: str = "6h",
) -> str:
    """Pretrain one architecture and add it to a zoo, as a new version of it.

    It goes on from its last checkpoint where it is started again.

    Args:
        store: Where search and zoo are kept: a folder or s3://bucket/prefix.
        zoo: Name of the zoo in the store.
        architecture: Its encoding, from nsga_select with num_models.
        data: What to pretrain on: a folder, .zip, or s3://bucket/prefix.
        scale: small for 64 px on a CPU, paper for ImageNet on GPUs.
        epochs: Of the pretraining; 0 for the scale's own.
        time_limit: How long it may take, like 45m or 6h.
        model: Where the weights are, with their accuracy.
        zoo_version: The version of the zoo that they are in.
        metrics: The accuracy on the data that it was pretrained on.

    Returns:
        The zoo's entry as JSON.
    """
    from nasoa.steps import kfp_search

    return kfp_search.pretrain_zoo(
        store,
        kfp_search.PretrainForm(zoo, architecture, data, scale, epochs, time_limit),
        model,
        zoo_version,
        metrics,
    )
