"""The environment of results that torch computed."""

from __future__ import annotations

import torch

from benchmarks.machine import machine

PACKAGES = ("torch", "torchvision")


def device() -> dict[str, object]:
    """Return what `machine` does, with the versions of torch, and the GPU if there is one."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    return {**machine(PACKAGES), **gpu}
