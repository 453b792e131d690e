"""Copy the data that all pods of a run read, once, into a claim that they share."""

from __future__ import annotations

from typing import Any

from kfp.dsl import PipelineTask

from nasoa.components.fetch_data import fetch_data
from nasoa.pipelines import pod_settings
from nasoa.pipelines.placement import data_claim, on_light


def fetched(data: Any = "", data_sets: Any = ()) -> list[PipelineTask]:
    """Return the step that copies data, for `step.after(*fetched(...))`; none without a claim.

    The step needs no GPU, and later steps find the copy. Without it, each iteration of a loop would
    copy the data for itself.

    Args:
        data: a data source, or a parameter that names one.
        data_sets: several data sources, or a parameter that lists them.
    """
    if not data_claim():
        return []
    sets = list(data_sets) if isinstance(data_sets, tuple) else data_sets
    step = on_light(fetch_data(data=data, data_sets=sets), "Fetch data", is_long=True)
    return [pod_settings.mount_claim(step, data_claim())]
