"""Detection of tasks for which mirroring is safe."""

from __future__ import annotations

import torch
from torch import Tensor

from nasoa.online.task.mirror_safety import mirror_safe


def images(shift_by_class: bool, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return noise with a bright bar: the class is left or right, or top or bottom."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 160, (300, 3, 32, 32), generator=generator, dtype=torch.uint8)
    labels = torch.arange(300) % 2
    for i, label in enumerate(labels.tolist()):
        at = 4 if label else 20
        if shift_by_class:
            pixels[i, :, 8:24, at : at + 8] += 90
        else:
            pixels[i, :, at : at + 8, 8:24] += 90
    order = torch.randperm(300, generator=generator)
    return pixels[order], labels[order]


def test_left_and_right_are_told_apart() -> None:
    assert not mirror_safe(*images(shift_by_class=True), num_classes=2)


def test_high_and_low_are_not_changed_by_mirroring() -> None:
    assert mirror_safe(*images(shift_by_class=False), num_classes=2)


def test_pure_noise_is_no_evidence() -> None:
    pixels, labels = images(shift_by_class=True)
    shuffled = labels[torch.randperm(300, generator=torch.Generator().manual_seed(5))]
    assert mirror_safe(pixels, shuffled, num_classes=2)
