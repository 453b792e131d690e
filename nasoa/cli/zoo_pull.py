"""`nasoa zoo pull`: download ImageNet models of torchvision into a store."""

from __future__ import annotations

import argparse
import sys

from nasoa.cli.output import Subparsers, counting_bar, show, work_bars
from nasoa.errors import NasoaError
from nasoa.store import open_store
from nasoa.zoo.series import TORCHVISION_SERIES, models_of


def add_pull(own: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `zoo pull` to the verbs of `zoo`."""
    pull = own.add_parser(
        "pull",
        parents=[shared],
        help="download ImageNet models into a store, for machines without internet access",
        description="Download series of torchvision models with their ImageNet weights into a "
        "store. Models that the store already has are not downloaded again. The exit code is 1 if "
        "a model could not be added.",
    )
    series = ",".join(TORCHVISION_SERIES)
    pull.add_argument(
        "--series", default=series, metavar="NAMES", help=f"comma-separated (default: {series})"
    )
    pull.add_argument(
        "--to", metavar="URI", help="target store, like s3://bucket/prefix (default: --store)"
    )
    pull.set_defaults(run=run_pull)


def run_pull(arguments: argparse.Namespace) -> None:
    """Pull models one after another, and report each as soon as it is done.

    Raises:
        InvalidInput: there is no such series, or the store cannot be used.
        NasoaError: some models could not be added.
    """
    from nasoa.steps import pulling  # noqa: PLC0415

    models = models_of(arguments.series)
    store = open_store(arguments.to or arguments.store)
    width = max(map(len, models)) + len("-IMAGENET1K_V1")
    results = []
    with counting_bar(len(models), "models") as bar, work_bars():
        for result in pulling.pull(store, models):
            results.append(result)
            bar.update()
            if not arguments.json:
                bar.write(
                    f"{result.model:<{width}}  {result.status:<7}  {result.detail}", sys.stdout
                )
                sys.stdout.flush()
    failed = [result.model for result in results if result.status == pulling.FAILED]
    if arguments.json:
        show(arguments, results, "")
    if failed:
        raise NasoaError(
            f"{len(failed)} of {len(results)} models could not be added: {', '.join(failed)}; run "
            "the same command to try these again"
        )
