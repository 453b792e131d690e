"""What is measured of which network on which data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks.run_log import Row
from benchmarks.transfer.weights import Weights
from nasoa.errors import InvalidInput
from nasoa.online.collecting.starter import collected_runs

RESOLUTIONS = (64, 96)
LIMITS_S = (15, 45, 120)
KEY = ("digest", "data", "kind", "size", "seed")  # fields that identify a line of the log


@dataclass(frozen=True)
class Measure:
    """One way to judge weights: "linear" or "full" at a resolution, or "limit" in seconds."""

    kind: str
    size: int

    @property
    def label(self) -> str:
        """Name in the tables."""
        return f"{self.kind} {self.size} {'s' if self.kind == 'limit' else 'px'}"


MEASURES = [
    *(Measure(kind, size) for kind, size in product(("linear", "full"), RESOLUTIONS)),
    *(Measure("limit", size) for size in LIMITS_S),
]


def known_sets() -> list[str]:
    """Return the meta-training data sets; one that is there at two sizes counts once."""
    return sorted({record.dataset.removesuffix("_224") for record in collected_runs()})


@dataclass(frozen=True)
class Judging:
    """One fine-tune to make."""

    weights: Weights
    data: str
    measure: Measure
    seed: int

    @property
    def key(self) -> Row:
        """The key fields of its line."""
        return {
            "digest": self.weights.digest,
            "data": self.data,
            "kind": self.measure.kind,
            "size": self.measure.size,
            "seed": self.seed,
        }


def plan(
    found: Sequence[Weights],
    names: Sequence[str],
    kinds: Sequence[str],
    seeds: Sequence[int],
    models: Sequence[str] | None = None,
) -> list[Judging]:
    """Return the fine-tunes of some kinds, the cheap kinds first.

    Raises:
        InvalidInput: a kind is unknown.
    """
    known = {measure.kind for measure in MEASURES}
    if not set(kinds) <= known:
        raise InvalidInput(f"expected kinds of {', '.join(sorted(known))}, got {', '.join(kinds)}")
    return [
        Judging(weights, data, measure, seed)
        for measure in MEASURES
        for seed, data, weights in product(seeds, names, found)
        if measure.kind in kinds and (models is None or weights.entry.name in models)
    ]
