"""The report of a store."""

from __future__ import annotations

from nasoa.report.store_page import store_page
from nasoa.steps import predictor_history
from nasoa.steps.record_failure import failed_runs
from nasoa.store import ArtifactStore


def store_report(store: ArtifactStore) -> str:
    """Return the report as a self-contained HTML document."""
    return store_page(
        predictor_history.experiences(store),
        predictor_history.predictor_versions(store),
        failed_runs(store.uri),
    )
