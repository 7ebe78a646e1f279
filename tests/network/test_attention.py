"""Attention against plain NumPy, one position at a time."""

import math

import keras
import numpy as np
import pytest

from headline.engines.base import Floats
from headline.network.attention import MultiHeadAttention, attention_bias
from tests.models import array
from tests.network.values import MASKS, WIDTH, mask_of, random


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


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_bias_is_finite_and_a_row_of_padding_stays_a_distribution(dtype: str) -> None:
    bias = attention_bias(np.array([[True, False], [False, False]]), dtype)
    weights = keras.ops.softmax(keras.ops.cast(bias, dtype), axis=-1)
    weights = array(keras.ops.cast(weights, "float32"))
    assert weights.tolist() == [[1, 0], [0.5, 0.5]]
