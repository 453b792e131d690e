"""Component: build the architectures of a generation and measure their costs, one at a time."""

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
    """Build the architectures of a generation on this node and measure what a step costs.

    Args:
        store: Where the search is kept: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        architectures: Their encodings, from nsga_select.
        costs: Step times, operations and memory, as a page.

    Returns:
        Encodings that are fast enough to be trained, for evaluate_arch; one empty text for none.
    """
    from nasoa.steps import kfp_search

    return kfp_search.encode_and_build(store, search, architectures, costs.path)
