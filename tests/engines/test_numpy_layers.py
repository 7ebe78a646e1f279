"""The NumPy layers one by one."""

import math
import warnings

import numpy as np
import pytest

from headline.engines.base import Floats
from headline.engines.numpy_layers import (
    LOWEST,
    Cell,
    Matches,
    bidirectional_lstm,
    exact_sigmoid,
    log_softmax,
    norm,
    softmax,
)
from headline.network.weights import Weights


def random(*shape: int) -> Floats:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def test_lstms_from_both_ends_match_one_unit_at_a_time() -> None:
    names = ("kernel", (3, 8)), ("recurrent_kernel", (2, 8)), ("bias", (8,))
    weights = {
        f"{side}/lstm_cell/{name}": random(*shape) * scale
        for side, scale in (("forward", 1), ("backward", -0.7))
        for name, shape in names
    }
    lengths, values = [4, 2, 1], random(4, 3, 3)
    mask = np.arange(4)[:, None] < np.array(lengths)

    cells = (Cell.of(weights, side) for side in ("forward", "backward"))
    outputs = bidirectional_lstm(values, mask, *cells)

    for row, length in enumerate(lengths):
        assert not outputs[length:, row].any()
        real = values[:length, row]
        forward = one_lstm(real, weights, "forward")
        backward = one_lstm(real[::-1], weights, "backward")[::-1]
        expected = np.hstack([forward, backward])
        np.testing.assert_allclose(
            outputs[:length, row], expected, rtol=1e-4, atol=1e-6
        )


def one_lstm(values: Floats, weights: Weights, name: str) -> Floats:
    kernel, recurrent, bias = (
        weights[f"{name}/lstm_cell/{each}"]
        for each in ("kernel", "recurrent_kernel", "bias")
    )
    hidden, cell, outputs = np.zeros(2), np.zeros(2), []
    for value in values:
        i, f, c, o = np.split(value @ kernel + hidden @ recurrent + bias, 4)
        cell = plain_sigmoid(f) * cell + plain_sigmoid(i) * np.tanh(c)
        hidden = plain_sigmoid(o) * np.tanh(cell)
        outputs.append(hidden)
    return np.array(outputs)


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


def test_features_tell_how_long_a_run_is_and_what_is_written() -> None:
    copy_ids = np.array([[5, 6, 5, 6, 7, 0]], np.int32)
    matches = Matches.none(copy_ids)
    for token in (5, 6):
        matches = matches.extended(np.array([token], np.int32), copy_ids, 2)
    # 5 6 has been written: position 2 follows both, and so does position 4.
    assert matches.run.tolist() == [[0, 0, 2, 0, 2, 0]]
    assert matches.written.tolist() == [[True, True, True, True, False, False]]
    assert matches.features(2).tolist() == [
        [[0, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0], [1, 1, 1, 1, 0, 0]]
    ]
