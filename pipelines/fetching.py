"""Data that all pods of a run read: copied once, into a claim that they share."""

from __future__ import annotations

from typing import Any

from kfp.dsl import PipelineTask

from nasoa.components.fetch_data import fetch_data
from nasoa.pipelines import pod_settings
from nasoa.pipelines.placement import data_claim, on_light


def fetched(data: Any = "", data_sets: Any = ()) -> list[PipelineTask]:
    """The step that copies data, for `step.after(*fetched(...))`; none without a claim.

    It needs no GPU, and what comes after it finds the copy: without it each turn of a loop would
    copy the data for itself.

    Args:
        data: a DATA, or a parameter that is one.
        data_sets: several, or a parameter that is a list.
    """
    if not data_claim():
        return []
    sets = list(data_sets) if isinstance(data_sets, tuple) else data_sets
    step = on_light(fetch_data(data=data, data_sets=sets), "Fetch data", is_long=True)
    return [pod_settings.mount_claim(step, data_claim())]
