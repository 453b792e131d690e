"""How the speed of a machine differs from step times that were measured elsewhere.

One factor is not enough. Machines with several threads or slow memory gain less on small batches,
where each operation has to be started, and on depthwise convolutions, which compute little for each
number that they read. So training steps are timed of a dense network, at two resolutions, and of a
depthwise one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from nasoa.records import ZooEntry

# At most this fraction of the smaller of two steps is taken to be independent of its size.
MOST_OVERHEAD = 0.8


@dataclass(frozen=True, kw_only=True)
class KindSpeed:
    """Measured over estimated seconds of one network's training steps, without their overhead.

    `intensity` is the number of activations for each multiply-accumulate (`intensity_of`).
    """

    step: float = 1.0
    intensity: float = 1.0


@dataclass(frozen=True, kw_only=True)
class MachineSpeed:
    """Speed of a machine: that of images, and that of training steps by kind of network.

    `image` is measured over estimated seconds of an image through the reference model, and `fit`
    of a pass of a fit of a head: without bfloat16, images take several times as long, and fits do
    not. `overhead_s` is added to every training step.
    """

    image: float = 1.0
    dense: KindSpeed = field(default_factory=KindSpeed)
    depthwise: KindSpeed = field(default_factory=KindSpeed)
    overhead_s: float = 0.0
    fit: float = 1.0

    def step_of(self, entry: ZooEntry) -> float:
        """Return measured over estimated seconds of a model's steps, between the two kinds."""
        share = _share(intensity_of(entry), self.dense.intensity, self.depthwise.intensity)
        return float(self.dense.step ** (1.0 - share) * self.depthwise.step**share)


def intensity_of(entry: ZooEntry) -> float:
    """Return a model's activations for each multiply-accumulate, the same at every resolution."""
    return sum(entry.part_activations) / max(sum(entry.part_macs), 1)


def slope_and_overhead(
    small_s: float, large_s: float, small_estimate_s: float, large_estimate_s: float
) -> tuple[float, float]:
    """Return what turns estimated into measured seconds, `slope * estimate + overhead`.

    The larger step is met exactly; the overhead is from 0 to `MOST_OVERHEAD` of the smaller one.

    Args:
        small_s: measured seconds of a small step.
        large_s: the same of a large step.
        small_estimate_s: estimated seconds of the small step.
        large_estimate_s: the same of the large step, and larger.
    """
    slope = (large_s - small_s) / (large_estimate_s - small_estimate_s)
    most = MOST_OVERHEAD * min(small_s, large_s)
    overhead_s = min(max(large_s - slope * large_estimate_s, 0.0), most)
    return (large_s - overhead_s) / large_estimate_s, overhead_s


def _share(intensity: float, dense: float, depthwise: float) -> float:
    """Return where an intensity is from that of the dense network, 0, to the depthwise one, 1."""
    if depthwise <= dense:
        return 0.0
    share = math.log(max(intensity, 1e-12) / dense) / math.log(depthwise / dense)
    return min(max(share, 0.0), 1.0)
