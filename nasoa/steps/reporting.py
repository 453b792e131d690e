"""Pages about a store, as self-contained HTML documents."""

from __future__ import annotations

from nasoa.report.store_page import store_page
from nasoa.steps import knowledge


def store_report(store_uri: str) -> str:
    """The page about everything in a store."""
    return store_page(knowledge.experiences(store_uri), knowledge.predictor_versions(store_uri))
