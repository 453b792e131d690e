"""A saved model with random weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from nasoa.arch import build_network, parse
from nasoa.online.tuning.saved_model import ModelCard, to_files
from nasoa.records import Regime
from nasoa.zoo.library import Pretraining
from nasoa.zoo.networks import describe

ENCODING = "020- 8 1-2-1-2"


def random_model(
    class_names: Sequence[str], *, resolution: int = 32, mirror_safe: bool = False
) -> tuple[dict[str, bytes], ModelCard]:
    """The files of a small network for these classes, the same each time, and its card."""
    torch.manual_seed(0)
    network = build_network(parse(ENCODING), len(class_names))
    torch.nn.init.normal_(network.head.fc.weight)  # type: ignore[union-attr,arg-type]
    entry = describe(
        network,
        Pretraining(
            name="tiny",
            resolution=resolution,
            mean=(0.5, 0.4, 0.3),
            std=(0.2, 0.3, 0.4),
            source="x",
            accuracy=0.5,
        ),
        family="ET-NAS",
        encoding=ENCODING,
    )
    regime = Regime(
        model="tiny",
        lr=0.1,
        frozen_stages=-1,
        iterations=1,
        batch_size=8,
        resolution=resolution,
        lr_schedule="cosine",
    )
    card = ModelCard(
        task_id="t",
        dataset="d",
        class_names=tuple(class_names),
        entry=entry,
        regime=regime,
        mirror_safe=mirror_safe,
        accuracy=0.5,
    )
    return to_files(network, card), card
