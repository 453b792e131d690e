"""Pause the schedules of searches that have ended, so that they start no more runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nasoa.errors import InvalidInput
from nasoa.pipelines import schedules
from nasoa.pipelines.client import Cluster
from nasoa.pipelines.schedules import Schedule
from nasoa.pipelines.search_generation import SEARCH_GENERATION
from nasoa.steps.nsga_select import reason_of_end
from nasoa.steps.search_settings import read_settings

logger = logging.getLogger(__name__)

_TITLE = SEARCH_GENERATION.name.replace("_", "-")


def pause_ended(cluster: Cluster, store: str) -> list[Schedule]:
    """Pause the schedules whose search in this store has ended, and return them.

    The schedule's own settings decide whether its search in the store has ended, so a schedule with
    a larger budget keeps firing.

    Args:
        cluster: the cluster with the schedules.
        store: store URI; schedules with another store are left alone.
    """

    def has_ended(pipeline: str, job: Any) -> bool:
        if pipeline != _TITLE:
            return False
        given = {**_defaults(cluster, job), **schedules.given_parameters(job)}
        return given.get("store", store) == store and bool(_reason(job, given, store))

    return schedules.pause_where(cluster, has_ended)


def _reason(job: Any, given: Mapping[str, Any], store: str) -> str:
    try:
        stop, _ = read_settings(str(given.get("settings", "")))
        return reason_of_end(store, str(given["search"]), stop)
    except (InvalidInput, KeyError, TypeError) as error:
        logger.warning("left the schedule %s as it is: %s", job.display_name, error)
        return ""


def _defaults(cluster: Cluster, job: Any) -> dict[str, Any]:
    """Return the defaults of the version that a schedule runs, as they were compiled in."""
    spec = cluster.spec_of_version(job.pipeline_version_reference)
    with cluster.calling():
        inputs = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    return {
        name: definition["defaultValue"]
        for name, definition in inputs.items()
        if "defaultValue" in definition
    }
