"""The page of a recommendation, which a notebook shows."""

from __future__ import annotations

from nasoa.records import Recommendation
from nasoa.report.page import document, paragraph
from nasoa.report.task_page import candidates_section


def recommendation_page(recommended: Recommendation) -> str:
    """Return a document: the candidates, best first, with their reasons."""
    version = recommended.predictor_version
    basis = f"version {version} of the predictor" if version else "the default formula"
    lead = paragraph(f"Nothing was trained yet. Chosen {recommended.note}.")
    if not recommended.candidates:
        return document("Recommendation", lead + paragraph("No candidates."))
    first = recommended.candidates[0]
    order = paragraph(f"The regimes that fit the time limit, ranked by {basis}.", soft=True)
    title = f"{first.regime.model}: predicted accuracy {first.predicted_accuracy:.3f}"
    return document(title, "\n".join([lead, order, candidates_section(recommended.candidates)]))
