"""The chart of accuracy against time."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from nasoa.report.accuracy_chart import TimedModel, accuracy_against_time, front

FAST = TimedModel("fast", 0.6, 10.0, True)
SLOW = TimedModel("slow", 0.8, 100.0, False)
WORSE = TimedModel("worse", 0.6, 20.0, True)
LATE = TimedModel("late", 0.7, 100.0, False)


def test_the_front_has_what_no_other_beats_in_both() -> None:
    assert front([SLOW, WORSE, LATE, FAST]) == [FAST, SLOW]


def test_own_models_are_circles_and_peers_diamonds() -> None:
    models = [FAST, SLOW, WORSE, LATE]
    drawn = accuracy_against_time(
        models, (640, 440), title="A title", timed="inference", y_title="accuracy"
    )
    elements = list(ET.fromstring(drawn).iter())
    kinds = [element.get("class") for element in elements]
    assert (kinds.count("best"), kinds.count("other")) == (2, 2)
    (line,) = [element for element in elements if element.get("class") == "curve"]
    assert len(line.attrib["points"].split()) == 2
    assert "fast: accuracy 0.600, inference 10.0 ms" in drawn
    assert "inference in ms (logarithmic)" in drawn
