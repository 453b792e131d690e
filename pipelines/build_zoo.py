"""Build a zoo from a search's front: choose N models and pretrain them (Algorithm 2)."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.nsga_select import nsga_select
from nasoa.components.pretrain_zoo import pretrain_zoo
from nasoa.pipelines.definition import Definition
from nasoa.pipelines.fetching import fetched
from nasoa.pipelines.placement import OFFLINE, at_once, on_gpu, on_light


def build_zoo(
    data: str,
    store: str,
    search: str = "macro",
    num_models: int = 12,
    zoo: str = "searched",
    scale: str = "small",
    epochs: int = 0,
    time_limit: str = "6h",
) -> List[str]:  # noqa: UP006
    """Choose models from a search's front and pretrain them for fine-tuning.

    Args:
        data: Data set to pretrain on: a folder, .zip, or s3://bucket/prefix.
        store: Store of the search and the zoo: a folder or s3://bucket/prefix.
        search: Name of the search whose front the models are selected from.
        num_models: Number of models, selected by rank and crowding distance.
        zoo: Name of the zoo in the store.
        scale: small for 64 px on a CPU, paper for ImageNet on GPUs.
        epochs: Number of epochs; 0 for the default of the scale.
        time_limit: Time limit of each pretraining, like 45m or 6h.

    Returns:
        The zoo entries as JSON.
    """
    chosen = on_light(
        nsga_select(store=store, search=search, num_models=num_models), "Choose models"
    )
    at_hand = fetched(data=data)
    with dsl.ParallelFor(
        chosen.outputs["Output"], name="Pretrain", parallelism=at_once()
    ) as architecture:
        model = on_gpu(
            pretrain_zoo(
                store=store,
                zoo=zoo,
                architecture=architecture,
                data=data,
                scale=scale,
                epochs=epochs,
                time_limit=time_limit,
            ),
            "Pretrain a model",
        ).after(*at_hand)
    entries: List[str] = dsl.Collected(model.outputs["Output"])  # noqa: UP006
    return entries


BUILD_ZOO = Definition(
    name="build_zoo",
    body=build_zoo,
    display_name="Build a zoo",
    description="Choose models from a search's front and pretrain them for fine-tuning.",
    subject="search",
    retries=OFFLINE,
    shares_data=True,
)
