"""Work reports its progress to the listener of its thread, and to nobody by default."""

from __future__ import annotations

import threading

from nasoa.work_progress import progress_to, report_progress, reported

Heard = list[tuple[str, int, int]]


def test_a_listener_hears_the_work_of_its_block() -> None:
    heard: Heard = []

    def listen(unit: str, done: int, total: int) -> None:
        heard.append((unit, done, total))

    report_progress("images", 1, 2)
    with progress_to(listen):
        assert list(reported("ab", "letters")) == ["a", "b"]
        other = threading.Thread(target=report_progress, args=("images", 1, 2))
        other.start()
        other.join()
    report_progress("images", 2, 2)
    assert heard == [("letters", 0, 2), ("letters", 1, 2), ("letters", 2, 2)]


def test_work_that_stops_early_is_not_reported_as_done() -> None:
    heard: Heard = []
    with progress_to(lambda *told: heard.append(told)):
        for letter in reported("abc", "letters"):
            if letter == "b":
                break
    assert heard[-1] == ("letters", 1, 3)
