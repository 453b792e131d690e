"""What each part of the default predictor adds: its errors and regret with parts left out.

Variants are the whole predictor; each expert alone; and the whole without the fallback, whose
choice is the mixture's own even where the best on average has the better record.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.online.evaluation.progressive import ORDERS, ProgressiveError, error_of
from nasoa.online.evaluation.regret import mean_regret
from nasoa.online.evaluation.subject import DEFAULT, Subject, subject
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.mixture import EXPERTS


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A default predictor with parts left out.

    `without`: experts; `falls_back`: whether best on average may choose instead.
    """

    name: str
    without: tuple[str, ...] = ()
    falls_back: bool = True


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What a variant did. `error` is empty where only the choice differs from the whole's."""

    name: str
    error: dict[str, ProgressiveError]
    regret: float


def variants() -> list[Variant]:
    """The whole first."""
    return [
        Variant(name="whole"),
        Variant(name="without fallback", falls_back=False),
        *(
            Variant(
                name=f"{expert} alone",
                without=tuple(other for other in EXPERTS if other != expert),
            )
            for expert in EXPERTS
        ),
    ]


def ablate(variant: Variant, table: TaskTable, *, feedback: int, draws: int, seed: int) -> Ablation:
    """Errors in both orders, and the regret of choosing.

    Args:
        variant: what is left out.
        table: the runs.
        feedback: runs of a task that are learned after the choice for it.
        draws: of the feedback (see `mean_regret`).
        seed: of orders, feedback and predictor.
    """

    def fresh() -> Subject:
        return subject(DEFAULT, table, seed, without=variant.without, falls_back=variant.falls_back)

    orders = ORDERS if variant.falls_back else ()
    return Ablation(
        name=variant.name,
        error={order: error_of(fresh(), variant.name, table, order, seed) for order in orders},
        regret=mean_regret(fresh, table, feedback=feedback, draws=draws, seed=seed),
    )
