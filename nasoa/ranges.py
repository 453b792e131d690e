"""Types of record fields with their ranges.

Decoding a record with a value outside the range raises an error that names the field
(`nasoa.records.from_json`).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]  # for accuracies, too
# Upper bounds are beyond all sensible values, and within what can be computed with.
_MOST = 10**18
NotNegative = Annotated[float, Meta(ge=0, le=_MOST)]
Seconds = NotNegative
Rate = Annotated[float, Meta(gt=0, le=10**6)]
Count = Annotated[int, Meta(ge=0, le=_MOST)]
AtLeastOne = Annotated[int, Meta(ge=1, le=_MOST)]
Seed = Count
Positive = Annotated[float, Meta(gt=0, le=_MOST)]
Parts = Annotated[tuple[Count, ...], Meta(min_length=6, max_length=6)]  # stem, stages, head
FrozenStages = Annotated[int, Meta(ge=-1, le=4)]  # see `nasoa.records.Regime`
Sha256 = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]  # "" if unknown
