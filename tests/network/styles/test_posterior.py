"""The judge: Bayes' rule, orders, damage."""

from typing import Any

import numpy as np
import pytest

from headline.errors import BundleError
from headline.network.styles.posterior import StyleJudge, check_judge
from tests.network.styles.judges import FORMS, SPACE, random_judge

WIDTH = 8
FEATURES = np.random.default_rng(5).normal(size=(3, 2 * WIDTH)).astype(np.float32)


def test_prior_and_posterior_are_distributions() -> None:
    judge = random_judge()
    for log_probs in (judge.prior(FEATURES), judge.posterior(FORMS, FEATURES)):
        assert log_probs.shape == (3, 3)
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=1e-5)


def test_the_posterior_is_bayes_rule_with_gaussians_around_the_centres() -> None:
    judge = random_judge()
    latents = judge.latent(FORMS, FEATURES).astype(np.float64)
    prior = np.exp(judge.prior(FEATURES).astype(np.float64))
    likelihood = np.empty_like(prior)
    for row, style in np.ndindex(prior.shape):
        apart = latents[row] - judge.arrays["centres"][style]
        likelihood[row, style] = np.exp(-(apart**2).sum() / 2)
    expected = prior * likelihood
    expected /= expected.sum(axis=1, keepdims=True)
    found = np.exp(judge.posterior(FORMS, FEATURES))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)


def test_a_headline_is_judged_alone() -> None:
    judge = random_judge()
    together = judge.posterior(FORMS, FEATURES)
    for row in range(3):
        alone = judge.posterior(FORMS[row : row + 1], FEATURES[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-5)


def test_headline_and_article_both_matter() -> None:
    judge = random_judge()
    plain = judge.posterior(FORMS, FEATURES)
    assert (judge.posterior(FORMS[::-1], FEATURES) != plain).any(axis=1)[0]
    assert (judge.posterior(FORMS, FEATURES[::-1]) != plain).any(axis=1)[0]


def test_in_another_order_each_style_keeps_its_probabilities() -> None:
    judge, order = random_judge(), (2, 0, 1)
    other = judge.reordered(order)
    for one, now in (
        (judge.prior(FEATURES), other.prior(FEATURES)),
        (judge.posterior(FORMS, FEATURES), other.posterior(FORMS, FEATURES)),
    ):
        np.testing.assert_allclose(now, one[:, order], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("centres", None),
        ("prior/bias", None),
        ("prior/bias", np.zeros(2, np.float32)),
        ("prior/bias", np.zeros(3)),
        ("prior/bias", np.full(3, np.nan, np.float32)),
        ("article/scale", np.zeros(2 * WIDTH, np.float32)),
    ],
)
def test_a_damaged_judge_is_refused(name: str, array: Any) -> None:
    arrays = {**random_judge().arrays, name: array}
    arrays = {known: one for known, one in arrays.items() if one is not None}
    check_judge(random_judge(), WIDTH)
    with pytest.raises(BundleError, match=name.split("/")[0]):
        check_judge(StyleJudge(SPACE, arrays), WIDTH)
