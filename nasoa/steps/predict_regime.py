"""Step 2 of a task: choose a regime that fits what is left of the time limit."""

from __future__ import annotations

from dataclasses import replace

from nasoa.config import FineTuneConfig
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

# A process of its own has to start, import and load again; times differ by so much.
RESERVE_FACTOR = 1.5
# To learn a run and save the predictor takes so many times as long as to load it.
LEARNING_FACTOR = 3.0


def predict_regime(
    session: TaskSession, task: Task, *, top: int = 5, explore: float = 0.0
) -> Recommendation:
    """Choose a regime; nothing is trained.

    Args:
        session: of the task.
        task: from `compute_meta_features`.
        top: how many candidates to give.
        explore: predicted accuracy that may be given up to try what more is learned from.

    Raises:
        UnknownName: there is no model of a name that was to be chosen from.
        TimeLimitError: no regime fits; says the shortest limit that works.
    """
    if top < 1:
        raise InvalidInput(f"expected at least 1 candidate, got {top}")
    check_cost(explore)
    is_first = not session.has_begun
    clock = session.clock(task.used_s)
    zoo = session.zoo
    # Learning will have a process of its own where this step has.
    own_process_s = clock.elapsed_s() - task.used_s if is_first and session.started else 0.0
    predictor = session.predictor
    reserve_s = RESERVE_FACTOR * own_process_s + LEARNING_FACTOR * session.loading_s
    choice = Choice(
        times=zoo_steps.task_times(session.store, zoo, task),
        budget=budget_of(task, clock.elapsed_s() + reserve_s),
        task=task,
        top=top,
        explore=explore,
    )
    ranking = session.method.choose(predictor, choice)
    return Recommendation(
        candidates=tuple(
            replace(candidate, predicted_s=candidate.predicted_s + clock.elapsed_s())
            for candidate in ranking.candidates
        ),
        predictor_version=session.version,
        num_experiences=predictor.num_learned,
        note=note_on(predictor, ranking, task),
        used_s=clock.elapsed_s(),
        reserve_s=round(reserve_s, 3),
        explores=ranking.explores,
    )


def budget_of(task: Task, used_s: float) -> Budget:
    """What a fine-tune may take.

    Args:
        task: with its limit.
        used_s: seconds of the limit that are spent, or reserved.
    """
    spent_s = used_s + FineTuneConfig().margin_s(task.time_limit_s)
    return Budget(seconds=task.time_limit_s - spent_s, spent_s=spent_s)


def offered(store: ArtifactStore, zoo: Zoo, task: Task, used_s: float) -> RunTable:
    """All regimes of the grid that end inside a task's limit; arguments as of `budget_of`.

    Raises:
        TimeLimitError: no regime fits; says the shortest limit that works.
    """
    times = zoo_steps.task_times(store, zoo, task)
    return grid_candidates(RegimeSpace.small(), times, budget_of(task, used_s))


def note_on(predictor: RegimePredictor, ranking: Ranking, task: Task) -> str:
    """Where the choice comes from, to be read after "Chosen"."""
    model = ranking.candidates[0].regime.model
    probed = [probe.model for probe in task.probes]
    if task.method == "paper" or model in probed:
        return _basis(predictor, ranking, task)
    why = "the limit is too short for it, or the data too few"
    return (
        f"{_basis(predictor, ranking, task)}; {model} was not probed on this data, as {why}, so "
        "its accuracy is less sure than that of models that were"
    )


def _basis(predictor: RegimePredictor, ranking: Ranking, task: Task) -> str:
    counts = {"experience": predictor.num_experiences, "collected run": predictor.num_collected}
    known = [f"{n} {what}{'s' if n > 1 else ''}" for what, n in counts.items() if n]
    if not known:
        return "from the table of defaults: there is no experience yet"
    basis = " and ".join(known)
    if task.method == "paper":
        return f"among random configurations by the adaptive MLP, from {basis}"
    if predictor.fallback_reason:
        return (
            f"by what kind of regime was best on average in {basis}: the predictor's own "
            f"{predictor.fallback_reason} is greater so far"
        )
    note = f"from {basis} and the table of defaults"
    if ranking.explores:
        note += (
            f", to learn from it: another is predicted to be better by {ranking.cost:.3f}, which "
            "exploration may cost"
        )
    return note
