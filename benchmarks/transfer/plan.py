"""What is measured of which network on which data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from benchmarks.paired_summary import source_of
from benchmarks.run_log import Row
from benchmarks.starter import TASKS
from benchmarks.transfer.weights import Weights
from nasoa.errors import InvalidInput
from nasoa.online.collecting.starter import collected_runs

RESOLUTIONS = (64, 96)
LIMIT_RESOLUTION = 64  # at which steps of networks are compared where only time is limited
LIMITS_S = (15, 45, 120)
# Meta-training data sets of the runs with a time limit, chosen in advance: objects, clothes, birds,
# textures, traffic signs and paintings, of 10 to 101 classes and 400 to 5,200 training images.
LIMIT_SETS = ("caltech101", "clothing10", "cub10", "dtd10", "gtsrb43", "pacs_art_painting")
TIMED = ("limit",)  # kinds that measure time, so that nothing else may run on the machine
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


@cache
def known_sets() -> tuple[str, ...]:
    """Return the meta-training data sets; one that is there at two sizes counts once."""
    return tuple(sorted({source_of(record.dataset) for record in collected_runs()}))


def sets_of(measure: Measure) -> dict[str, Sequence[str]]:
    """Return the data sets on which weights are judged so: meta-training sets, and unseen ones."""
    if measure.kind == "limit":
        return {"known": LIMIT_SETS, "unseen": ()}
    return {"known": known_sets(), "unseen": TASKS}


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
    names: Sequence[str] | None,
    kinds: Sequence[str],
    seeds: Sequence[int],
    models: Sequence[str] | None = None,
) -> list[Judging]:
    """Return the fine-tunes of some kinds, the cheap kinds first.

    Args:
        found: the networks.
        names: the data sets; None for those of `sets_of`.
        kinds: kinds of `MEASURES`.
        seeds: random seeds.
        models: names of networks; None for all.

    Raises:
        InvalidInput: a kind is unknown.
    """
    known = {measure.kind for measure in MEASURES}
    if not set(kinds) <= known:
        raise InvalidInput(f"expected kinds of {', '.join(sorted(known))}, got {', '.join(kinds)}")
    return [
        Judging(weights, data, measure, seed)
        for measure in MEASURES
        for seed, data, weights in product(seeds, names or _all_sets(measure), found)
        if measure.kind in kinds and (models is None or weights.entry.name in models)
    ]


def _all_sets(measure: Measure) -> list[str]:
    return [name for names in sets_of(measure).values() for name in names]
