"""Keep freed memory in the process, so that large tensors can be allocated cheaply.

glibc requests each block of more than 32 MiB from the system and returns it when it is freed, and
the system zeroes the pages of each new block when they are first touched. With large feature maps
this took a fifth of the time or more of a training step or frozen prefix (docs/decisions/0017).
"""

from __future__ import annotations

import ctypes
import logging

logger = logging.getLogger(__name__)

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
LARGEST_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make the allocator of this process reuse freed blocks of any size.

    From then on, the process keeps its peak memory. C libraries other than glibc are not changed.

    Returns:
        Whether the allocator could be configured.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    done = bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
    if not done:
        logger.info("the allocator cannot be configured to keep freed memory")
    return done
