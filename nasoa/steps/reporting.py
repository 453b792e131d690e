"""The report of a store."""

from __future__ import annotations

from nasoa.report.store_page import store_page
from nasoa.steps import knowledge
from nasoa.steps.record_failure import failed_runs
from nasoa.store import ArtifactStore


def store_report(store: ArtifactStore) -> str:
    """Return the report as a self-contained HTML document."""
    return store_page(
        knowledge.experiences(store),
        knowledge.predictor_versions(store),
        failed_runs(store.uri),
    )
