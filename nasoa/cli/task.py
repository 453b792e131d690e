"""`nasoa task describe`, `nasoa recommend` and `nasoa finetune`."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from nasoa.cli.output import Subparsers, seed, show, table, work_bars
from nasoa.cli.process_end import ended_in_time
from nasoa.duration import parse_duration
from nasoa.records import HEAD_ONLY, Candidate, TaskResult
from nasoa.report.words import energy_words, landmark, whole_regime, why
from nasoa.steps.limit_bar import limit_bar
from nasoa.store import open_store
from nasoa.training.clock import process_start

if TYPE_CHECKING:
    from nasoa.steps.task_session import TaskSession

# As in nasoa.steps.task_session and nasoa.steps.methods, which take a second to import.
CLOCKS = ("wall", "steps")
METHODS = ("default", "paper")


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `task describe`, `recommend` and `finetune`."""
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("data", metavar="DATA", help="folder, .zip, .tar, .npz, shards:DIR, s3://...")
    data.add_argument(
        "--seed", type=seed, default=0, help="random seed of splits and training (default: 0)"
    )
    limit = argparse.ArgumentParser(add_help=False)
    limit.add_argument("--time-limit", required=True, metavar="T", help="like 45s, 10m, 1h30m")
    limit.add_argument(
        "--clock",
        default="wall",
        choices=CLOCKS,
        help="steps: results do not depend on the machine's speed (default: wall)",
    )
    choice = argparse.ArgumentParser(add_help=False)
    choice.add_argument(
        "--explore",
        type=float,
        default=0.0,
        metavar="COST",
        help="predicted accuracy that may be given up, like 0.01, to try a more informative regime "
        "(default: 0, never)",
    )
    choice.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="choose among these models only; may be given several times (default: all models)",
    )
    choice.add_argument(
        "--method",
        default=METHODS[0],
        choices=METHODS,
        help="paper: choose as Algorithm 3 of the paper does, the best of random configurations by "
        "its adaptive MLP, which learns separately (default: default)",
    )
    group = verbs.add_parser("task", help="describe data sets")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    describe = own.add_parser("describe", parents=[data, shared], help="the meta-features of DATA")
    describe.set_defaults(run=run_describe)
    recommend = verbs.add_parser(
        "recommend",
        parents=[data, limit, choice, shared],
        help="rank the regimes that fit DATA and a time limit",
    )
    recommend.add_argument("--top", type=int, default=5, help="number of regimes (default: 5)")
    recommend.set_defaults(run=run_recommend)
    finetune = verbs.add_parser(
        "finetune",
        parents=[data, limit, choice, shared],
        help="fine-tune on DATA within a time limit",
    )
    finetune.add_argument(
        "--out", default="", metavar="DIR", help="where to save the model (default: in the store)"
    )
    finetune.add_argument(
        "--resume", action="store_true", help="continue this task if it was interrupted"
    )
    finetune.set_defaults(run=run_finetune)


def run_describe(arguments: argparse.Namespace) -> None:
    """Print the meta-features of DATA."""
    from nasoa.steps.task_session import TaskSession  # noqa: PLC0415

    session = TaskSession(open_store(arguments.store), started=process_start())
    from nasoa.steps.compute_meta_features import compute_meta_features  # noqa: PLC0415  (torch)

    with work_bars():
        # Nothing is trained, so the limit does not matter.
        task = compute_meta_features(session, arguments.data, "1h", seed=arguments.seed)
    meta = task.meta_features
    document = {
        "dataset": task.dataset,
        "class_names": task.class_names,
        "num_train": task.num_train,
        "num_val": task.num_val,
        "num_test": task.num_test,
        "resolution": task.resolution,
        "mirror_safe": task.mirror_safe,
        "meta_features": meta,
    }
    text = "\n".join(
        [
            f"data set           {task.dataset}, {task.resolution} px",
            f"classes            {meta.num_classes}",
            f"images             {task.num_train} to train, {task.num_val} to validate, "
            f"{task.num_test} to test",
            f"images per class   {meta.mean_images_per_class:.1f} "
            f"(standard deviation {meta.std_images_per_class:.1f})",
            f"domain similarity  {meta.domain_similarity:.4f}",
            f"landmark accuracy  {landmark(meta)}",
            f"mirror images      {'are' if task.mirror_safe else 'are not'} of the same class",
        ]
    )
    show(arguments, document, text)


def run_recommend(arguments: argparse.Namespace) -> None:
    """Print the best regimes; nothing is trained."""
    from nasoa.online.choice.exploration import check_cost  # noqa: PLC0415

    check_cost(arguments.explore)
    session = _session(arguments)
    from nasoa.steps.compute_meta_features import compute_meta_features  # noqa: PLC0415  (torch)
    from nasoa.steps.predict_regime import predict_regime  # noqa: PLC0415

    with work_bars():
        limit = arguments.time_limit
        task = compute_meta_features(session, arguments.data, limit, seed=arguments.seed)
        recommended = predict_regime(session, task, top=arguments.top, explore=arguments.explore)
    header = ("model", "regime", "accuracy", "90 % interval", "seconds", "why")
    rows = [candidate_row(candidate) for candidate in recommended.candidates]
    show(arguments, recommended, f"{table(header, rows)}\n\nChosen {recommended.note}.")


def run_finetune(arguments: argparse.Namespace) -> None:
    """Fine-tune on DATA, save the model and learn, all within the limit, imports included."""
    limit_s = parse_duration(arguments.time_limit)
    # With the step clock, the limit is not in real seconds.
    is_wall = arguments.clock == "wall"
    with ended_in_time(limit_s, process_start()) if is_wall else nullcontext():
        _finetune(arguments, limit_s)


def _finetune(arguments: argparse.Namespace, limit_s: float) -> None:
    session = _session(arguments)
    from nasoa.online.tuning.job import Listeners  # noqa: PLC0415  (torch takes a second)
    from nasoa.steps.run_task import Request, run_task  # noqa: PLC0415

    request = Request(
        data=arguments.data,
        time_limit=arguments.time_limit,
        seed=arguments.seed,
        explore=arguments.explore,
        out=arguments.out,
        resume=arguments.resume,
    )

    # A JSON document goes to standard output, so the bar does not disturb it.
    bar = limit_bar(limit_s, lambda: session.clock().elapsed_s())
    with bar if sys.stderr.isatty() else nullcontext() as progress:
        result = run_task(session, request, Listeners(progress=progress))
    show(arguments, result, describe_result(result))


def _session(arguments: argparse.Namespace) -> TaskSession:
    """Make the session.

    Called before torch is imported, so that the load of other processes is observed long enough.
    """
    from nasoa.steps.methods import method_named  # noqa: PLC0415
    from nasoa.steps.task_session import TaskSession  # noqa: PLC0415

    return TaskSession(
        open_store(arguments.store),
        clock=arguments.clock,
        started=process_start(),
        method=method_named(arguments.method),
        models=arguments.model,
    )


def describe_result(result: TaskResult) -> str:
    """Describe a finished task."""
    return "\n".join(
        [
            f"model      {result.model}, {whole_regime(result.regime)}",
            f"accuracy   {result.accuracy:.3f} on the test images "
            f"(predicted {result.predicted_accuracy:.3f})",
            f"validation {gain(result)}",
            f"time       {result.elapsed_s:.1f} of {result.time_limit_s:g} s",
            f"energy     {energy_words(result.energy)}",
            f"predictor  version {result.predictor_version_before} -> "
            f"{result.predictor_version_after}",
            f"saved in   {result.model_dir}",
        ]
    )


def gain(result: TaskResult) -> str:
    """Describe the validation accuracy, compared with that of the head alone."""
    if result.regime.frozen_stages == HEAD_ONLY:
        return f"{result.val_accuracy:.3f} with the head alone"
    return f"{result.head_val_accuracy:.3f} with the head alone, {result.val_accuracy:.3f} now"


def candidate_row(candidate: Candidate) -> tuple[object, ...]:
    """Return a candidate as a row of the table."""
    low, high = candidate.interval
    return (
        candidate.regime.model,
        whole_regime(candidate.regime),
        round(candidate.predicted_accuracy, 3),
        f"{low:.2f} to {high:.2f}",
        round(candidate.predicted_s, 1),
        why(candidate.reasons),
    )
