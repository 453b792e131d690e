"""Build the architectures of a generation and measure their costs, one at a time."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def encode_and_build(
    store: str,
    search: str,
    architectures: List[str],  # noqa: UP006
    costs: dsl.Output[dsl.Markdown],
) -> List[str]:  # noqa: UP006
    """The search's parent node; returns the encodings that are fast enough to be trained."""
    from nasoa.steps import kfp_search

    return kfp_search.encode_and_build(store, search, architectures, costs.path)
