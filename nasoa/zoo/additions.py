"""The request to add a backbone to the zoo; imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Addition:
    """A backbone to add.

    Args:
        model: `torchvision:NAME[:WEIGHTS]`, `timm:NAME`, `lite:NAME`, or a file with the weights of
            `encoding`.
        encoding: encoding in the architecture language; empty for a library's network.
        weights: a file to read the weights of a library's network from.
        name: name in the zoo; empty for that of the network and its weights.
        resolution: side of the images in pixels; 0 for that of the weights.
        accuracy: accuracy on the source's validation split, in [0, 1]; None for the value given by
            the library.
        source: data set of the pretraining; empty for the one given by the library.
    """

    model: str
    encoding: str = ""
    weights: Path | None = None
    name: str = ""
    resolution: int = 0
    accuracy: float | None = None
    source: str = ""
