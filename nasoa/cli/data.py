"""`nasoa data`: convert data sets."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, counting_bar, seed, show, show_count, user_path


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `data shard`."""
    group = verbs.add_parser("data", help="convert data sets")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    shard = own.add_parser(
        "shard", parents=[shared], help="write DATA as shards, for data larger than memory"
    )
    shard.add_argument("data", metavar="DATA", help="folder, .zip, .tar, .npz, s3://...")
    shard.add_argument(
        "-o", "--out", required=True, type=user_path, metavar="DIR", help="a new folder"
    )
    shard.add_argument(
        "--images-per-shard", type=int, default=1000, metavar="N", help="maximum (default: 1000)"
    )
    shard.add_argument("--seed", type=seed, default=0, help="seed of the order (default: 0)")
    shard.set_defaults(run=run_shard)


def run_shard(arguments: argparse.Namespace) -> None:
    """Write shards, and print how to use them."""
    from nasoa.steps.sharding import shard  # noqa: PLC0415  (torch takes a second)

    with counting_bar(1, "images") as bar:

        def progress(done: int, total: int) -> None:
            show_count(bar, done, total)

        written = shard(
            arguments.data,
            arguments.out,
            images_per_shard=arguments.images_per_shard,
            seed=arguments.seed,
            progress=progress,
        )
    parts = [
        f"{split}: {written.images[split]} images in {count} shards"
        for split, count in written.shards.items()
    ]
    skipped = f"; {written.skipped} files skipped" if written.skipped else ""
    size = f"{written.classes} classes, {written.num_bytes / 1e6:.1f} MB"
    text = f"{', '.join(parts)}, {size}{skipped}\nuse them as shards:{arguments.out}"
    show(arguments, written, text)
