"""The functions that the parts of the NumPy engine share, one by one."""

import math
import warnings

import numpy as np
import pytest

from headline.engines.base import TINY, Floats
from headline.engines.numpy.layers import (
    LOWEST,
    exact_sigmoid,
    finite_log,
    log_softmax,
    norm,
    softmax,
)


def random(*shape: int) -> Floats:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def plain_sigmoid(values: np.ndarray) -> np.ndarray:
    return np.array([1 / (1 + math.exp(-value)) for value in values])


def test_exact_sigmoid_is_exact_and_silent_far_out() -> None:
    values = np.array([-1e4, -20, -3, 0, 3, 20, 1e4], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = exact_sigmoid(values)
    expected = plain_sigmoid(np.clip(values, -80, 80))
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # the tiny ones as well


def test_softmax_and_its_logarithm_agree_and_stand_any_size() -> None:
    scores = random(3, 5) * 100 + 1e4
    np.testing.assert_allclose(softmax(scores).sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_softmax(scores)), softmax(scores), rtol=1e-4)


@pytest.mark.parametrize("gap", [0, 30, 60, 1e4])
def test_a_row_far_below_another_of_its_matrix_has_a_softmax_of_its_own(
    gap: float,
) -> None:
    scores = random(2, 3, 4, 6)
    scores[:, :, 1] -= gap
    scores[..., 4:] = LOWEST
    exact = np.exp(scores.astype(np.float64))
    exact[:, :, 1] = np.exp(scores[:, :, 1].astype(np.float64) + gap)
    exact[..., 4:] = 0
    exact /= exact.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(softmax(scores), exact, rtol=1e-5)


def test_norm_has_mean_0_and_variance_1() -> None:
    normed = norm(random(4, 64) * 5 + 3)
    np.testing.assert_allclose(normed.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(normed.var(-1), 1, rtol=1e-3)


def test_a_probability_of_0_has_the_logarithm_of_the_least() -> None:
    found = finite_log(np.array([0.5, 0, TINY], np.float32))
    np.testing.assert_allclose(found, np.log([0.5, 1e-38, 1e-38]), rtol=1e-5)
