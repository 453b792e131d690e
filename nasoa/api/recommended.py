"""A recommendation in Python."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.api.notebook import framed
from nasoa.records import Recommendation
from nasoa.report.recommendation_page import recommendation_page

FRAME_HEIGHT = 480


@dataclass(frozen=True, kw_only=True)
class Recommended(Recommendation):
    """A recommendation that a notebook shows as a table; see `nasoa.records.Recommendation`."""

    def _repr_html_(self) -> str:
        return framed(recommendation_page(self), "recommendation", FRAME_HEIGHT)
