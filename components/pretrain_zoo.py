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
    """Pretrain an architecture and add it to a zoo, as a new version of the zoo.

    If it is restarted, it resumes from its last checkpoint.

    Args:
        store: Store of the zoo: a folder or s3://bucket/prefix.
        zoo: Name of the zoo in the store.
        architecture: Encoding of the architecture, from nsga_select with num_models.
        data: Data set to pretrain on: a folder, .zip, or s3://bucket/prefix.
        scale: small for 64 px on a CPU, paper for ImageNet on GPUs.
        epochs: Number of epochs; 0 for the default of the scale.
        time_limit: Time limit of the pretraining, like 45m or 6h.
        model: The weights, with their accuracy.
        zoo_version: The version of the zoo with the model.
        metrics: Validation accuracy on the pretraining data.

    Returns:
        The zoo entry as JSON.
    """
    from nasoa.steps import kfp_search

    return kfp_search.pretrain_zoo(
        store,
        kfp_search.PretrainForm(zoo, architecture, data, scale, epochs, time_limit),
        model,
        zoo_version,
        metrics,
    )
