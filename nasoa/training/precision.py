"""The device, number format and memory layout to compute with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Precision:
    """The device, number format and memory layout to compute with.

    Args:
        device: torch device.
        autocast_dtype: number format of matrix products; None for float32.
        channels_last: whether batches and weights use the channels-last layout.
        halves_frozen: whether frozen parts compute in bfloat16 even if `autocast_dtype` is None.
    """

    device: torch.device
    autocast_dtype: torch.dtype | None
    channels_last: bool
    halves_frozen: bool = False

    @property
    def frozen_dtype(self) -> torch.dtype | None:
        """Number format of frozen parts; None for float32."""
        return torch.bfloat16 if self.halves_frozen else self.autocast_dtype

    def autocast(self) -> AbstractContextManager[object]:
        """Return a context in which matrix products run in `autocast_dtype`."""
        enabled = self.autocast_dtype is not None
        return torch.autocast(self.device.type, dtype=self.autocast_dtype, enabled=enabled)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device and into the memory layout; return it."""
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        return network.to(device=self.device, memory_format=layout)  # type: ignore[call-overload, no-any-return]

    def to_device(self, images: Tensor) -> Tensor:
        """Return a `(b, c, h, w)` batch on the device, in its present layout."""
        return images.to(self.device, non_blocking=True)

    def place_images(self, images: Tensor) -> Tensor:
        """Return a batch on the device, in the memory layout if it is `(b, c, h, w)`."""
        return in_layout(self.to_device(images), channels_last=self.channels_last)

    def normalise(
        self,
        images: Tensor,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> Tensor:
        """Normalise images, and return them on the device in the memory layout.

        Args:
            images: `(b, 3, r, r)` RGB images in [0, 1].
            mean: mean of each channel.
            std: standard deviation of each channel.
        """
        centre = torch.tensor(mean, device=images.device).view(1, 3, 1, 1)
        scale = torch.tensor(std, device=images.device).view(1, 3, 1, 1)
        return self.place_images((images - centre) / scale)


def in_layout(features: Tensor, *, channels_last: bool) -> Tensor:
    """Return features in a memory layout; tokens, which have no height and width, as they are."""
    is_last = channels_last and features.dim() == 4
    return features.contiguous(
        memory_format=torch.channels_last if is_last else torch.contiguous_format
    )


def best_precision() -> Precision:
    """Return the fastest precision: on CUDA if available, in bfloat16 if the hardware supports it.

    GPUs before Ampere, such as the T4, only emulate bfloat16. On CPUs with AVX512-BF16 or AMX,
    bfloat16 with channels_last takes a little more than half the time of float32 (ET-NAS-A, batch
    size 64, 64 px: 30 ms instead of 57 ms per step). Other CPUs emulate bfloat16, which is slower;
    channels_last still saves about a tenth of the time.
    """
    if torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision(
            torch.device("cuda"), torch.bfloat16 if native else None, channels_last=True
        )
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return Precision(torch.device("cpu"), torch.bfloat16 if native else None, channels_last=True)


def precision_for(network: nn.Module) -> Precision:
    """Return `best_precision`, with float32 for training if the network trains faster in it.

    On CPUs, gradients of depthwise convolutions wider than 3x3 have no fast bfloat16 kernel. A
    training step at 64 px took 0.89 s in bfloat16 and 0.42 s in float32 for MobileNetV3-small, and
    2.6 s and 1.6 s for EfficientNet-B0 (batch size 32, one thread of a busy CPU with AVX512-BF16).
    3x3 convolutions, as in MobileNetV2, made no difference. Frozen parts have no gradients, and
    compute in bfloat16 twice as fast (EfficientNet-Lite0 at 192 px: 3.3 ms an image instead of 7.5
    ms on one thread of a CPU with AMX).
    """
    best = best_precision()
    if best.device.type == "cpu" and any(map(_is_wide_depthwise, network.modules())):
        return replace(best, autocast_dtype=None, halves_frozen=best.autocast_dtype is not None)
    return best


def _is_wide_depthwise(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels > 1
        and max(module.kernel_size) > 3
    )
