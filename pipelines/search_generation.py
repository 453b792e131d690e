"""The pipeline of one search generation: select, build and measure, train in parallel, show.

Schedule it by cron: each run continues from the store; once the search has ended, it only shows
the result.
"""

from kfp import dsl

from nasoa.components.encode_and_build import encode_and_build
from nasoa.components.evaluate_arch import evaluate_arch
from nasoa.components.nsga_select import nsga_select
from nasoa.components.show_search import show_search
from nasoa.pipelines.definition import Definition
from nasoa.pipelines.fetching import fetched
from nasoa.pipelines.placement import OFFLINE, at_once, on_gpu, on_light


def search_generation(
    data: str,
    store: str,
    search: str = "blocks",
    space: str = "block",
    scale: str = "small",
    cells_from: str = "",
    num_cells: int = 10,
    settings: str = "{}",
) -> str:
    """Run one generation of a search; the next run continues from the store.

    Args:
        data: Proxy data set to evaluate architectures on: a folder, .zip, or s3://bucket/prefix.
        store: Store of the search: a folder or s3://bucket/prefix.
        search: Name of the search in the store.
        space: block, or macro for how blocks of given cells are stacked.
        scale: small for minutes on a CPU, paper for ImageNet-100 on GPUs.
        cells_from: For a macro search, the block search whose most common cells it stacks.
        num_cells: Number of these cells.
        settings: Further settings as JSON, like {"num_children": 16, "max_step_time_ms": 30}.

    Returns:
        The state of the search as JSON.
    """
    chosen = on_light(
        nsga_select(
            store=store,
            search=search,
            space=space,
            data=data,
            scale=scale,
            cells_from=cells_from,
            num_cells=num_cells,
            settings=settings,
        ),
        "Select a generation",
    )
    # Two branches, because KFP skips what follows a single branch that is skipped.
    with dsl.If(chosen.outputs["state"] == "goes-on", name="Goes on"):
        built = on_gpu(
            encode_and_build(store=store, search=search, architectures=chosen.outputs["Output"]),
            "Build and measure",
        ).after(*fetched(data=data))
        with dsl.ParallelFor(
            built.outputs["Output"], name="Train", parallelism=at_once()
        ) as architecture:
            evaluated = on_gpu(
                evaluate_arch(store=store, search=search, architecture=architecture),
                "Evaluate an architecture",
            )
        shown = on_light(
            show_search(
                store=store, search=search, evaluated=dsl.Collected(evaluated.outputs["Output"])
            ),
            "Show the front",
        )
    with dsl.Else(name="Has ended"):
        again = on_light(
            show_search(store=store, search=search, evaluated=[]), "Show the front of its end"
        )
    result: str = dsl.OneOf(shown.outputs["Output"], again.outputs["Output"])
    return result


SEARCH_GENERATION = Definition(
    name="search_generation",
    body=search_generation,
    display_name="One generation of the architecture search",
    description="Choose architectures, measure them on one node, train them in parallel, record.",
    subject="search",
    retries=OFFLINE,
    shares_data=True,
)
