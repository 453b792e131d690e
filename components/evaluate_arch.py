"""Component: train one architecture on the proxy and record its accuracy."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_arch(
    store: str, search: str, architecture: str, metrics: dsl.Output[dsl.Metrics]
) -> str:
    """Train an architecture on the proxy data set and record its accuracy.

    An architecture that has been evaluated is not trained again.

    Args:
        store: Store of the search: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        architecture: Encoding of the architecture, from encode_and_build; "" for none.
        metrics: Accuracy and step time of the architecture.

    Returns:
        The evaluation as JSON.
    """
    from nasoa.steps import kfp_search

    return kfp_search.evaluate_arch(store, search, architecture, metrics)
