"""Component: write the table of collected experience."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def tabulate_experience(
    store: str,
    name: str,
    made: List[str],  # noqa: UP006
    table: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Markdown],
) -> str:
    """Write all records to a Parquet file; return counts as JSON."""
    from nasoa.steps import kfp_meta_train

    return kfp_meta_train.tabulate_experience(store, name, made, table, summary.path)
