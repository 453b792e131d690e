"""Tables and the progress bar."""

from __future__ import annotations

import pytest

from nasoa.cli.output import progress_bar, table
from nasoa.training.run import Progress


def test_a_table_aligns_numbers_to_the_right() -> None:
    text = table(("name", "n"), [("a", 5), ("long", 12)])
    assert text.splitlines() == ["name   n", "a      5", "long  12"]
    assert table(("name", "n"), []) == "name  n"


def test_the_bar_tells_accuracy_speed_and_the_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar() as update:
        for iteration, elapsed_s in ((10, 5.0), (30, 6.0)):
            update(
                Progress(
                    iteration=iteration,
                    planned_iterations=400,
                    elapsed_s=elapsed_s,
                    limit_s=20.0,
                    train_loss=1.234,
                    val_accuracy=0.75,
                    lr=0.1,
                )
            )
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "6 of 20 s, 14 s left, accuracy 0.750, loss 1.23, 30 of about 400 steps" in captured.err
    assert "20 per second" in captured.err
