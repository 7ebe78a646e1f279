"""Charts: the shapes stand where the values are, and no text becomes a tag."""

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from headline.pages.chart import (
    BOTTOM,
    LEFT,
    MOST_POINTS,
    RIGHT,
    TOP,
    Chart,
    Picture,
    bar_chart,
    line_chart,
)
from headline.pages.rendering import fill
from tests.markup import parse


def drawn(picture: Picture) -> str:
    return fill("chart.html", picture=picture)


def points(picture: Picture) -> list[list[tuple[float, float]]]:
    """The points of each line."""
    lines = re.findall(r'class="lines" d="([^"]*)"', drawn(picture))
    return [
        [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+) ([^ML]+)", line)]
        for line in lines
    ]


def test_a_line_goes_through_its_values() -> None:
    lines = {"score": [1.0, 3.0, 2.0]}
    ((first, highest, last),) = points(
        line_chart(Chart(title="t", xs=[1, 2, 4], lines=lines))
    )
    assert first == (LEFT, BOTTOM) and highest[1] == TOP  # SVG counts from the top
    assert highest[0] == pytest.approx(LEFT + (RIGHT - LEFT) / 3, abs=0.1)
    assert last == (RIGHT, (TOP + BOTTOM) / 2)


def test_logarithmic_axes_put_a_factor_at_the_same_distance() -> None:
    chart = Chart(
        title="t",
        xs=[1e-5, 1e-3, 1e-1],
        lines={"a": [1.0, 10.0, 100.0]},
        x_log=True,
        y_log=True,
    )
    ((a, b, c),) = points(line_chart(chart))
    for axis in (0, 1):
        assert b[axis] - a[axis] == pytest.approx(c[axis] - b[axis], abs=0.2)


def test_what_cannot_be_shown_interrupts_a_line() -> None:
    values = [2.0, math.nan, 4.0, math.inf, 3.0]
    picture = line_chart(Chart(title="t", xs=range(5), lines={"a": values}))
    (line,) = points(picture)
    (path,) = re.findall(r'class="lines" d="([^"]*)"', drawn(picture))
    assert len(line) == 3 and path.count("M") == 3


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [math.nan], [0.0]])
@pytest.mark.parametrize("log", [False, True])
def test_a_line_without_a_range_is_drawn_all_the_same(
    values: list[float], log: bool
) -> None:
    chart = Chart(title="t", xs=range(len(values)), lines={"a": values}, y_log=log)
    assert {"figure", "svg", "path"} <= parse(drawn(line_chart(chart))).seen


def test_what_is_pointed_at_tells_its_values_in_its_own_reach() -> None:
    lines = {"valid": [1.5, 2.5], "train": [1.25, 38123.0]}
    tags = parse(drawn(line_chart(Chart(title="t", xs=[1, 2], lines=lines))))
    assert "epoch 1valid 1.5train 1.25" in tags.text
    assert "epoch 2valid 2.5train 38,123" in tags.text
    reaches = [(float(rect["x"]), float(rect["width"])) for rect in tags.of("rect")]
    half = (RIGHT - LEFT) / 2
    assert reaches == [(LEFT, half), (LEFT + half, half)]


def test_a_mark_stands_at_its_x_and_outside_the_range_nowhere() -> None:
    chart = Chart(title="t", xs=[1.0, 3.0], lines={"a": [1.0, 2.0]}, mark=2.0)
    (mark,) = parse(drawn(line_chart(chart))).of("line", "mark")
    assert float(mark["x1"]) == float(mark["x2"]) == (LEFT + RIGHT) / 2
    outside = line_chart(replace(chart, mark=9.0))
    assert not parse(drawn(outside)).of("line", "mark")


def test_of_many_points_some_are_drawn_with_the_first_and_the_last() -> None:
    values = [float(x) for x in range(1001)]
    (line,) = points(line_chart(Chart(title="t", xs=values, lines={"a": values})))
    assert len(line) == MOST_POINTS
    assert line[0] == (LEFT, BOTTOM) and line[-1] == (RIGHT, TOP)


def test_bars_are_as_high_as_their_values_and_overlap_nowhere() -> None:
    picture = bar_chart("t", ["7", "8"], {"model": [2, 4], "references": [0, 3]}, "x")
    tags = parse(drawn(picture))
    bars = tags.of("rect", "bar")
    heights = [float(bar["height"]) for bar in bars]
    full = BOTTOM - TOP
    assert heights == pytest.approx([full / 2, full, 0, full * 3 / 4], abs=0.1)
    spans = sorted((float(bar["x"]), float(bar["width"])) for bar in bars)
    for (x, width), (following, _) in pairwise(spans):
        assert x + width <= following + 0.11
    assert "8 xmodel 4references 3" in tags.text


def test_names_and_titles_never_become_tags() -> None:
    hostile = "<script>'\"&"
    pictures = [
        line_chart(Chart(title=hostile, xs=[1], lines={hostile: [1.0], "b": [2.0]})),
        bar_chart(hostile, [hostile], {hostile: [1.0], "b": [2.0]}, hostile),
    ]
    for picture in pictures:
        tags = parse(drawn(picture))
        assert "script" not in tags.seen and hostile in tags.text
        assert tags.of("svg")[0]["aria-label"] == hostile


def test_a_single_line_needs_no_key() -> None:
    one = {"a": [1.0]}
    alone = line_chart(Chart(title="t", xs=[1], lines=one))
    assert "ul" not in parse(drawn(alone)).seen
    both = one | {"b": [2.0]}
    tags = parse(drawn(line_chart(Chart(title="t", xs=[1], lines=both))))
    assert [item["class"] for item in tags.of("li")] == ["s0", "s1"]
