"""Choose what to evaluate next, or which models make the zoo."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def nsga_select(
    store: str,
    search: str,
    space: str,
    data: str,
    scale: str,
    cells_from: str,
    num_cells: int,
    settings: str,
    num_models: int,
    summary: dsl.Output[dsl.Markdown],
    state: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> List[str]:  # noqa: UP006
    """Begin or go on with a search; returns encodings, and as `state` whether it goes on."""
    from nasoa.steps import kfp_search

    return kfp_search.nsga_select(
        store,
        search,
        space,
        data,
        scale,
        cells_from,
        num_cells,
        settings,
        num_models,
        summary.path,
        state,
    )
