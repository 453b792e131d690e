"""Component: show the results of a search so far."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def show_search(
    store: str,
    search: str,
    evaluated: List[str],  # noqa: UP006
    front: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
) -> str:
    """Show front, evaluations and progress as a page; return the state of the search as JSON."""
    from nasoa.steps import kfp_search

    return kfp_search.show_search(store, search, evaluated, front.path, metrics)
