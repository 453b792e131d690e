"""The time limit of a task while its data is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nasoa.config import CheckTime
from nasoa.duration import too_short

T = TypeVar("T")

# After this fraction of the time for reading, the total time is extrapolated.
JUDGED_AFTER = 0.2
# Reading is abandoned if it is expected to take more than this many times the time that it has. It
# is not abandoned sooner because other load on the machine may end.
HOPELESS = 2.0
POLL_S = 0.05
_LEAST_SHARE = 1e-9  # so that the message has a number


@dataclass(frozen=True)
class ReadingLimit:
    """Ends reading that cannot be completed in time; see `nasoa.config.CheckTime`.

    Args:
        data: DATA, for the message.
        limit_s: time limit of the task in seconds.
        began_s: `time.monotonic()` when the task began.
        ends_s: `time.monotonic()` by which the data must have been read.
    """

    data: str
    limit_s: float
    began_s: float
    ends_s: float

    def __call__(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """Check the time.

        Args:
            share: fraction of the current part of the reading that is done; 0 if unknown.
            since_s: `time.monotonic()` when this part began.

        Raises:
            TimeLimitError: the limit can no longer be met.
        """
        now = time.monotonic()
        if now >= self.ends_s:
            why = f"and {self.data} cannot be read in that time"
            raise too_short(now - self.began_s, self.limit_s, why)
        has_s = self.ends_s - since_s
        if share > 0.0 and now - since_s > JUDGED_AFTER * has_s:
            takes_s = (now - since_s) / max(share, _LEAST_SHARE)
            if takes_s > HOPELESS * has_s:
                why = f"and {self.data} takes about {takes_s:.1f} s to read"
                raise too_short(since_s - self.began_s + takes_s, self.limit_s, why)


@contextmanager
def threads_to_leave(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads; if the block raises an error, do not wait for them."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def in_time(function: Callable[[], T], check_time: CheckTime) -> T:
    """Call a function that may take seconds in a thread, calling `check_time` while waiting."""
    with threads_to_leave(1) as pool:
        return next(results_in_time([pool.submit(function)], check_time))


def results_in_time(futures: Sequence[Future[T]], check_time: CheckTime) -> Iterator[T]:
    """Yield the results of futures in order, calling `check_time` while waiting for them."""
    began_s = time.monotonic()
    for number, future in enumerate(futures):
        check_time(number / len(futures), began_s)
        while not wait([future], POLL_S).done:
            check_time(number / len(futures), began_s)
        yield future.result()
