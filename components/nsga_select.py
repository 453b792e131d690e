"""Component: select the architectures to evaluate next, or the models of a zoo."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def nsga_select(
    store: str,
    search: str,
    summary: dsl.Output[dsl.Markdown],
    state: dsl.OutputPath(str),  # type: ignore[valid-type]
    space: str = "",
    data: str = "",
    scale: str = "small",
    cells_from: str = "",
    num_cells: int = 10,
    settings: str = "{}",
    num_models: int = 0,
) -> List[str]:  # noqa: UP006
    """Start or continue a search: select the architectures to evaluate next (NSGA-II).

    Args:
        store: Store of the search: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        space: block or macro; empty to continue an existing search.
        data: Proxy data set to evaluate architectures on: a folder, .zip, or s3://bucket/prefix.
        scale: small for minutes on a CPU, paper for ImageNet-100 on GPUs.
        cells_from: For a macro search, the block search whose most common cells it stacks.
        num_cells: Number of these cells.
        settings: Further settings as JSON, like {"num_children": 16, "max_step_time_ms": 30}.
        num_models: Number of models to select for a zoo; 0 selects the next generation.
        summary: Page that lists what was selected.
        state: goes-on, or ended if there is nothing to train.

    Returns:
        Encodings of architectures, for encode_and_build or pretrain_zoo.
    """
    from nasoa.steps import kfp_search

    return kfp_search.nsga_select(
        store,
        search,
        kfp_search.SearchForm(space, data, scale, cells_from, num_cells, settings),
        num_models,
        summary.path,
        state,
    )
