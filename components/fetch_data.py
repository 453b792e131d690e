"""Copy data sets into the cache that a run's pods share, once for all of them."""

from typing import List  # noqa: UP035  (KFP reads annotations of its own list of names)

from kfp import dsl

from nasoa.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_data(
    data: str,
    data_sets: List[str],  # noqa: UP006
    summary: dsl.Output[dsl.Markdown],
) -> int:
    """Copy what lies in a bucket and is not there yet; returns how many data sets are there."""
    from nasoa.steps import kfp_data

    return kfp_data.fetch_data(data, data_sets, summary.path)
