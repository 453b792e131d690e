"""Component: copy data sets once into the cache that a run's pods share."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_data(
    data: str,
    data_sets: List[str],  # noqa: UP006
    summary: dsl.Output[dsl.Markdown],
) -> int:
    """Copy data sets in buckets that are not in the cache yet; return the number of copies."""
    from nasoa.steps import kfp_data

    return kfp_data.fetch_data(data, data_sets, summary.path)
