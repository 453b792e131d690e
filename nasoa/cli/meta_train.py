"""`nasoa meta-train`: collect experience on known data sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasoa.cli import predictor_versions
from nasoa.cli.output import Subparsers, seed, show, table, user_path
from nasoa.duration import parse_duration

if TYPE_CHECKING:
    from nasoa.records import CollectedRecord


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`meta-train`."""
    verb = verbs.add_parser(
        "meta-train",
        parents=[shared],
        help="fine-tune parts of known data sets by chance, and keep what came of it",
        description="Goes on with a collection that was begun; runs that are made are left out. "
        "The data sets, models and settings of its runs must be the same in every call.",
    )
    verb.add_argument("data", nargs="+", metavar="DATA", help="known data sets")
    verb.add_argument("--name", default="known", help="of the collection (default: known)")
    verb.add_argument("--runs", type=int, default=0, help="in all; several records come of each")
    verb.add_argument("--time-limit", default="", metavar="TIME", help="of this call, like 2h")
    verb.add_argument("--models", nargs="+", default=[], help="default: the whole zoo")
    verb.add_argument(
        "--shard", type=int, nargs=2, default=(0, 1), metavar=("I", "K"), help="every K-th run"
    )
    verb.add_argument("--threads", type=int, default=0, help="default: one for each core")
    verb.add_argument("--run-limit", default="30s", help="of a run (default: 30s)")
    verb.add_argument(
        "--iterations",
        type=int,
        nargs=2,
        default=(10, 1500),
        metavar=("FEWEST", "MOST"),
        help="of a run without --limits (default: 10 1500); long run limits need more",
    )
    verb.add_argument(
        "--limits",
        nargs=2,
        metavar=("SHORTEST", "LONGEST"),
        help="runs as users' tasks come: with a time limit between these two, on the reference "
        "machine, and a regime out of those that could be chosen for it, not any; --run-limit must "
        "be at least the longest, and on a slower machine longer",
    )
    verb.add_argument(
        "--groups",
        action="store_true",
        help="runs in groups that share the features of frozen stages: one of --runs is then a "
        "group, of four to seven fine-tunes of one model at one resolution",
    )
    verb.add_argument("--seed", type=seed, default=0, help="default: 0")
    verb.add_argument(
        "-o", "--output", type=user_path, metavar="FILE.parquet", help="write the table"
    )
    verb.add_argument(
        "--learn",
        action="store_true",
        help="have the predictor of the store start from the collection too, at the end of this "
        "call, and from no other, as nasoa predictor learn does (3,000 records: about 5 minutes); "
        "of several calls with --shard only the last one should",
    )
    verb.set_defaults(run=run_meta_train)


def run_meta_train(arguments: argparse.Namespace) -> None:
    """Collect; write the table and learn it where that is asked for."""
    from nasoa.online.collecting.collected_table import write_table  # noqa: PLC0415
    from nasoa.online.collecting.meta_train import MetaTrainConfig  # noqa: PLC0415
    from nasoa.steps import collect_experience as steps  # noqa: PLC0415
    from nasoa.steps.tabulate_experience import collected  # noqa: PLC0415

    def report(number: int, records: Sequence[CollectedRecord]) -> None:
        last = records[-1] if records else None
        told = (
            f"{last.dataset}, {last.num_classes} classes, {last.num_images} images: {last.model} "
            f"lr {last.lr:.3g} {last.lr_schedule}, {last.iterations} iterations, "
            f"accuracy {last.accuracy:.3f}, {last.elapsed_s:.1f} s"
            if last
            else "no result"
        )
        sys.stderr.write(f"run {number}: {told}\n")

    limit_s = parse_duration(arguments.time_limit) if arguments.time_limit else 0.0
    limits = arguments.limits
    made = steps.collect_experience(
        arguments.store,
        arguments.name,
        arguments.data,
        config=MetaTrainConfig(
            iterations=tuple(arguments.iterations),
            run_limit_s=parse_duration(arguments.run_limit),
            limits_s=(parse_duration(limits[0]), parse_duration(limits[1])) if limits else None,
            groups=arguments.groups,
            seed=arguments.seed,
        ),
        budget=steps.Budget(runs=arguments.runs, seconds=limit_s),
        models=arguments.models,
        shard=tuple(arguments.shard),
        threads=arguments.threads,
        report=report,
    )
    records = collected(arguments.store, arguments.name)
    if arguments.output:
        write_table(records, arguments.output)
    runs = len({record.run_id for record in records})
    counts: dict[tuple[str, str], int] = {}
    for record in records:
        counts[record.dataset, record.model] = counts.get((record.dataset, record.model), 0) + 1
    document: dict[str, object] = {
        "collection": arguments.name,
        "runs_made": made,
        "runs": runs,
        "records": len(records),
        "by_dataset_and_model": [
            {"dataset": dataset, "model": model, "records": count}
            for (dataset, model), count in sorted(counts.items())
        ],
    }
    rows = [(dataset, model, count) for (dataset, model), count in sorted(counts.items())]
    head = f"{len(records)} records of {runs} runs, {made} of them made now"
    text = f"{head}\n{table(('data set', 'model', 'records'), rows)}"
    if arguments.learn:
        learned = predictor_versions.learn_collections(arguments.store, [arguments.name])
        document["learned"] = learned
        text += f"\n\n{predictor_versions.learned_text(learned)}"
    show(arguments, document, text)
