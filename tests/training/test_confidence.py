"""The fit of the confidence: it finds what is there, and nothing that is not."""

import numpy as np
import pytest

from headline.errors import TrainingError
from headline.evaluation.confidence import auroc
from headline.generation.confidence import FEATURES, NUMBERS
from headline.network.confidence import logistic
from headline.training.confidence import (
    COMMON,
    FEWEST,
    Examples,
    _check_enough,
    crossed,
    fit,
)

WEIGHTS = np.zeros(len(FEATURES))
WEIGHTS[:3] = 1.2, -0.8, 0.5


def drawn(count: int, seed: int = 1, effect: float = 1.0) -> Examples:
    """Headlines whose chance of being good is a logistic function of features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, len(FEATURES)))
    chances = logistic(0.4 + effect * features @ WEIGHTS)
    good = rng.random(count) < chances
    rouge_l = np.where(good, 80.0, 20.0) + rng.normal(size=count)
    scale = rng.uniform(1, 5, size=len(FEATURES))  # units do not matter
    return Examples(
        7 + scale * features, rng.normal(size=(count, len(NUMBERS))), rouge_l
    )


def test_the_fit_finds_the_weights() -> None:
    model, _ = fit(drawn(20_000), 50.0)
    found = np.array(model.weights)
    np.testing.assert_allclose(found, WEIGHTS, atol=0.08)
    assert model.bias == pytest.approx(0.4, abs=0.08)
    assert model.names == FEATURES and model.good_rouge_l == 50


def test_it_holds_on_other_headlines() -> None:
    train, test = drawn(700), drawn(5000, seed=1)
    model, scores = fit(train, 50.0)
    chances = model.chances(test.features, test.numbers * 0)
    good = test.rouge_l >= 50
    assert auroc(chances, good) == pytest.approx(scores.auroc, abs=0.04)
    assert chances.mean() == pytest.approx(100 * good.mean(), abs=5)


def test_cross_fitting_finds_nothing_where_nothing_is() -> None:
    nothing = drawn(300, effect=0.0)
    good = (nothing.rouge_l >= 50).astype(float)
    log_odds = crossed(nothing.features, good, 1.0)
    assert auroc(log_odds, good > 0) < 0.58
    model, scores = fit(nothing, 50.0)
    assert scores.auroc < 0.62 and scores.ece < 0.15
    chances = model.chances(nothing.features, nothing.numbers)
    assert chances.std() < 12  # the ridge keeps what chance alone would fit small


def test_one_headline_in_twenty_is_unlike_the_others() -> None:
    found = drawn(2000)
    model, _ = fit(found, 50.0)
    unlike = model.likeness.are_unlike(found.numbers)
    assert unlike.mean() == pytest.approx(1 - COMMON / 100, abs=0.002)
    assert model.likeness.are_unlike(found.numbers + 9).all()


def test_a_feature_that_never_differs_has_no_effect() -> None:
    found = drawn(500)
    found.features[:, 4] = 3.0
    model, _ = fit(found, 50.0)
    moved = found.features + np.eye(len(FEATURES))[4] * 0.5
    np.testing.assert_array_equal(
        model.chances(moved, found.numbers),
        model.chances(found.features, found.numbers),
    )


@pytest.mark.parametrize(
    ("count", "good", "why"),
    [
        (FEWEST - 1, 20, "--valid-size"),
        (100, 3, "3 of 100 have a ROUGE-L of at least 50: give another --good-rouge-l"),
        (100, 97, "97 of 100"),
        (0, 0, "there are 0"),
    ],
)
def test_too_few_headlines_are_refused(count: int, good: int, why: str) -> None:
    rouge_l = np.where(np.arange(count) < good, 80.0, 20.0)
    found = Examples(np.zeros((count, 19)), np.zeros((count, 6)), rouge_l)
    with pytest.raises(TrainingError, match=why):
        _check_enough(found, 50.0)
