"""The online half, a function a step: describe a task, choose a regime, fine-tune, learn.

The four steps run one after another in one process (`run_task`) or as components of the pipeline
`finetune_task`, each in its own. Between steps there are only records and the store. The time
limit covers the work of all of them: each hands on how much is spent.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from nasoa.config import FineTuneConfig
from nasoa.cores import OtherWork, num_cores
from nasoa.duration import parse_duration
from nasoa.errors import InvalidInput, NasoaError
from nasoa.online.choice.exploration import check_cost
from nasoa.online.choice.ranking import Ranker, Ranking
from nasoa.online.regimes.candidates import CandidateTable
from nasoa.online.regimes.regime_space import RegimeSpace
from nasoa.online.regimes.schedule_generator import Budget, grid_candidates
from nasoa.online.task.task_name import task_name
from nasoa.records import Experience, Recommendation, Task, TaskResult, from_json
from nasoa.steps import zoo as zoo_steps
from nasoa.steps.learning import current_predictor, update_predictor
from nasoa.steps.out_folder import check_out
from nasoa.store import ArtifactStore, experience_log, keys, open_store
from nasoa.training.clock import Clock, StepClock, WallClock
from nasoa.zoo.entries import Zoo

if TYPE_CHECKING:
    from nasoa.online.predictor.experience_predictor import ExperiencePredictor
    from nasoa.training.loop import Progress

CLOCKS = ("wall", "steps")
RESERVE_FACTOR = 1.5
LEARNING_FACTOR = 4.0  # to load the predictor again, learn, and save it, in times to load it


def make_clock(name: str, used_s: float, started: float | None) -> Clock:
    """The clock of that name, `used_s` already spent; `started` is when this process began."""
    if name not in CLOCKS:
        raise InvalidInput(f"expected a clock of {', '.join(CLOCKS)}, got {name!r}")
    return StepClock(used_s) if name == "steps" else WallClock(used_s, started)


def threads_beside(others: OtherWork, clock: str) -> int:
    """Threads for a step: on a step clock as many whatever others do, so that results are equal."""
    return num_cores() if clock == "steps" else others.free_cores()


def compute_meta_features(
    data: str,
    time_limit: str | float,
    store_uri: str,
    *,
    seed: int = 0,
    clock: str = "wall",
    started: float | None = None,
    models: Sequence[str] = (),
) -> Task:
    """Read a data set and measure what the predictor asks for.

    Args:
        data: DATA as on the command line.
        time_limit: a duration like `60s`.
        store_uri: where step times of this machine are kept.
        seed: of splits and samples.
        clock: "wall", or "steps" for a result that does not depend on the machine's speed.
        started: `time.monotonic()` when the task began; now by default.
        models: of the zoo, the only ones that are probed; all by default.
    """
    limit_s = parse_duration(time_limit)
    timer = make_clock(clock, 0.0, started)
    store = open_store(store_uri)
    others = OtherWork()
    from nasoa.steps import describing  # noqa: PLC0415  (torch takes more than a second)

    dataset = describing.read_data(data, seed)
    return describing.describe(
        store,
        dataset,
        limit_s,
        seed=seed,
        clock=clock,
        timer=timer,
        threads=threads_beside(others, clock),
        models=models,
    ).task


def predict_regime(
    task: Task,
    store_uri: str,
    *,
    top: int = 5,
    explore: float = 0.0,
    started: float | None = None,
    models: Sequence[str] = (),
) -> Recommendation:
    """Choose a regime that fits what is left of the time limit; nothing is trained.

    Args:
        task: from `compute_meta_features`.
        store_uri: where zoo, step times and predictor are.
        top: how many candidates to give.
        explore: predicted accuracy that may be given up to try what more is learned from.
        started: `time.monotonic()` when this step's own process began. Learning will have a
            process of its own too, so as much time again is reserved for it, and half more.
        models: of the zoo, the only ones to choose from; all by default.

    Raises:
        UnknownName: there is no model of that name.
        TimeLimitError: no regime fits; says the shortest limit that works.
    """
    if top < 1:
        raise InvalidInput(f"expected at least 1 candidate, got {top}")
    check_cost(explore)
    timer = make_clock(task.clock, task.used_s, started)
    store = open_store(store_uri)
    zoo = zoo_steps.chosen_zoo(store, models)
    own_process_s = timer.elapsed_s() - task.used_s if started is not None else 0.0
    # What is imported once is no part of how long loading takes.
    importlib.import_module("nasoa.online.mixture.mixture")
    loading = time.monotonic()
    predictor, version = current_predictor(store)
    loading_s = time.monotonic() - loading if task.clock == "wall" else 0.0
    reserve_s = RESERVE_FACTOR * own_process_s + LEARNING_FACTOR * loading_s
    candidates = offered(store, zoo, task, timer.elapsed_s() + reserve_s)
    ranker = Ranker(predictor, task.meta_features, task_name(task), zoo.entries, task.probes)
    ranking = ranker.rank(candidates, top, explore=explore)
    return Recommendation(
        candidates=tuple(
            replace(candidate, predicted_s=candidate.predicted_s + timer.elapsed_s())
            for candidate in ranking.candidates
        ),
        predictor_version=version,
        num_experiences=predictor.num_learned,
        note=note_on(predictor, ranking, task),
        used_s=timer.elapsed_s(),
        reserve_s=round(reserve_s, 3),
        explores=ranking.explores,
    )


def offered(store: ArtifactStore, zoo: Zoo, task: Task, used_s: float) -> CandidateTable:
    """All regimes of the grid that end inside a task's limit.

    Args:
        store: where step times are.
        zoo: the models.
        task: with its limit.
        used_s: seconds of the limit that are spent, or reserved.

    Raises:
        TimeLimitError: no regime fits; says the shortest limit that works.
    """
    times = zoo_steps.task_times(store, zoo, task)
    spent_s = used_s + FineTuneConfig().margin_s(task.time_limit_s)
    budget = Budget(seconds=task.time_limit_s - spent_s, spent_s=spent_s)
    return grid_candidates(RegimeSpace.small(), times, budget)


def note_on(predictor: ExperiencePredictor, ranking: Ranking, task: Task) -> str:
    """Where the choice comes from, to be read after "Chosen"."""
    model = ranking.candidates[0].regime.model
    probed = [probe.model for probe in task.probes]
    if model in probed:
        return _basis(predictor, ranking)
    why = "the limit is too short for it, or the data too few"
    return (
        f"{_basis(predictor, ranking)}; {model} was not probed on this data, as {why}, so its "
        "accuracy is less sure than that of models that were"
    )


def _basis(predictor: ExperiencePredictor, ranking: Ranking) -> str:
    counts = {"experience": predictor.num_experiences, "collected run": predictor.num_collected}
    known = [f"{n} {what}{'s' if n > 1 else ''}" for what, n in counts.items() if n]
    if not known:
        return "from the table of defaults: there is no experience yet"
    basis = " and ".join(known)
    if predictor.worse_in:
        return (
            f"by what kind of regime was best on average in {basis}: the predictor's own "
            f"{predictor.worse_in} is greater so far"
        )
    note = f"from {basis} and the table of defaults"
    if ranking.explores:
        note += (
            f", to learn from it: another is predicted to be better by {ranking.cost:.3f}, which "
            "exploration may cost"
        )
    return note


def finetune(
    task: Task,
    recommendation: Recommendation,
    store_uri: str,
    *,
    out: str = "",
    started: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Experience:
    """Fine-tune by the best candidate, save the model, and record the experience.

    A task with a checkpoint in the store goes on from it.

    Args:
        task: from `compute_meta_features`.
        recommendation: from `predict_regime`.
        store_uri: where checkpoints, the model and the experience go.
        out: a folder for the model; by default it goes into the store.
        started: `time.monotonic()` when this step began; now by default.
        progress: called with `nasoa.training.loop.Progress` after every update.
    """
    others = OtherWork()
    from nasoa.steps import finetuning  # noqa: PLC0415

    return finetuning.run(
        task,
        recommendation,
        open_store(store_uri),
        out=out,
        timer=lambda used_s: make_clock(task.clock, used_s, started),
        progress=progress,
        threads=threads_beside(others, task.clock),
    )


def learn_from(task_id: str, store_uri: str, *, started: float | None = None) -> TaskResult:
    """`update_predictor`, and the result of the task that ended.

    Args:
        task_id: of a task with an experience.
        store_uri: where it is.
        started: `time.monotonic()` when this step began; now by default.
    """
    clock = WallClock(0.0, started)
    store = open_store(store_uri)
    experience = experience_log.read(store, task_id)
    update = update_predictor(store_uri)
    is_wall = experience.task.clock == "wall"
    return TaskResult(
        task_id=task_id,
        dataset=experience.task.dataset,
        model=experience.regime.model,
        regime=experience.regime,
        predicted_accuracy=experience.predicted_accuracy,
        accuracy=experience.accuracy,
        head_val_accuracy=experience.curve[0].val_accuracy,
        val_accuracy=experience.val_accuracy,
        elapsed_s=round(experience.elapsed_s + (clock.elapsed_s() if is_wall else 0.0), 3),
        time_limit_s=experience.task.time_limit_s,
        ended=experience.ended,
        predictor_version_before=experience.predictor_version,
        predictor_version_after=update.version_after,
        model_dir=experience.model_dir,
    )


def run_task(
    data: str,
    time_limit: str | float,
    store_uri: str,
    *,
    seed: int = 0,
    clock: str = "wall",
    out: str = "",
    resume: bool = False,
    explore: float = 0.0,
    started: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    models: Sequence[str] = (),
) -> TaskResult:
    """All four steps in this process; arguments as theirs.

    `resume` goes on with the newest unfinished task of the same data, limit, seed and clock.

    Raises:
        InvalidInput: there is no such task to resume.
    """
    others = OtherWork()
    from nasoa.steps import describing, finetuning  # noqa: PLC0415

    check_cost(explore)
    store = open_store(store_uri)
    limit_s = parse_duration(time_limit)
    check_out(out)
    timer = make_clock(clock, 0.0, started)
    if resume:
        task, recommendation = unfinished(store_uri, data, limit_s, seed, clock)
        describing.check_unchanged(task)
    dataset = describing.read_data(data, seed)
    threads = threads_beside(others, clock)
    features = None
    if not resume:
        described = describing.describe(
            store,
            dataset,
            limit_s,
            seed=seed,
            clock=clock,
            timer=timer,
            threads=threads,
            models=models,
        )
        # On a step clock a task costs the same whether its steps share a process or not.
        task, features = described.task, described.features if clock == "wall" else None
        recommendation = predict_regime(task, store_uri, explore=explore, models=models)
    with _resumable(store, task):
        experience = finetuning.run(
            task,
            recommendation,
            store,
            out=out,
            # This process has timed the whole task, but for what was done before a resumption.
            timer=(lambda used: make_clock(clock, used, started)) if resume else lambda _: timer,
            progress=progress,
            dataset=dataset,
            features=features,
            threads=threads,
        )
    return learn_from(experience.task.task_id, store_uri)


@contextmanager
def _resumable(store: ArtifactStore, task: Task) -> Iterator[None]:
    """Note on whatever ends the block early how the task can go on, if it can."""
    try:
        yield
    except BaseException as error:
        with suppress(NasoaError):  # a store that fails has told what matters
            if keys.task(task.task_id) in store.list(keys.task(task.task_id)):
                error.add_note("the same command with --resume goes on with the task")
        raise


def unfinished(
    store_uri: str, data: str, limit_s: float, seed: int, clock: str
) -> tuple[Task, Recommendation]:
    """The newest task with this request that has no experience yet, and what was chosen for it."""
    store = open_store(store_uri)
    done = set(experience_log.task_ids(store))
    begun = [key.split("/")[1] for key in store.list(keys.TASKS) if key.endswith("/task.json")]
    for task_id in reversed(begun):
        if task_id in done:
            continue
        task = from_json(store.get(keys.task(task_id)), Task, keys.task(task_id))
        if (task.data, task.time_limit_s, task.seed, task.clock) == (data, limit_s, seed, clock):
            key = keys.recommendation(task_id)
            return task, from_json(store.get(key), Recommendation, key)
    raise InvalidInput(
        f"expected an unfinished task of {data} with this limit and seed in {store_uri}, "
        "but there is none; leave out --resume"
    )
