"""Keeping freed memory in the process, so that large tensors are not paid for at every step.

glibc maps each block of more than 32 MiB anew and returns it to the system when it is freed. The
system then zeroes its pages again at the first touch. In a training step or a frozen prefix with
large feature maps, a fifth of the time and more went there (docs/decisions/0017).
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
    """Have the allocator of this process reuse freed blocks of any size.

    From then on the process keeps the most memory that it has needed at once. Other C libraries
    than glibc are left as they are.

    Returns:
        Whether the allocator could be set.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    done = bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, LARGEST_INT))
    if not done:
        logger.info("the allocator does not keep freed memory here")
    return done
