"""Types of record fields with their ranges.

Decoding a record with a value outside the range raises an error that names the field
(`nasoa.records.from_json`).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Fraction = Annotated[float, Meta(ge=0, le=1)]  # for accuracies, too
NotNegative = Annotated[float, Meta(ge=0)]
Seconds = NotNegative
Rate = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]
AtLeastOne = Annotated[int, Meta(ge=1)]
FrozenStages = Annotated[int, Meta(ge=-1, le=4)]  # see `nasoa.records.Regime`
Sha256 = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]  # "" if unknown
