"""Device, number format and memory layout, where the device gains from them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Precision:
    """Where and in which format to compute.

    `autocast_dtype` None computes in float32.
    """

    device: torch.device
    autocast_dtype: torch.dtype | None
    channels_last: bool

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which matrix products run in `autocast_dtype`."""
        enabled = self.autocast_dtype is not None
        return torch.autocast(self.device.type, dtype=self.autocast_dtype, enabled=enabled)

    def place(self, network: nn.Module) -> nn.Module:
        """The network on the device, in the layout."""
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        return network.to(device=self.device, memory_format=layout)  # type: ignore[call-overload, no-any-return]

    def to_device(self, images: Tensor) -> Tensor:
        """A `(b, c, h, w)` batch on the device, in the layout it has."""
        return images.to(self.device, non_blocking=True)

    def place_images(self, images: Tensor) -> Tensor:
        """A `(b, c, h, w)` batch on the device, in the layout."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return self.to_device(images).contiguous(memory_format=layout)

    def normalise(
        self,
        images: Tensor,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> Tensor:
        """`(b, 3, r, r)` RGB in [0, 1] -> normalised, on the device, in the layout."""
        centre = torch.tensor(mean, device=images.device).view(1, 3, 1, 1)
        scale = torch.tensor(std, device=images.device).view(1, 3, 1, 1)
        return self.place_images((images - centre) / scale)


def best_precision() -> Precision:
    """CUDA where it is there, else the CPU; bfloat16 where the device computes in it.

    GPUs before Ampere, such as a T4, only emulate bfloat16.
    On CPUs with AVX512-BF16 or AMX, bfloat16 with channels_last takes a bit more than half the
    time of float32 (ET-NAS-A, batch 64, 64 px: 30 ms against 57 ms a step); on others bfloat16
    is emulated and slower, while channels_last still gains about a tenth.
    """
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision(
            torch.device("cuda"), torch.bfloat16 if native else None, channels_last=True
        )
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Precision(torch.device("cpu"), torch.bfloat16 if native else None, channels_last=True)


def precision_for(network: nn.Module) -> Precision:
    """`best_precision`, but float32 where a network trains faster in it on a CPU.

    The gradients of depthwise convolutions wider than 3x3 have no fast bfloat16 kernel there. A
    training step at 64 px took 0.89 s in bfloat16 and 0.42 s in float32 for MobileNetV3-small, 2.6
    and 1.6 s for EfficientNet-B0 (batch 32, one thread of a busy CPU with AVX512-BF16); 3x3 ones,
    as in MobileNetV2, made no difference.
    """
    best = best_precision()
    if best.device.type == "cpu" and any(map(_is_wide_depthwise, network.modules())):
        return replace(best, autocast_dtype=None)
    return best


def _is_wide_depthwise(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels > 1
        and max(module.kernel_size) > 3
    )
