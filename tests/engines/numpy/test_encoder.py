"""The LSTMs of the encoder, one unit at a time."""

import numpy as np

from headline.engines.base import Floats
from headline.engines.numpy.encoder import bidirectional_lstm
from headline.engines.numpy.layers import Cell
from headline.network.weights import Weights
from tests.engines.numpy.test_layers import plain_sigmoid, random


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
