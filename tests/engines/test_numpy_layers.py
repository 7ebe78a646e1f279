"""The NumPy layers one by one, and the pick of the best tokens."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.engines.base import IMPOSSIBLE, Floats
from headline.engines.numpy_layers import (
    CopyPlan,
    Matches,
    best_columns,
    exact_sigmoid,
    log_softmax,
    lstm_loop,
    norm,
    sigmoid,
    softmax,
)
from headline.tokenizer import EOS

V = 10


def random(*shape: int) -> Floats:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def test_copy_plan_lays_out_the_drawn_example() -> None:
    plan = CopyPlan.of(np.array([[7, 12, 7, 15]], np.int32), V)
    assert plan.columns.tolist() == [[7, 10, 11]]
    assert plan.places.tolist() == [[0, 1, 0, 2]]
    assert plan.own_ids.tolist() == [[12, 15]]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(4, 16), min_size=1, max_size=6), min_size=1))
def test_copy_plan_sums_the_weights_of_equal_tokens(articles: list[list[int]]) -> None:
    length = max(map(len, articles))
    copy_ids = np.array([row + [0] * (length - len(row)) for row in articles], np.int32)
    plan = CopyPlan.of(copy_ids, V)
    probs = np.zeros((len(articles), 2, V + plan.own_ids.shape[1]), np.float32)
    copy = random(len(articles), 2, length) * (copy_ids > 0)[:, None, :]

    plan.add(probs, copy)

    every_column = np.tile(np.arange(probs.shape[2], dtype=np.int32), (len(probs), 1))
    ids = plan.ids(every_column, V)
    for article, beam in np.ndindex(*probs.shape[:2]):
        for column in np.flatnonzero(probs[article, beam]):
            places = copy_ids[article] == ids[article, column]
            expected = copy[article, beam, places].sum()
            assert probs[article, beam, column] == pytest.approx(expected, abs=1e-6)
        total = copy[article, beam].sum()
        assert probs[article, beam].sum() == pytest.approx(total, abs=1e-5)


def test_best_columns_are_sorted_ties_by_column_and_end_is_apart() -> None:
    scores = np.array([[9, 9, 9, -4, 1, 3, 3, 2]], np.float32)
    values, columns = best_columns(scores, 3)
    assert columns.tolist() == [[EOS, 5, 6, 7]]
    assert values.tolist() == [[-4, 3, 3, 2]]


def test_best_columns_pads_where_there_are_too_few() -> None:
    values, _ = best_columns(np.zeros((2, 6), np.float32), 5)
    assert values.shape == (2, 6)
    assert (values[:, 3:] == IMPOSSIBLE).all() and (values[:, :3] == 0).all()


def test_lstm_loop_matches_one_unit_at_a_time() -> None:
    inputs, kernels = random(2, 3, 4, 8), random(2, 2, 8)
    outputs = lstm_loop(inputs, kernels)
    for direction, row in np.ndindex(2, 4):
        hidden, cell = np.zeros(2), np.zeros(2)
        for step in range(3):
            gates = inputs[direction, step, row] + hidden @ kernels[direction]
            i, f, c, o = np.split(gates, 4)
            cell = plain_sigmoid(f) * cell + plain_sigmoid(i) * np.tanh(c)
            hidden = plain_sigmoid(o) * np.tanh(cell)
            found = outputs[direction, step, row]
            np.testing.assert_allclose(found, hidden, rtol=1e-4, atol=1e-6)


def plain_sigmoid(values: np.ndarray) -> np.ndarray:
    return np.array([1 / (1 + math.exp(-value)) for value in values])


def test_sigmoids_are_exact_and_silent_far_out() -> None:
    values = np.array([-1e4, -20, -3, 0, 3, 20, 1e4], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick, exact = sigmoid(values), exact_sigmoid(values)
    expected = plain_sigmoid(np.clip(values, -80, 80))
    np.testing.assert_allclose(quick, expected, atol=1e-6)
    np.testing.assert_allclose(exact, expected, rtol=1e-5)  # the tiny ones as well


def test_softmax_and_its_logarithm_agree_and_stand_any_size() -> None:
    scores = random(3, 5) * 100 + 1e4
    np.testing.assert_allclose(softmax(scores).sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_softmax(scores)), softmax(scores), rtol=1e-4)


def test_norm_has_mean_0_and_variance_1() -> None:
    normed = norm(random(4, 64) * 5 + 3)
    np.testing.assert_allclose(normed.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(normed.var(-1), 1, rtol=1e-3)


def test_a_bonus_is_the_sum_of_the_weights_of_the_features_that_hold() -> None:
    copy_ids = np.array([[5, 6, 5, 6, 7, 0]], np.int32)
    matches = Matches.none(copy_ids)
    for token in (5, 6):
        matches = matches.extended(np.array([token], np.int32), copy_ids, 2)
    # 5 6 has been written: position 2 follows both, and so does position 4.
    assert matches.run.tolist() == [[0, 0, 2, 0, 2, 0]]
    assert matches.written.tolist() == [[True, True, True, True, False, False]]
    once, twice, written = weights = np.array([0.25, 2.0, -8.0], np.float32)
    bonus = matches.bonus(weights[None])
    both = once + twice
    assert bonus.tolist() == [[written, written, both + written, written, both, 0]]
    by_head = np.stack([weights[None], 2 * weights[None]])
    np.testing.assert_array_equal(matches.bonus(by_head), [bonus, 2 * bonus])
