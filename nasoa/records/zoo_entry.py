"""A pretrained model."""

from __future__ import annotations

from dataclasses import dataclass

from nasoa.ranges import AtLeastOne, Fraction, Parts, Sha256


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """A pretrained model that fine-tuning can start from.

    `encoding` is empty for a backbone that the architecture language does not describe; `builder`
    then says how it is built, like `torchvision:resnet18` (see `nasoa.zoo.backbones`).
    `part_macs` and `part_activations` are those of stem, four stages and head for one image at
    `resolution`. `mean` and `std` normalise RGB in [0, 1]. `source` is the data set of the
    pretraining, `source_accuracy` the validation accuracy there. `fixed_resolution`: the network
    takes images of `resolution` only, like ViT. `weights_sha256` is that of its weights in the
    store, under which they lie there; "" for those of the package. `license` is that of the
    pretrained weights, as an SPDX identifier or in words; "" if unknown. `recipe` is a digest of
    the recipe and the images of a pretraining by `nasoa zoo build`; "" for other models, and for
    those of earlier releases.
    """

    name: str
    family: str
    encoding: str
    num_params: AtLeastOne
    part_macs: Parts
    part_activations: Parts
    resolution: AtLeastOne
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    num_classes: AtLeastOne
    source: str
    source_accuracy: Fraction
    builder: str = ""
    fixed_resolution: bool = False
    weights_sha256: Sha256 = ""
    license: str = ""
    recipe: str = ""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image at `resolution`."""
        return sum(self.part_macs)

    @property
    def saved_bytes(self) -> int:
        """Approximate bytes of its weights in a file, in float16."""
        return 2 * self.num_params

    @property
    def activations(self) -> int:
        """Output elements of all convolutions for one image at `resolution`."""
        return sum(self.part_activations)
