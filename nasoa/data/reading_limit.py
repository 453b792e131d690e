"""The time limit of a task, while its data are read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from nasoa.config import CheckTime
from nasoa.duration import too_short

T = TypeVar("T")

# Whether reading will end in time is judged after this fraction of the time that it has.
JUDGED_AFTER = 0.2
# Reading is given up where it is expected to take more than this many times the time it has:
# whatever else the machine does may end.
HOPELESS = 2.0
POLL_S = 0.05


@dataclass(frozen=True)
class ReadingLimit:
    """Ends the reading of data that cannot end in time; see `nasoa.config.CheckTime`.

    Args:
        data: DATA, for the message.
        limit_s: of the task.
        began_s: `time.monotonic()` when the task began.
        ends_s: `time.monotonic()` when the data have to be read.
    """

    data: str
    limit_s: float
    began_s: float
    ends_s: float

    def __call__(self, share: float = 0.0, since_s: float = 0.0) -> None:
        """Compare the time with the limit.

        Args:
            share: fraction of the present part of the reading that is done.
            since_s: `time.monotonic()` when this part began.

        Raises:
            TimeLimitError: the limit cannot be met any more.
        """
        now = time.monotonic()
        if now >= self.ends_s:
            why = f"in which {self.data} is not read"
            raise too_short(now - self.began_s, self.limit_s, why)
        has_s = self.ends_s - since_s
        if share > 0.0 and now - since_s > JUDGED_AFTER * has_s:
            takes_s = (now - since_s) / share
            if takes_s > HOPELESS * has_s:
                why = f"and {self.data} takes about {takes_s:.1f} s to read"
                raise too_short(since_s - self.began_s + takes_s, self.limit_s, why)


@contextmanager
def threads_to_leave(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads; where the block raises, nobody waits for what they are doing."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def results_in_time(futures: Sequence[Future[T]], check_time: CheckTime) -> Iterator[T]:
    """Give the results of futures, in order; raise what `check_time` raises meanwhile."""
    began_s = time.monotonic()
    for number, future in enumerate(futures):
        check_time(number / len(futures), began_s)
        while not wait([future], POLL_S).done:
            check_time(number / len(futures), began_s)
        yield future.result()
