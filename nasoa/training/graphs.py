"""Record the forward and backward pass of a network as CUDA graphs.

A training step of a network of a few million parameters on small images consists of hundreds of
kernels that take microseconds each, less than it takes to launch them one by one. As CUDA graphs,
the two passes need two launches.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from nasoa.training.precision import Precision

logger = logging.getLogger(__name__)

# The first recording of a process took 3.2 s, later ones a tenth of a second; a recorded step takes
# a fifth of the time of a step that is launched kernel by kernel
# (`python -m benchmarks.recorded_steps`).
FEWEST_ITERATIONS = 100
LEAST_S = 15.0


def record(module: nn.Module, sample: Tensor, precision: Precision) -> bool:
    """Record the training passes of `module`, so that it replays them on a CUDA device.

    Its results, weights and statistics stay the same, and evaluation is not recorded. A module that
    cannot be recorded, because it computes differently from batch to batch or synchronises with the
    device, is left unchanged. On other devices nothing happens.

    Args:
        module: a module in training mode on the device; its weights must not be moved afterwards.
        sample: `(b, c, h, w)` inputs; all later inputs must have this shape and layout.
        precision: device and number format.

    Returns:
        Whether the passes were recorded.
    """
    if precision.device.type != "cuda":
        return False
    statistics = {name: value.clone() for name, value in module.named_buffers()}
    enabled = precision.autocast_dtype is not None
    try:
        # A replay would not cast a weight again whose cast was cached during the recording.
        with torch.autocast(
            "cuda", dtype=precision.autocast_dtype, enabled=enabled, cache_enabled=False
        ):
            torch.cuda.make_graphed_callables(module, (sample.clone(),))
    except RuntimeError as error:
        logger.info("training steps are not recorded: %s", error)
        return False
    finally:
        # Warm-up passes before the recording have changed batch-normalisation statistics.
        with torch.no_grad():
            for name, value in module.named_buffers():
                value.copy_(statistics[name])
    return True
