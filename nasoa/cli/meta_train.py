"""`nasoa meta-train`: collect experience on meta-training data sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nasoa.cli import predictor_versions
from nasoa.cli.output import Subparsers, counting_bar, seed, show, table, user_path
from nasoa.duration import parse_duration

if TYPE_CHECKING:
    from nasoa.records import CollectedRecord


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `meta-train`."""
    verb = verbs.add_parser(
        "meta-train",
        parents=[shared],
        help="collect the results of random fine-tunes on meta-training data sets",
        description="Fine-tune random parts of data sets and collect the results. A collection "
        "that exists is continued; runs that it has are not made again. Data sets, models and "
        "settings must be the same in every call.",
    )
    verb.add_argument("data", nargs="+", metavar="DATA", help="meta-training data sets")
    verb.add_argument("--name", default="known", help="name of the collection (default: known)")
    verb.add_argument(
        "--runs", type=int, default=0, help="total number of runs; each gives several records"
    )
    verb.add_argument(
        "--time-limit", default="", metavar="TIME", help="time limit of this call, like 2h"
    )
    verb.add_argument(
        "--models",
        nargs="+",
        default=[],
        help="names of models to fine-tune (default: all models of the zoo)",
    )
    verb.add_argument(
        "--shard",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("I", "K"),
        help="make every K-th run, starting with run I (default: 0 1)",
    )
    verb.add_argument(
        "--threads", type=int, default=0, help="number of threads (default: one per core)"
    )
    verb.add_argument("--run-limit", default="30s", help="time limit of a run (default: 30s)")
    verb.add_argument(
        "--iterations",
        type=int,
        nargs=2,
        default=(10, 1500),
        metavar=("FEWEST", "MOST"),
        help="iterations of a run without --limits (default: 10 1500); long run limits need more",
    )
    verb.add_argument(
        "--limits",
        nargs=2,
        metavar=("SHORTEST", "LONGEST"),
        help="make runs like users' tasks: sample a time limit between these two, on the reference "
        "machine, and a regime that could be chosen for it; --run-limit must be at least the "
        "longest, and more on a slower machine",
    )
    verb.add_argument(
        "--no-heads",
        action="store_false",
        dest="heads",
        help="with --limits: leave out regimes that train the head alone",
    )
    verb.add_argument(
        "--groups",
        action="store_true",
        help="make runs in groups that share the features of frozen stages: one of --runs is then "
        "a group of four to seven fine-tunes of one model at one resolution",
    )
    verb.add_argument(
        "--group-images",
        type=int,
        default=600,
        metavar="N",
        help="largest number of training images of a group (default: 600)",
    )
    verb.add_argument(
        "--group-resolution",
        type=int,
        default=0,
        metavar="PIXELS",
        help="smallest resolution of a group (default: any that the model and the images allow)",
    )
    verb.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    verb.add_argument(
        "-o", "--output", type=user_path, metavar="FILE.parquet", help="write the table"
    )
    verb.add_argument(
        "--learn",
        action="store_true",
        help="at the end, make the store's predictor start from this collection too, and from no "
        "other, as nasoa predictor learn does (minutes for thousands of records); with --shard, "
        "use it in the last call only",
    )
    verb.set_defaults(run=run_meta_train)


def run_meta_train(arguments: argparse.Namespace) -> None:
    """Collect runs, and if requested, write the table and learn the collection."""
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
        bar.update()
        bar.write(f"run {number}: {told}", file=sys.stderr)

    limit_s = parse_duration(arguments.time_limit) if arguments.time_limit else 0.0
    limits = arguments.limits
    total = len(range(arguments.shard[0], arguments.runs, max(1, arguments.shard[1]))) or None
    with counting_bar(total, "runs") as bar:
        made = steps.collect_experience(
            arguments.store,
            steps.Collection(name=arguments.name, datasets=arguments.data, models=arguments.models),
            config=MetaTrainConfig(
                iterations=tuple(arguments.iterations),
                run_limit_s=parse_duration(arguments.run_limit),
                limits_s=(parse_duration(limits[0]), parse_duration(limits[1])) if limits else None,
                heads=arguments.heads,
                groups=arguments.groups,
                group_images=arguments.group_images,
                group_resolution=arguments.group_resolution,
                seed=arguments.seed,
            ),
            budget=steps.CollectionBudget(runs=arguments.runs, seconds=limit_s),
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
