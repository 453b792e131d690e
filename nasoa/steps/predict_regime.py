"""Step 2 of a task: choose a regime that fits into the rest of the time limit."""

from __future__ import annotations

from dataclasses import replace

from nasoa.config import FineTuneConfig
from nasoa.cores import blas_threads
from nasoa.errors import InvalidInput
from nasoa.online.choice.exploration import check_cost
from nasoa.online.choice.ranking import Ranking
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.run_table import RunTable
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.records import Recommendation, Task
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.methods import Choice, RegimePredictor
from nasoa.steps.task_session import TaskSession
from nasoa.store import ArtifactStore
from nasoa.zoo.entries import Zoo

# Margin for the time that a separate process takes to start, import and load again.
RESERVE_FACTOR = 1.5
# Learning a run and saving the predictor take this many times as long as loading it.
LEARNING_FACTOR = 3.0
# A wider 90 % interval of the accuracy is mentioned.
WIDE_INTERVAL = 0.25


def predict_regime(
    session: TaskSession, task: Task, *, top: int = 5, explore: float = 0.0
) -> Recommendation:
    """Choose a regime; nothing is trained.

    Args:
        session: session of the task.
        task: the task, from `compute_meta_features`.
        top: number of candidates to return, at most.
        explore: predicted accuracy that may be given up to try a more informative candidate.

    Raises:
        InvalidInput: `top` is below 1, or `explore` is out of range.
        UnknownName: one of the models to choose from does not exist.
        TimeLimitError: no regime fits; the message gives the shortest limit that works.
    """
    if top < 1:
        raise InvalidInput(f"expected at least 1 candidate, got {top}")
    check_cost(explore)
    is_first = not session.has_begun
    clock = session.clock(task.used_s)
    # If this step runs in a separate process, so will learning.
    own_process_s = clock.elapsed_s() - task.used_s if is_first and session.started else 0.0
    with blas_threads(session.threads):
        predictor = session.predictor
        ranking, reserve_s = _ranked(session, task, own_process_s, top, explore)
    return Recommendation(
        candidates=tuple(
            replace(candidate, predicted_s=candidate.predicted_s + clock.elapsed_s())
            for candidate in ranking.candidates
        ),
        predictor_version=session.version,
        num_experiences=predictor.num_learned,
        note=explain_choice(predictor, ranking, task),
        used_s=clock.elapsed_s(),
        reserve_s=round(reserve_s, 3),
        explores=ranking.explores,
        energy=session.energy(task.energy),
    )


def _ranked(
    session: TaskSession, task: Task, own_process_s: float, top: int, explore: float
) -> tuple[Ranking, float]:
    """Return the ranked candidates, and the seconds reserved for what follows the fine-tune."""
    clock, zoo = session.clock(), session.zoo
    reserve_s = RESERVE_FACTOR * own_process_s + LEARNING_FACTOR * session.loading_s
    choice = Choice(
        times=zoo_steps.task_times(session.store, zoo, task, session.saving_s),
        budget=budget_of(task, clock.elapsed_s() + reserve_s),
        task=task,
        top=top,
        explore=explore,
    )
    return session.method.choose(session.predictor, choice), reserve_s


def budget_of(task: Task, used_s: float) -> Budget:
    """Return the time that a fine-tune may take.

    Args:
        task: the task, with its time limit.
        used_s: seconds of the limit that are spent or reserved.
    """
    spent_s = used_s + FineTuneConfig().margin_s(task.time_limit_s)
    return Budget(seconds=task.time_limit_s - spent_s, spent_s=spent_s)


def feasible_candidates(store: ArtifactStore, zoo: Zoo, task: Task, used_s: float) -> RunTable:
    """Return all regimes of the grid that end within a task's limit; for `used_s` see `budget_of`.

    Raises:
        TimeLimitError: no regime fits; the message gives the shortest limit that works.
    """
    times = zoo_steps.task_times(store, zoo, task)
    return grid_candidates(RegimeSpace.small(), times, budget_of(task, used_s))


def explain_choice(predictor: RegimePredictor, ranking: Ranking, task: Task) -> str:
    """Explain the choice, in words that follow "Chosen"."""
    first = ranking.candidates[0]
    model = first.regime.model
    note = _basis(predictor, ranking, task)
    if task.method != "paper" and model not in [probe.model for probe in task.probes]:
        why = "the limit is too short for that, or there are too few images"
        note += (
            f"; {model} was not probed on this data, as {why}, so its accuracy is less certain "
            "than that of probed models"
        )
    low, high = first.interval
    if high - low > WIDE_INTERVAL:
        note += f"; the accuracy is hard to predict here: {low:.2f} to {high:.2f} with 90 %"
    return note


def _basis(predictor: RegimePredictor, ranking: Ranking, task: Task) -> str:
    counts = {"experience": predictor.num_experiences, "collected run": predictor.num_collected}
    known = [f"{n} {what}{'s' if n > 1 else ''}" for what, n in counts.items() if n]
    if not known:
        return "from the default formula: there is no experience yet"
    basis = " and ".join(known)
    if task.method == "paper":
        return f"among random configurations by the adaptive MLP, from {basis}"
    if predictor.fallback_reason:
        return (
            f"by which kind of regime was best on average in {basis}: the predictor's own "
            f"{predictor.fallback_reason} is larger so far"
        )
    note = f"from {basis} and the default formula"
    if ranking.explores:
        note += (
            f", to learn from it: another is predicted to be better by {ranking.cost:.3f}, which "
            "--explore allows"
        )
    return note
