"""The pick of the best tokens."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.base import IMPOSSIBLE
from headline.engines.numpy.candidates import (
    BELOW_ANY,
    best_columns,
    ranked,
    top_columns,
)
from headline.text.ids import EOS, PAD, Ids


def test_ranked_ids_are_sorted_and_ties_are_in_the_order_of_ids() -> None:
    probs = np.array([[0.5, 0.25, BELOW_ANY, 0.25, 0.125]], np.float32)
    ids = np.array([[4, 9, 5, 6, 7]], np.int32)

    log_probs, found = ranked(probs, ids, 6)

    assert found[0, :4].tolist() == [4, 6, 9, 7]
    np.testing.assert_allclose(np.exp(log_probs[0, :4]), [0.5, 0.25, 0.25, 0.125])
    assert (log_probs[0, 4:] == IMPOSSIBLE).all() and log_probs.shape == (1, 6)


@given(st.integers(1, 12), st.integers(12, 700), st.integers(0, 99))
def test_top_columns_are_the_greatest(most: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).permuted(
        np.tile(np.arange(columns, dtype=np.float32), (5, 1)), axis=1
    )

    found = top_columns(values, most)

    best: Ids = np.sort(np.take_along_axis(values, found, axis=1), axis=1)
    assert best.tolist() == [list(range(columns - most, columns))] * 5


def test_without_a_pointer_the_best_are_sorted_and_the_end_is_apart() -> None:
    log_probs = np.array([[9, 9, 9, -4, 1, 3, 3, 2]], np.float32)
    wanted = np.array([[4, PAD, 50]], np.int32)

    values, ids = best_columns(log_probs, 3, wanted)

    assert ids.tolist() == [[EOS, 5, 6, 7, 4, PAD, 50]]
    assert values.tolist() == [[-4, 3, 3, 2, 1, IMPOSSIBLE, IMPOSSIBLE]]


def test_without_a_pointer_too_few_are_filled_up() -> None:
    values, _ = best_columns(np.zeros((2, 6), np.float32), 5, None)

    assert values.shape == (2, 6)
    assert (values[:, 3:] == IMPOSSIBLE).all() and (values[:, :3] == 0).all()
