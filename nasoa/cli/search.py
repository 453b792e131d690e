"""`nasoa search`: run the offline search on one machine, and show its results."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nasoa.cli import search_analysis
from nasoa.cli.output import (
    Subparsers,
    counting_bar,
    seed,
    show,
    table,
    user_path,
    work_bars,
    write_page,
)
from nasoa.config import EARLY_STOPS, SAMPLINGS, SCALES, SIGNALS
from nasoa.errors import InvalidInput

if TYPE_CHECKING:
    from nasoa.steps.searches import Search

DEFAULT_NAME = "search"
RANGES = ("first_channels", "last_channels", "blocks", "max_operators", "max_skips", "sampling")
SETTINGS = ("num_children", "num_random", "max_step_time_ms", "seed", "epsilon", "pool")
STOPPING = ("max_evaluations", "patience")
STARTING = ("scale", "cells", "cells_from", "num_cells")
EVALUATION = (
    "epochs",
    "stop_share",
    "early_stop",
    "lr",
    "weight_decay",
    "num_classes",
    "batch_size",
    "resolution",
    "min_scale",
    "step_batch_size",
    "timeout_s",
    "signal",
    "teacher",
    "teacher_resolution",
)


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `search run`, `search show` and `search analyse`."""
    group = verbs.add_parser("search", help="find architectures that train fast")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = own.add_parser(
        "run",
        parents=[shared],
        help="start or continue a search",
        description="To continue a search, give only its name; the rest is read from the store.",
    )
    run.add_argument(
        "name", nargs="?", default=DEFAULT_NAME, metavar="NAME", help="name of the search"
    )
    run.add_argument("--space", choices=("block", "macro"), help="search space")
    run.add_argument("--data", help="the proxy: images to evaluate architectures on")
    run.add_argument("--scale", choices=SCALES, help="presets (default: small)")
    run.add_argument("--cells", nargs="+", default=[], help="blocks that a macro search stacks")
    run.add_argument(
        "--cells-from", default="", metavar="NAME", help="block search that provides the cells"
    )
    run.add_argument(
        "--num-cells", type=int, metavar="M", help="cells of --cells-from (default: 10)"
    )
    run.add_argument("--workers", type=int, default=1, help="parallel trainings (default: 1)")
    run.add_argument(
        "--max-evaluations",
        type=int,
        metavar="N",
        help="stop after N evaluations (default: 400)",
    )
    run.add_argument(
        "--patience",
        type=int,
        metavar="K",
        help="stop when the front has not changed for K generations",
    )
    spaces = run.add_argument_group("ranges of the space that differ from the presets")
    spaces.add_argument(
        "--first-channels", type=int, nargs="+", metavar="N", help="channels that the stem may have"
    )
    spaces.add_argument(
        "--last-channels",
        type=int,
        nargs="+",
        metavar="N",
        help="channels that the last block of a macro structure may have",
    )
    spaces.add_argument(
        "--blocks",
        type=int,
        nargs=2,
        metavar=("FEWEST", "MOST"),
        help="number of blocks of a macro structure",
    )
    spaces.add_argument("--max-operators", type=int, metavar="N", help="operators of a block")
    spaces.add_argument("--max-skips", type=int, metavar="N", help="skips of a block")
    spaces.add_argument(
        "--sampling", choices=SAMPLINGS, help="of blocks: uniform, or each size equally likely"
    )
    search = run.add_argument_group("the search")
    search.add_argument(
        "--num-children", type=int, metavar="N", help="architectures per generation"
    )
    search.add_argument(
        "--num-random", type=int, metavar="N", help="architectures sampled before evolution"
    )
    search.add_argument("--max-step-time-ms", type=float, metavar="MS", help="Tm of Eq. 1")
    search.add_argument(
        "--pool",
        type=int,
        metavar="K",
        help="draw K candidates for each evaluation, and evaluate those that a surrogate expects "
        "to improve the front (default: 1, no surrogate)",
    )
    search.add_argument(
        "--epsilon",
        type=float,
        nargs=2,
        metavar=("MS", "ACCURACY"),
        help="differences that do not count, the sensitive factor of Algorithm 2",
    )
    search.add_argument(
        "--seed",
        type=seed,
        help="random seed of the search, of the split of the proxy, and of the weights and batches "
        "of the trainings (default: 0)",
    )
    evaluation = run.add_argument_group("settings of the evaluation that differ from the presets")
    evaluation.add_argument("--epochs", type=int, help="epochs of a full training")
    evaluation.add_argument(
        "--stop-share", type=float, help="fraction of the epochs that is trained"
    )
    evaluation.add_argument(
        "--early-stop",
        choices=EARLY_STOPS,
        help="stopped: stop within the schedule of the full training; compressed: use a schedule "
        "that ends there",
    )
    evaluation.add_argument("--lr", type=float, help="peak learning rate of the schedule")
    evaluation.add_argument("--weight-decay", type=float, help="weight decay of a training")
    evaluation.add_argument("--num-classes", type=int, help="classes of the proxy; 0: all")
    evaluation.add_argument(
        "--images-per-class",
        type=int,
        nargs=2,
        metavar=("TRAIN", "VAL"),
        help="images per class of the proxy, sampled at random from DATA; 0 0: all",
    )
    evaluation.add_argument("--batch-size", type=int, metavar="N", help="images of an update")
    evaluation.add_argument(
        "--resolution", type=int, metavar="PX", help="height and width of the images"
    )
    evaluation.add_argument(
        "--min-scale", type=float, help="smallest fraction of an image that a random crop keeps"
    )
    evaluation.add_argument("--step-batch-size", type=int, help="images of a timed step")
    evaluation.add_argument(
        "--timeout-s", type=float, metavar="S", help="seconds after which a training has failed"
    )
    evaluation.add_argument(
        "--signal",
        choices=SIGNALS,
        help="what scores an architecture: validation accuracy or loss, or how well it learns the "
        "outputs of a teacher, which needs no labels",
    )
    evaluation.add_argument(
        "--teacher", metavar="MODEL", help="packaged model that is the teacher of --signal teacher"
    )
    evaluation.add_argument(
        "--teacher-resolution",
        type=int,
        metavar="PX",
        help="resolution of the teacher's images (default: its own, at most 224)",
    )
    run.set_defaults(run=run_run)
    shows = own.add_parser("show", parents=[shared], help="show the front and its progress")
    shows.add_argument(
        "name", nargs="?", default=DEFAULT_NAME, metavar="NAME", help="name of the search"
    )
    shows.add_argument(
        "-o", "--output", type=user_path, metavar="FILE.html", help="write the page too"
    )
    shows.set_defaults(run=run_show)
    search_analysis.add_verb(own, shared, DEFAULT_NAME)


def run_run(arguments: argparse.Namespace) -> None:
    """Run generations until the search ends."""
    from nasoa.offline.search import StopCriterion  # noqa: PLC0415
    from nasoa.offline.signal_columns import signal_columns  # noqa: PLC0415
    from nasoa.steps import searches  # noqa: PLC0415
    from nasoa.steps.run_search import check_workers, run_search  # noqa: PLC0415

    stop = StopCriterion(**_given(arguments, STOPPING))
    check_workers(arguments.workers)
    is_new = False
    if arguments.space or arguments.data:
        is_new = searches.open_search(arguments.store, arguments.name, _config(arguments))
    else:
        _check_no_settings(arguments)

    def report(search: Search, ended: str) -> None:
        if ended:
            return
        newest = max(search.evaluations.values(), key=lambda e: e.created_at)
        columns = signal_columns(search.config.evaluate.signal)
        found = ", ".join(f"{column.name} {column.text(newest)}" for column in columns)
        reached = newest.failure or found
        state = search.progress[-1]
        bar.update(len(search.evaluations) - bar.n)
        bar.write(
            f"generation {state.generation}, {len(search.evaluations)} of at most "
            f"{stop.max_evaluations}: {newest.encoding}  "
            f"{newest.costs.step_time_ms:.1f} ms  {reached}; front {state.front_size}, "
            f"hypervolume {state.hypervolume:.4f}",
            file=sys.stderr,
        )

    known = len(searches.read_search(arguments.store, arguments.name).evaluations)
    with counting_bar(stop.max_evaluations, "evaluations", known) as bar:
        search = run_search(
            arguments.store,
            arguments.name,
            stop=stop,
            workers=arguments.workers,
            report=report,
            is_new=is_new,
        )
    _show(arguments, search)


def run_show(arguments: argparse.Namespace) -> None:
    """Print the front, and write the page if it is requested."""
    from nasoa.report.search_page import search_page  # noqa: PLC0415
    from nasoa.steps import searches  # noqa: PLC0415

    with work_bars():
        search = searches.read_search(arguments.store, arguments.name)
    if arguments.output:
        page = search_page(
            search.search_id, search.config, list(search.evaluations.values()), search.progress
        )
        write_page(arguments.output, page)
    _show(arguments, search)


def _check_no_settings(arguments: argparse.Namespace) -> None:
    """Check that a search that is continued is given no settings, as its own are in the store."""
    names = (*RANGES, *SETTINGS, *EVALUATION, "images_per_class", *STARTING)
    given = [name for name in names if getattr(arguments, name) not in (None, [], "")]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InvalidInput(
            f"expected only the name of a search to continue it, got {options}; leave them out, or "
            "give --space and --data as well to start a search"
        )


def _config(arguments: argparse.Namespace) -> Any:
    from nasoa.steps import searches  # noqa: PLC0415

    if not (arguments.space and arguments.data):
        raise InvalidInput("expected --space and --data to start a search; give both")
    if arguments.num_cells is not None and not arguments.cells_from:
        raise InvalidInput(
            "expected --cells-from with --num-cells, got none; name the block search that provides "
            "the cells, or leave out --num-cells"
        )
    cells = searches.MacroCells(encodings=arguments.cells, search=arguments.cells_from)
    if arguments.num_cells is not None:
        cells = replace(cells, count=arguments.num_cells)
    return searches.configure(
        arguments.store,
        space=arguments.space,
        data=arguments.data,
        scale=arguments.scale or SCALES[0],
        cells=cells,
        ranges=_given(arguments, RANGES),
        evaluate=_evaluation(arguments),
        **_given(arguments, SETTINGS),
    )


def _evaluation(arguments: argparse.Namespace) -> dict[str, Any]:
    given = _given(arguments, EVALUATION)
    if arguments.images_per_class is not None:
        given["train_per_class"], given["val_per_class"] = arguments.images_per_class
    return given


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of these names that were given, with lists as tuples."""
    found = {name: getattr(arguments, name) for name in names}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if value is not None
    }


def _show(arguments: argparse.Namespace, search: Search) -> None:
    from nasoa.offline.front import front  # noqa: PLC0415
    from nasoa.offline.signal_columns import signal_columns  # noqa: PLC0415

    evaluations = list(search.evaluations.values())
    members = front(evaluations)
    signal = search.config.evaluate.signal
    columns = signal_columns(signal)
    rows = [
        (
            e.encoding,
            *(column.text(e) for column in columns),
            f"{e.costs.step_time_ms:.1f}",
            f"{e.costs.macs / 1e6:.1f}",
            f"{e.costs.params / 1e6:.2f}",
        )
        for e in members
    ]
    failed = [e for e in evaluations if e.failure]
    document = {
        "search": search.search_id,
        "generations": len(search.generations),
        "evaluated": len(evaluations),
        "failed": len(failed),
        "signal": signal,
        "front": members,
        "progress": search.progress,
    }
    head = (
        f"{search.search_id}: {len(evaluations)} architectures in {len(search.generations)} "
        f"generations, {len(failed)} failed; {len(members)} on the front"
    )
    names = [column.name for column in columns]
    header = ("architecture", *names, "step ms", "MMAC", "Mparam")
    show(arguments, document, f"{head}\n{table(header, rows)}")
