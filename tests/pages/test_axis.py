"""Axes: every value has its place, and their ticks are round numbers on them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.pages.axis import Axis, number

POSITIVE = st.floats(min_value=1e-9, max_value=1e9)


@given(values=st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3)), min_size=1))
def test_a_linear_axis_holds_its_values_and_has_few_round_ticks(
    values: list[float],
) -> None:
    axis = Axis.over(values).rounded()
    assert all(-1e-9 <= axis.share(value) <= 1 + 1e-9 for value in values)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 8
    assert axis.share(ticks[0]) == pytest.approx(0, abs=1e-6)
    assert axis.share(ticks[-1]) == pytest.approx(1)


@given(values=st.lists(POSITIVE, min_size=1))
def test_a_logarithmic_axis_holds_its_values_and_has_few_ticks(
    values: list[float],
) -> None:
    axis = Axis.over(values, log=True).rounded()
    assert all(axis.shows(value) and 0 <= axis.share(value) <= 1 for value in values)
    assert len(axis.ticks()) <= 9 and all(map(axis.shows, axis.ticks()))


def test_a_factor_is_the_same_way_everywhere_on_a_logarithmic_axis() -> None:
    axis = Axis(1e-5, 1.0, log=True)
    assert axis.share(1e-4) == pytest.approx(0.2)
    assert axis.share(1e-2) - axis.share(1e-3) == pytest.approx(0.2)
    assert axis.ticks() == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1])


def test_ticks_are_whole_where_only_whole_numbers_make_sense() -> None:
    assert Axis(1, 3).ticks(whole=True) == [1, 2, 3]
    assert Axis(1, 3).ticks() == pytest.approx([1, 1.5, 2, 2.5, 3])
    assert Axis.over([1.0]).ticks(whole=True) == [1]


def test_a_short_logarithmic_axis_has_ticks_between_the_powers() -> None:
    assert Axis(0.9, 12, log=True).ticks() == pytest.approx([1, 3, 10])
    assert len(Axis(2.1, 5.2, log=True).ticks()) > 2


@pytest.mark.parametrize("log", [False, True])
def test_values_that_cannot_be_shown_make_no_axis_longer(log: bool) -> None:
    odd = [math.nan, math.inf, -math.inf] + [0.0, -1.0] * log
    assert Axis.over([2.0, *odd, 8.0], log) == Axis(2.0, 8.0, log)
    axis = Axis.over(odd, log)
    assert axis.low < axis.high


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (38123.4, "38,123"),
        (12.3456, "12.35"),
        (0.004, "0.004"),
        (0.00012, "0.00012"),
        (0.000099, "9.9×10⁻⁵"),
        (1e-5, "10⁻⁵"),
        (-2.5e-7, "-2.5×10⁻⁷"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert number(value) == text
