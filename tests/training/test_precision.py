"""The choice of the number format."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nasoa.training import precision
from nasoa.training.precision import Precision, precision_for


def depthwise(kernel_size: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, kernel_size, groups=8))


def test_only_wide_depthwise_convolutions_leave_half_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = Precision(torch.device("cpu"), torch.bfloat16, channels_last=True)
    monkeypatch.setattr(precision, "best_precision", lambda: half)
    wide = precision_for(depthwise(5))
    assert (wide.autocast_dtype, wide.frozen_dtype) == (None, torch.bfloat16)
    for network in (depthwise(3), nn.Conv2d(8, 8, 5), nn.Conv2d(1, 8, 5), nn.Linear(2, 2)):
        assert precision_for(network) == half


def test_without_half_precision_frozen_parts_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Precision(torch.device("cpu"), None, channels_last=True)
    monkeypatch.setattr(precision, "best_precision", lambda: full)
    assert precision_for(depthwise(5)) == full
    assert full.frozen_dtype is None


def test_an_accelerator_keeps_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    half = Precision(torch.device("meta"), torch.bfloat16, channels_last=True)
    monkeypatch.setattr(precision, "best_precision", lambda: half)
    assert precision_for(depthwise(7)) == half
