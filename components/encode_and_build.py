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
    """Build the architectures of a generation and measure their costs on this node.

    Args:
        store: Store of the search: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        architectures: Encodings of the architectures, from nsga_select.
        costs: Page with step times, operations and memory.

    Returns:
        Encodings of those fast enough to train, for evaluate_arch; a single empty string if none.
    """
    from nasoa.steps import kfp_search

    return kfp_search.encode_and_build(store, search, architectures, costs.path)
