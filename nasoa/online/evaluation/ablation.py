"""Ablation of the default predictor: errors and regret with parts left out.

The variants are the whole predictor, each expert alone, and the whole predictor without the
fallback, which uses the mixture even if the best on average was better so far.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.online.evaluation.choice_regret import mean_regret
from nasoa.online.evaluation.progressive import ORDERS, ProgressiveError, error_of
from nasoa.online.evaluation.subject import DEFAULT, Subject, subject
from nasoa.online.evaluation.task_table import TaskTable
from nasoa.online.mixture.mixture import EXPERTS


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A default predictor with parts left out.

    `without`: experts to leave out; `falls_back`: whether the best on average may choose instead.
    """

    name: str
    without: tuple[str, ...] = ()
    falls_back: bool = True


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Results of a variant; `error` is empty if only its choices differ from the whole's."""

    name: str
    error: dict[str, ProgressiveError]
    regret: float


def variants() -> list[Variant]:
    """Return all variants, the whole predictor first."""
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
    """Compute the errors of a variant in both orders, and the regret of its choices.

    Args:
        variant: variant to evaluate.
        table: runs to predict.
        feedback: number of runs of a task that are learned after the choice for it.
        draws: number of repetitions with other feedback (see `mean_regret`).
        seed: random seed for orders, feedback and predictor.
    """

    def fresh() -> Subject:
        return subject(DEFAULT, table, seed, without=variant.without, falls_back=variant.falls_back)

    orders = ORDERS if variant.falls_back else ()
    return Ablation(
        name=variant.name,
        error={order: error_of(fresh(), variant.name, table, order, seed) for order in orders},
        regret=mean_regret(fresh, table, feedback=feedback, draws=draws, seed=seed),
    )
