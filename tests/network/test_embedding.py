"""The embeddings of pairs, and what a training leaves out of them."""

import numpy as np
import pytest

from headline.network.embedding import BigramEmbedding
from tests.models import array


def test_a_bigram_embedding_knows_both_neighbours_and_nothing_further() -> None:
    layer = BigramEmbedding(64, 4)
    layer.build((None, None))
    layer.pairs.set_weights([np.random.default_rng(1).normal(size=(64, 4))])
    ids = np.array([[5, 6, 7, 8, 9]], np.int32)
    before = np.asarray(layer(ids))
    ids[0, 1] = 20
    after = np.asarray(layer(ids))
    assert [bool((before[0, n] != after[0, n]).any()) for n in range(5)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    # Padding behind a row is what its end is followed by anyway.
    padded = np.pad(ids, ((0, 0), (0, 2)))
    np.testing.assert_allclose(np.asarray(layer(padded))[:, :5], after)


def test_bigram_dropout_leaves_whole_pairs_out_in_a_training_alone() -> None:
    layer = BigramEmbedding(64, 4, dropout=0.25)
    layer.build((None, None))
    layer.pairs.set_weights([np.ones((64, 4))])
    ids = np.zeros((50, 40), np.int32)

    dropped, again = (array(layer(ids, strength=1.0)) for _ in range(2))

    # What is left counts more, so that the sum is as large on average.
    kept = dropped * 0.75
    assert set(np.unique(kept)) == {0.0, 1.0, 2.0}
    assert (kept == kept[..., :1]).all()
    assert kept.mean() == pytest.approx(2 * 0.75, abs=0.05)
    assert (dropped != again).any()
    np.testing.assert_array_equal(array(layer(ids)), np.full((50, 40, 4), 2.0))
