"""Forward and backward pass of small networks on a GPU, launched as a whole.

A step of a network of some millions of parameters on small images is hundreds of kernels of a few
microseconds, and launching them one by one takes longer than they do. Recorded as CUDA graphs, the
two passes are two launches.
"""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from nasoa.training.precision import Precision

logger = logging.getLogger(__name__)

# The first recording of a process took 3.2 s, later ones a tenth of a second; a recorded step takes
# a fifth of the time of a launched one (`python -m benchmarks.recorded_steps`).
FEWEST_ITERATIONS = 100
LEAST_S = 15.0


def record(module: nn.Module, sample: Tensor, precision: Precision) -> bool:
    """Have `module` play a recording of its training pass, where there is a CUDA device.

    What it computes stays the same, and so do its weights and statistics now; evaluation is not
    recorded. A module that cannot be recorded, because it computes differently from batch to batch
    or waits for the device, is left as it is.

    Args:
        module: in training mode, on the device; its weights must stay where they are.
        sample: `(b, c, h, w)` inputs; all later ones must have this shape and layout.
        precision: where and in which format to compute.

    Returns:
        Whether there is a recording.
    """
    if precision.device.type != "cuda":
        return False
    statistics = {name: value.clone() for name, value in module.named_buffers()}
    enabled = precision.autocast_dtype is not None
    try:
        # A cast weight that was kept would not be cast anew when the recording is played.
        with torch.autocast(
            "cuda", dtype=precision.autocast_dtype, enabled=enabled, cache_enabled=False
        ):
            torch.cuda.make_graphed_callables(module, (sample.clone(),))
    except RuntimeError as error:
        logger.info("training steps are not recorded: %s", error)
        return False
    finally:
        # Recording makes some passes first, which count for the statistics of batch normalisation.
        with torch.no_grad():
            for name, value in module.named_buffers():
                value.copy_(statistics[name])
    return True
