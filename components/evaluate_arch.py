"""Component: train one architecture on the proxy and record its accuracy."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_arch(
    store: str, search: str, architecture: str, metrics: dsl.Output[dsl.Metrics]
) -> str:
    """Train one architecture on the proxy and record its accuracy; a worker of a search.

    An architecture that is evaluated already is not trained again.

    Args:
        store: Where the search is kept: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        architecture: Its encoding, from encode_and_build; nothing is done for an empty text.
        metrics: Its accuracy and step time.

    Returns:
        The evaluation as JSON.
    """
    from nasoa.steps import kfp_search

    return kfp_search.evaluate_arch(store, search, architecture, metrics)
