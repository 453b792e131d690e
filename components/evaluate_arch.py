"""Train one architecture on the proxy and record how good it is."""

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_arch(
    store: str, search: str, architecture: str, metrics: dsl.Output[dsl.Metrics]
) -> str:
    """A search's worker; returns the evaluation as JSON, or nothing for an empty text."""
    from nasoa.steps import kfp_search

    return kfp_search.evaluate_arch(store, search, architecture, metrics)
