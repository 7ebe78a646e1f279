"""The figures of the confidence against slow definitions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.evaluation.confidence import (
    BINS,
    SUREST,
    auroc,
    calibration_error,
    confidence_scores,
    reliability,
    surest_mean,
)

PAIRS = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=30)


@given(pairs=PAIRS)
def test_auroc_is_the_share_of_pairs_in_the_right_order(
    pairs: list[tuple[int, bool]],
) -> None:
    scores, good = (np.array(side) for side in zip(*pairs, strict=True))
    wins = [
        (one > other) + (one == other) / 2
        for one, is_good in pairs
        for other, also in pairs
        if is_good and not also
    ]
    found = auroc(scores.astype(float), good)
    if not wins:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(np.mean(wins))


def test_bins_hold_equally_many_by_rising_confidence() -> None:
    rng = np.random.default_rng(2)
    chances, good = rng.uniform(0, 100, 100), rng.random(100) < 0.5
    bins = reliability(chances, good)
    assert len(bins) == BINS and {one.headlines for one in bins} == {6, 7}
    assert sum(one.headlines for one in bins) == 100
    assert sum(one.headlines * one.good for one in bins) == pytest.approx(
        100 * good.sum()
    )
    means = [one.confidence for one in bins]
    assert means == sorted(means)


def test_the_calibration_error_is_the_gap_between_both() -> None:
    good = np.arange(600) % 4 != 0  # three quarters of each bin
    exact = reliability(np.full(600, 75.0), good)
    assert calibration_error(exact) == pytest.approx(0)
    # It may not matter whether the confidence is too high or too low.
    for chance in (85.0, 65.0):
        bins = reliability(np.full(600, chance), good)
        assert calibration_error(bins) == pytest.approx(0.1)
    both = np.where(np.arange(600) < 300, 65.0, 85.0)
    assert calibration_error(reliability(both, good)) == pytest.approx(0.1, abs=0.01)


def test_a_calibrated_confidence_has_little_error_by_chance_alone() -> None:
    rng = np.random.default_rng(3)
    chances = rng.uniform(0, 100, 30_000)
    good = rng.uniform(0, 100, 30_000) < chances
    assert calibration_error(reliability(chances, good)) < 0.015
    wrong = 100 - chances
    assert calibration_error(reliability(wrong, good)) > 0.4


def test_the_surest_headlines_count() -> None:
    chances = np.array([10.0, 90, 50, 70])
    scores = np.array([1.0, 4, 2, 3])
    assert surest_mean(chances, scores, 25) == 4
    assert surest_mean(chances, scores, 50) == 3.5
    assert surest_mean(chances, scores, 100) == 2.5
    assert surest_mean(chances, scores, 1) == 4  # at least one


@given(pairs=PAIRS)
def test_the_figures_are_ready_for_json(pairs: list[tuple[int, bool]]) -> None:
    chances = [10.0 * chance for chance, _ in pairs]
    rouge_l = [80.0 if good else 20.0 for _, good in pairs]
    found = confidence_scores(chances, rouge_l, 50.0)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["coverage"].keys() == {str(share) for share in SUREST}
    assert told["coverage"]["100"] == pytest.approx(np.mean(rouge_l), abs=0.01)
    assert told["good"] == pytest.approx(
        100 * np.mean([good for _, good in pairs]), abs=0.01
    )
    assert (told["auroc"] is None) == (len(set(rouge_l)) == 1)
    share, mean = found.curve[-1]
    assert share == 100 and mean == pytest.approx(np.mean(rouge_l))


def test_a_headline_at_the_bound_is_good() -> None:
    assert confidence_scores([50.0, 50.0], [50.0, 49.9], 50.0).good == 50
