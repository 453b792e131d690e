"""`nasoa arch`: what an encoding means."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, show
from nasoa.errors import InvalidInput

LEAST_RESOLUTION = 32


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """`arch stats`."""
    group = verbs.add_parser("arch", help="architectures")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    stats = own.add_parser("stats", parents=[shared], help="what a network costs")
    stats.add_argument("encoding", nargs="+", help='like "011- 64 21-211-121-11111121"')
    stats.add_argument("--resolution", type=int, default=224, help="pixels (default: 224)")
    stats.add_argument("--classes", type=int, default=1000, help="default: 1000")
    stats.set_defaults(run=run_stats)


def run_stats(arguments: argparse.Namespace) -> None:
    """Print parameters, multiply-accumulates, activations, blocks and stages."""
    from nasoa.arch import build_network, measure_cost, parse  # noqa: PLC0415

    if arguments.resolution < LEAST_RESOLUTION:
        raise InvalidInput(
            f"expected a resolution of at least {LEAST_RESOLUTION}, got {arguments.resolution}"
        )
    if arguments.classes < 1:
        raise InvalidInput(f"expected at least 1 class, got {arguments.classes}")
    spec = parse(" ".join(arguments.encoding))
    cost = measure_cost(build_network(spec, arguments.classes), arguments.resolution)
    stages = [list(widths) for widths in spec.widths]
    document = {
        "encoding": str(spec),
        "resolution": arguments.resolution,
        "classes": arguments.classes,
        "params": cost.params,
        "macs": cost.macs,
        "activations": cost.activations,
        "blocks": spec.num_blocks,
        "stages": stages,
    }
    text = "\n".join(
        [
            f"encoding     {spec}",
            f"params       {cost.params / 1e6:.2f} million",
            f"macs         {cost.macs / 1e9:.3f} billion at {arguments.resolution} px",
            f"activations  {cost.activations / 1e6:.2f} million",
            f"blocks       {spec.num_blocks}",
            *(f"stage {i}      widths {' '.join(map(str, s))}" for i, s in enumerate(stages, 1)),
        ]
    )
    show(arguments, document, text)
