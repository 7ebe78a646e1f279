"""The range test: its rates, where it stops, what it proposes, its page."""

import math
import re
from itertools import pairwise

import pytest

from headline.errors import TrainingError
from headline.training.find_lr import (
    HIGHEST,
    LOWEST,
    UPDATES,
    Curve,
    find_lr_page,
    rate_at,
)
from tests.markup import parse


def bowl(lowest: float, floor: float = 2.0) -> Curve:
    """A curve with the lowest loss at a rate, and a slope on both sides of it."""
    curve = Curve()
    going = True
    while going:
        way = math.log10(rate_at(len(curve.losses)) / lowest)
        going = curve.add(floor + (abs(way) if way < 0 else 8 * way))
    return curve


def test_rates_rise_by_the_same_factor_from_end_to_end() -> None:
    rates = [rate_at(update) for update in range(UPDATES)]
    assert rates[0] == LOWEST and rates[-1] == pytest.approx(HIGHEST)
    factors = {round(b / a, 9) for a, b in pairwise(rates)}
    assert len(factors) == 1


def test_the_smoothed_loss_of_a_level_curve_is_its_level_from_the_start() -> None:
    curve = Curve()
    for _ in range(5):
        curve.add(3.0)
    assert curve.smoothed == pytest.approx([3.0] * 5)


@pytest.mark.parametrize("lowest", [1e-3, 1e-2])
def test_the_proposal_is_a_tenth_of_where_the_smoothed_loss_is_lowest(
    lowest: float,
) -> None:
    curve = bowl(lowest)
    best = min(range(len(curve.smoothed)), key=curve.smoothed.__getitem__)
    assert curve.proposal == pytest.approx(curve.rates[best] / 10, rel=0.05)
    # The moving mean comes a little late, never early.
    assert lowest / 10 <= curve.proposal < 3 * lowest / 10


def test_the_test_stops_when_the_loss_explodes_or_is_no_number() -> None:
    curve = bowl(1e-3)
    assert len(curve.losses) < UPDATES
    assert curve.smoothed[-1] > 4 * min(curve.smoothed)
    assert curve.smoothed[-2] <= 4 * min(curve.smoothed)
    for odd in (math.nan, math.inf):
        curve = Curve()
        assert curve.add(3.0) and curve.add(2.0) and not curve.add(odd)
        assert curve.best == 1


def test_the_test_stops_at_the_highest_rate() -> None:
    curve = Curve()
    assert [curve.add(1.0) for _ in range(UPDATES)] == [True] * (UPDATES - 1) + [False]


@pytest.mark.parametrize("losses", [[math.nan], [2.0, 9.0, 99.0]])
def test_where_the_loss_never_falls_nothing_is_proposed(losses: list[float]) -> None:
    curve = Curve()
    for loss in losses:
        curve.add(loss)
    with pytest.raises(TrainingError, match=r"no rate.*--learning-rate"):
        print(curve.proposal)


def test_the_page_shows_the_proposal_and_needs_nothing_from_elsewhere() -> None:
    curve = bowl(1e-2)
    page = find_lr_page(curve, {"preset": "<script>"})
    tags = parse(page)
    assert f"{curve.proposal:g}" in tags.text and not tags.links
    assert "script" not in tags.seen and "<script>" in tags.text
    (mark,) = tags.of("line", "mark")
    places = re.findall(r'class="lines" d="M(\S+) ', page)
    assert float(mark["x1"]) > float(places[0])


def test_the_exploded_end_is_left_out_so_that_the_rest_can_be_seen() -> None:
    curve = bowl(1e-2)
    highest = 1.2 * max(curve.losses[: curve.best + 1])
    assert max(curve.losses) > highest
    lines = re.findall(r'class="lines" d="([^"]*)"', find_lr_page(curve, {}))
    shown = sum(loss <= highest for loss in curve.losses)
    assert lines[1].count("L") + lines[1].count("M") == shown
