"""`nasoa arch`: costs of architectures, and random encodings."""

from __future__ import annotations

import argparse

from nasoa.cli.output import Subparsers, seed, show
from nasoa.errors import InvalidInput

LEAST_RESOLUTION = 32
MOST_RESOLUTION = 65536
MOST_CLASSES = 1_000_000
MOST_SAMPLES = 1_000_000


def add_verbs(verbs: Subparsers[argparse.ArgumentParser], shared: argparse.ArgumentParser) -> None:
    """Add `arch stats` and `arch sample`."""
    group = verbs.add_parser("arch", help="architectures")
    own = group.add_subparsers(dest="verb", required=True, metavar="VERB")
    stats = own.add_parser("stats", parents=[shared], help="the costs of a network")
    stats.add_argument("encoding", nargs="+", help='like "011- 64 21-211-121-11111121"')
    stats.add_argument("--resolution", type=int, default=224, help="pixels (default: 224)")
    stats.add_argument(
        "--classes", type=int, default=1000, help="number of classes (default: 1000)"
    )
    stats.set_defaults(run=run_stats)
    sample = own.add_parser("sample", parents=[shared], help="random architectures of a space")
    sample.add_argument(
        "--space",
        choices=("block", "macro"),
        required=True,
        help="what varies: the block of a network, or the macro structure that stacks blocks",
    )
    sample.add_argument("-n", type=int, default=1, help="how many (default: 1)")
    sample.add_argument("--seed", type=seed, default=0, help="random seed (default: 0)")
    sample.add_argument(
        "--scale", choices=("paper", "small"), default="paper", help="preset (default: paper)"
    )
    sample.add_argument(
        "--cells", nargs="+", default=["020-"], help="blocks of the macro space (default: 020-)"
    )
    sample.set_defaults(run=run_sample)


def run_stats(arguments: argparse.Namespace) -> None:
    """Print parameters, multiply-accumulates, activations, blocks and stages."""
    import torch  # noqa: PLC0415

    from nasoa.arch import build_network, measure_cost, parse  # noqa: PLC0415

    if not LEAST_RESOLUTION <= arguments.resolution <= MOST_RESOLUTION:
        raise InvalidInput(
            f"expected a resolution from {LEAST_RESOLUTION} to {MOST_RESOLUTION}, got "
            f"{arguments.resolution}"
        )
    if not 1 <= arguments.classes <= MOST_CLASSES:
        raise InvalidInput(f"expected 1 to {MOST_CLASSES} classes, got {arguments.classes}")
    spec = parse(" ".join(arguments.encoding))
    with torch.device("meta"):  # its weights may be more than memory holds
        network = build_network(spec, arguments.classes)
    cost = measure_cost(network, arguments.resolution)
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


def run_sample(arguments: argparse.Namespace) -> None:
    """Print random encodings, which are the same for the same seed."""
    import numpy as np  # noqa: PLC0415

    from nasoa.arch import parse_block  # noqa: PLC0415
    from nasoa.config import preset  # noqa: PLC0415
    from nasoa.offline.canonical import canonical_block  # noqa: PLC0415
    from nasoa.offline.space import BlockSpace, MacroSpace  # noqa: PLC0415

    if not 1 <= arguments.n <= MOST_SAMPLES:
        raise InvalidInput(f"expected -n from 1 to {MOST_SAMPLES}, got {arguments.n}")
    if arguments.seed < 0:
        raise InvalidInput(f"expected a seed of 0 or more, got {arguments.seed}")
    space: BlockSpace | MacroSpace
    if arguments.space == "block":
        space = preset(BlockSpace, arguments.scale)
    else:
        cells = tuple(dict.fromkeys(canonical_block(parse_block(c)) for c in arguments.cells))
        space = preset(MacroSpace, arguments.scale, cells)
    rng = np.random.default_rng(arguments.seed)
    encodings = [str(space.sample(rng)) for _ in range(arguments.n)]
    show(arguments, encodings, "\n".join(encodings))
