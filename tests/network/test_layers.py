"""Each custom layer against plain NumPy, one position at a time."""

import math

import keras
import numpy as np
import pytest

from headline.engines.base import Floats
from headline.network.dropout import Dropout, TokenDropout
from headline.network.layers import (
    BidirectionalLSTM,
    BigramEmbedding,
    ConditionalNorm,
    MultiHeadAttention,
    Pointer,
    SourcePrior,
    attention_bias,
    match_runs,
    next_match_runs,
)
from headline.text.ids import PAD
from tests.models import array

MASKS = pytest.mark.parametrize("lengths", [[5, 5], [5, 2], [1, 4]])
WIDTH = 6


def random(*shape: int, seed: int = 7) -> Floats:
    # The padding holds ordinary numbers too: zeros or huge ones can hide a leak.
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def mask_of(lengths: list[int]) -> np.ndarray:
    return np.arange(5) < np.array(lengths)[:, None]


@MASKS
def test_attention_matches_plain_numpy_and_ignores_padding(lengths: list[int]) -> None:
    layer = MultiHeadAttention(WIDTH, heads=2)
    query, states = random(2, 3, WIDTH), random(2, 5, WIDTH, seed=8)
    layer.build(query.shape)
    keys, values = layer.project(states)

    bias = attention_bias(mask_of(lengths), "float32")
    context = layer(query, keys=keys, values=values, bias=bias)

    expected = plain_attention(layer, query, states, lengths)
    np.testing.assert_allclose(array(context), expected, rtol=1e-4, atol=1e-5)


def plain_attention(
    layer: MultiHeadAttention, query: Floats, states: Floats, lengths: list[int]
) -> Floats:
    """One query and one head at a time, over the real positions alone."""
    kernels = [array(part.kernel) for part in (layer.query, layer.key, layer.value)]
    size = WIDTH // layer.heads
    context = np.empty_like(query)
    for row, step, head in np.ndindex(*query.shape[:2], layer.heads):
        part = slice(head * size, (head + 1) * size)
        real = states[row, : lengths[row]]
        q, k, v = query[row, step] @ kernels[0], real @ kernels[1], real @ kernels[2]
        scores = k[:, part] @ q[part] / math.sqrt(size)
        weights = np.exp(scores - scores.max())
        context[row, step, part] = weights @ v[:, part] / weights.sum()
    return context


@MASKS
def test_pointer_matches_plain_numpy_and_ignores_padding(lengths: list[int]) -> None:
    layer = Pointer(WIDTH)
    features, states = random(2, 3, 2 * WIDTH), random(2, 5, WIDTH, seed=8)
    layer.build(features.shape)
    bias = attention_bias(mask_of(lengths), "float32")
    scores, gate = layer(features, keys=layer.project(states), bias=bias)

    queries = features @ array(layer.query.kernel)
    keys = states @ array(layer.key.kernel)
    for row, step in np.ndindex(2, 3):
        real = keys[row, : lengths[row]] @ queries[row, step] / math.sqrt(WIDTH)
        found = array(scores)[row, step]
        np.testing.assert_allclose(found[: lengths[row]], real, rtol=1e-4, atol=1e-5)
        assert (found[lengths[row] :] < -1e8).all()
    expected = features @ array(layer.gate.kernel) + array(layer.gate.bias)
    np.testing.assert_allclose(array(gate), expected[..., 0], rtol=1e-4, atol=1e-5)


@MASKS
def test_bidirectional_lstm_reads_each_row_alone(lengths: list[int]) -> None:
    layer = BidirectionalLSTM(WIDTH)
    values = random(2, 5, WIDTH)
    layer.build(values.shape)
    both = array(layer(values, source_mask=mask_of(lengths)))

    for row, length in enumerate(lengths):
        alone = values[row : row + 1, :length]
        forward = array(layer.forward(alone))
        backward = array(layer.backward(alone))
        expected = np.concatenate([forward, backward], axis=-1)[0]
        np.testing.assert_allclose(both[row, :length], expected, rtol=1e-4, atol=1e-6)
        assert (both[row, length:] == 0).all()


def test_conditional_norm_matches_its_formula() -> None:
    layer = ConditionalNorm(WIDTH)
    values, condition = random(2, 3, WIDTH), random(2, WIDTH, seed=8)
    layer.build(values.shape)
    found = array(layer(values, condition=condition))

    centred = values - values.mean(-1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    beta, gamma = (
        plain_modulator(layer, name, condition) for name in ("beta", "gamma")
    )
    expected = normed * (1 + gamma[:, None]) + beta[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def plain_modulator(layer: ConditionalNorm, name: str, condition: Floats) -> Floats:
    hidden, output = layer.modulators[name]
    inner = np.maximum(condition @ array(hidden.kernel) + array(hidden.bias), 0)
    result: Floats = inner @ array(output.kernel) + array(output.bias)
    return result


def test_a_fresh_prior_is_the_bag_and_then_scaled_and_shifted() -> None:
    layer = SourcePrior()
    bag = np.array([[0, 1, 1, 0]], "float32")
    np.testing.assert_array_equal(array(layer(bag)), bag)

    layer.log_scale.assign(np.log([1, 2, 3, 4]).astype("float32"))
    layer.shift.assign(np.array([0.5, 0, 0, -1], "float32"))
    np.testing.assert_allclose(array(layer(bag)), [[0.5, 2, 3, -1]], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_bias_is_finite_and_a_row_of_padding_stays_a_distribution(dtype: str) -> None:
    bias = attention_bias(np.array([[True, False], [False, False]]), dtype)
    weights = keras.ops.softmax(keras.ops.cast(bias, dtype), axis=-1)
    weights = array(keras.ops.cast(weights, "float32"))
    assert weights.tolist() == [[1, 0], [0.5, 0.5]]


@pytest.mark.parametrize(
    "layer",
    [
        BidirectionalLSTM(WIDTH),
        ConditionalNorm(WIDTH),
        MultiHeadAttention(WIDTH, heads=3),
        Pointer(WIDTH),
        SourcePrior(),
        Dropout(0.3, (None, 1)),
        TokenDropout(0.3),
    ],
)
def test_a_layer_comes_back_from_its_config(layer: keras.layers.Layer) -> None:
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_runs_are_those_that_a_search_by_hand_finds() -> None:
    """Step by step and all at once."""
    generator = np.random.default_rng(4)
    copy_ids = generator.integers(4, 7, (3, 12)).astype("int32")
    copy_ids[1, 8:] = PAD
    tokens = generator.integers(4, 7, (3, 6)).astype("int32")
    most = 3

    found = match_runs(tokens, copy_ids, most)

    state = np.zeros_like(copy_ids), np.zeros(copy_ids.shape, bool)
    for step in range(tokens.shape[1]):
        written = [set(row[:step].tolist()) - {PAD} for row in tokens]
        for row, source in enumerate(copy_ids):
            for place in range(len(source)):
                longest = max(
                    n
                    for n in range(min(most, step, place) + 1)
                    if n == 0
                    or (source[place - n : place] == tokens[row, step - n : step]).all()
                )
                assert int(found[0][row, step, place]) == longest
                assert bool(found[1][row, step, place]) == (
                    source[place] in written[row]
                )
        for whole, one in zip(found, state, strict=True):
            np.testing.assert_array_equal(np.asarray(whole)[:, step], np.asarray(one))
        state = next_match_runs(*state, tokens[:, step], copy_ids, most)


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
