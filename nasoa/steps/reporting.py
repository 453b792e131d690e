"""A page about everything in a store."""

from __future__ import annotations

from nasoa.report.store_page import VersionRow, store_page
from nasoa.steps import knowledge
from nasoa.steps.failures import failed_runs


def store_report(store_uri: str) -> str:
    """The page as a self-contained HTML document."""
    versions = [
        VersionRow(
            version=version.version,
            parent=version.parent,
            num_learned=version.num_learned,
            created_at=version.created_at,
            alpha=version.alpha,
            new=version.new,
        )
        for version in knowledge.predictor_versions(store_uri)
    ]
    return store_page(knowledge.experiences(store_uri), versions, failed_runs(store_uri))
