"""Charts stay inside their view box, have the right numbers, and are escaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasoa.records import CurvePoint, Experience
from nasoa.report.charts import confusion_matrix, learning_curve, predicted_against_reached

numbers = st.floats(0, 10**6)
points = st.builds(
    CurvePoint,
    iteration=st.integers(0, 10**6),
    elapsed_s=numbers,
    train_loss=st.floats(0, 100),
    val_accuracy=st.floats(0, 1),
)


def point(elapsed_s: float, val_accuracy: float) -> CurvePoint:
    return CurvePoint(iteration=1, elapsed_s=elapsed_s, train_loss=1.0, val_accuracy=val_accuracy)


def dots(svg: str) -> list[ET.Element]:
    return [e for e in ET.fromstring(svg).iter() if e.get("class") in ("dot", "best")]


def check_inside(svg: str) -> None:
    """Check that coordinates are inside the view box, and that there is text for screen readers."""
    root = ET.fromstring(svg)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, top) == (0, 0)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in ("x", "x1", "x2", "cx"):
                assert 0 <= float(value) <= width
            if name in ("y", "y1", "y2", "cy"):
                assert 0 <= float(value) <= height
    assert root.findtext("title")
    assert root.findtext("desc")
    assert not re.search(r"\b(nan|inf|None)\b", svg)


@given(st.lists(points, max_size=8), st.floats(0, 10**6))
def test_a_curve_stays_inside_its_chart(curve: list[CurvePoint], limit_s: float) -> None:
    svg = learning_curve(curve, limit_s)
    check_inside(svg)
    assert len(dots(svg)) == len(curve)


@given(st.floats(1e-3, 10**6))
def test_ticks_are_few_ascending_and_reach_far(limit_s: float) -> None:
    root = ET.fromstring(learning_curve([], limit_s))
    bottom = str(max(float(e.attrib["y"]) for e in root.iter("text") if e.text == "0"))
    row = [e for e in root.iter("text") if float(e.attrib["y"]) == float(bottom)]
    places = [float(e.attrib["x"]) for e in row]
    values = [float(e.text or "") for e in row]
    assert 3 <= len(places) <= 6
    assert places == sorted(set(places))
    assert values == sorted(set(values))
    # The last tick is past the middle of the axis.
    assert places[-1] > 180


@pytest.mark.parametrize(
    ("limit_s", "said"), [(20.0, "20 seconds"), (600.0, "10 minutes"), (86400.0, "24 hours")]
)
def test_a_limit_is_told_in_a_unit_that_reads_well(limit_s: float, said: str) -> None:
    assert f">limit {said}<" in learning_curve([], limit_s)


def test_the_best_validation_is_marked() -> None:
    svg = learning_curve([point(5, 0.5), point(10, 0.875), point(15, 0.75)], 20)
    assert "best 0.875 after 10 seconds" in svg
    (best,) = [e for e in dots(svg) if e.get("class") == "best"]
    assert best.get("cy") == min((e.attrib["cy"] for e in dots(svg)), key=float)


def test_the_limit_is_where_it_was_passed() -> None:
    svg = learning_curve([point(10, 0.5), point(40, 0.75)], 20)
    (limit,) = [e for e in ET.fromstring(svg).iter() if e.get("class") == "limit"]
    first, last = (float(e.attrib["cx"]) for e in dots(svg))
    # At 20 of 40 s: one third of the way between the dots at 10 and 40 s.
    assert float(limit.attrib["x1"]) == pytest.approx(first + (last - first) / 3, abs=0.2)


def test_a_curve_leaves_out_what_is_no_number() -> None:
    svg = learning_curve([point(5, 0.5), point(10, float("nan")), point(float("inf"), 0.9)], 20)
    check_inside(svg)
    assert len(dots(svg)) == 1


def test_no_validation_is_said() -> None:
    assert "no validation" in learning_curve([], 20)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=6))
def test_a_scatter_stays_inside_its_chart(
    make_experience: Callable[..., Experience], pairs: list[tuple[float, float]]
) -> None:
    svg = predicted_against_reached([make_experience(predicted=p, reached=r) for p, r in pairs])
    check_inside(svg)
    assert len(dots(svg)) == len(pairs)


@pytest.mark.parametrize(("predicted", "reached"), [(0.2, 0.7), (0.7, 0.2), (0.6, 0.6)])
def test_a_dot_is_above_the_diagonal_where_more_was_reached(
    make_experience: Callable[..., Experience], predicted: float, reached: float
) -> None:
    svg = predicted_against_reached([make_experience(predicted=predicted, reached=reached)])
    (dot,) = dots(svg)
    (line,) = [e for e in ET.fromstring(svg).iter() if e.get("class") == "diagonal"]
    x1, y1, x2, y2 = (float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
    there = y1 + (float(dot.attrib["cx"]) - x1) / (x2 - x1) * (y2 - y1)
    above = there - float(dot.attrib["cy"])
    assert above == pytest.approx((reached - predicted) * (y1 - y2), abs=0.2)


def test_a_scatter_names_the_worst_prediction(
    make_experience: Callable[..., Experience], evil: str
) -> None:
    near = make_experience("near", predicted=0.5, reached=0.6)
    svg = predicted_against_reached([near, make_experience(evil, predicted=0.2, reached=0.9)])
    (named,) = [e for e in ET.fromstring(svg).iter("text") if e.get("class") == "mark"]
    assert named.text is not None
    assert named.text.startswith("<script>alert('x')")
    assert "2 tasks; predictions were off by 0.400 on average, 0.700 at most" in svg


def test_a_scatter_of_nothing_says_so() -> None:
    assert "no fine-tunes yet" in predicted_against_reached([])


def test_a_confusion_matrix_counts(evil: str) -> None:
    table = confusion_matrix([[3, 1], [0, 5]], ["cat", evil])
    assert re.findall(r">(\d*)</td>", table) == ["3", "1", "", "5"]
    assert re.findall(r"\d+ % of \d+", table) == ["75 % of 4", "100 % of 5"]
    assert "<script" not in table
    assert "classes with the most mistakes" not in table


def test_the_deeper_colour_has_the_larger_share() -> None:
    table = confusion_matrix([[2, 8], [0, 5]], ["cat", "dog"])
    wrong, right = r"206, 92, 24, (\S+)\)", r"36, 89, 196, (\S+)\)"
    assert [float(depth) for depth in re.findall(right, table)] == [0.11, 0.55]
    assert [float(depth) for depth in re.findall(wrong, table)] == [0.44]


def test_many_classes_come_down_to_the_most_mistaken() -> None:
    """Class 30 is predicted for images of class 7: both are shown, and every image is counted."""
    n = 45
    confusion = [[10 if i == j else 0 for j in range(n)] for i in range(n)]
    confusion[7][30] = 8
    confusion[7][44] = 3
    confusion[44][0] = 2
    for i in range(10, 27):
        confusion[i][i - 1] = 1
    table = confusion_matrix(confusion, [f"class-{i}" for i in range(n)])
    shown = re.findall(r'<th scope="row" title="class-(\d+)"', table)
    assert len(shown) == 20
    assert {"7", "30", "44"} <= set(shown)
    assert shown == sorted(shown, key=int)
    assert "the 20 of 45 classes with the most mistakes" in table
    for row in re.findall(r"<tr><th scope=\"row\".*?</tr>", table):
        counts = sum(int(count) for count in re.findall(r">(\d+)</td>", row))
        (total,) = re.findall(r"% of (\d+)", row)
        assert counts == int(total)


def test_a_class_without_test_images_is_said() -> None:
    assert "no images" in confusion_matrix([[2, 0], [0, 0]], ["cat", "dog"])


def test_no_classified_images_are_said() -> None:
    assert "No test images were classified" in confusion_matrix([], [])
