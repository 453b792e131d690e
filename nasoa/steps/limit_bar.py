"""A bar that shows how much of a time limit is used, and what is done meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nasoa.work_progress import progress_to

if TYPE_CHECKING:
    from tqdm import tqdm

    from nasoa.training.run import Progress

REFRESH_S = 0.25


@contextmanager
def limit_bar(
    limit_s: float, elapsed_s: Callable[[], float], make: type[tqdm[Any]] | None = None
) -> Iterator[Callable[[Progress], None]]:
    """Show a bar on standard error that fills as a time limit is used.

    It tells what is counted now: images that are read, features of images, or, by the callback that
    the block receives, steps of the training.

    Args:
        limit_s: time limit in seconds.
        elapsed_s: function that returns the seconds of it that are used.
        make: kind of bar; by default one for a terminal.
    """
    from tqdm import tqdm  # noqa: PLC0415

    with (make or tqdm)(
        total=limit_s,
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
        bar_format="{l_bar}{bar}| {n:.0f} of {total:.0f} s{postfix}",
        mininterval=0.0,
    ) as bar:
        shown = ("", 0, 0.0)  # what was counted, how many, and when

        def show(counted: str, done: int, used_s: float, describe: Callable[[float], str]) -> None:
            nonlocal shown
            seconds = used_s - shown[2]
            is_other = counted != shown[0]
            if not is_other and seconds < REFRESH_S:
                return
            speed = 0.0 if is_other else (done - shown[1]) / seconds
            shown = (counted, done, used_s)
            bar.n = min(used_s, limit_s)
            bar.set_postfix_str(f"{max(limit_s - used_s, 0.0):.0f} s left, {describe(speed)}")

        def count(unit: str, done: int, total: int) -> None:
            show(unit, done, elapsed_s(), lambda _speed: f"{done} of {total} {unit}")

        def train(progress: Progress) -> None:
            show(
                "steps",
                progress.iteration,
                progress.elapsed_s,
                lambda speed: (
                    f"accuracy {progress.val_accuracy:.3f}, loss {progress.train_loss:.2f}, "
                    f"{progress.iteration} of about {progress.planned_iterations} steps"
                    + (f", {speed:.0f} per second" if speed else "")
                ),
            )

        with progress_to(count):
            yield train
