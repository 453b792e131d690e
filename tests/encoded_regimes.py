"""Feature vectors of regimes, with what the default formula expects of them."""

from __future__ import annotations

from collections.abc import Sequence

from nasoa.online.predictor.prior import DefaultPrior
from nasoa.online.predictor.regime_encoding import Array, encode
from nasoa.online.regimes.tabulate import tabulate
from nasoa.records import MetaFeatures, Regime, ZooEntry


def encode_regimes(
    metas: MetaFeatures | Sequence[MetaFeatures],
    entries: Sequence[ZooEntry],
    regimes: Sequence[Regime],
) -> Array:
    """`(n, d)` features of regimes and their models, of one task or of a task each."""
    table = tabulate(metas, entries, regimes)
    return encode(table.with_columns(defaults=DefaultPrior.packaged().log_odds(table)))
