"""The encoder: reads articles in both directions.

Shape letters: B articles, S source length, H width, h units.
"""

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats
from headline.engines.numpy.layers import Cell, lstm_step, product, scaled_norm
from headline.network.weights import Weights
from headline.settings.model import BIGRAM_FACTOR, ModelConfig
from headline.text.ids import Ids

SIDES = "forward", "backward"


class Encoder:
    """The encoder; its LSTM weights are rearranged as ``Cell`` describes."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config, self.weights = config, weights
        self.layers = [
            [Cell.of(weights, f"encoder_{layer}/{side}") for side in SIDES]
            for layer in range(config.encoder_layers)
        ]

    def read(self, source_ids: Ids, mask: NDArray[np.bool_]) -> Floats:
        """Returns the encoder states, (S, B, H).

        Args:
            source_ids: shape ``(B, S)``; PAD at the end of a row.
            mask: shape ``(S, B)``; true on real tokens.
        """
        # Time is the first axis in all layers, so that a step is one block of memory.
        states = self.weights["embedding/embeddings"][source_ids.T]
        if self.config.bigrams:
            states += self._bigrams(source_ids)
        for layer, cells in enumerate(self.layers):
            values = scaled_norm(self.weights, f"encoder_norm_{layer}", states)
            states = bidirectional_lstm(values, mask, *cells)
        return states

    def _bigrams(self, source_ids: Ids) -> Floats:
        """Returns the summed embeddings of the bigrams of each position, (S, B, H)."""
        keys = bigram_keys(source_ids, self.config.bigrams).T
        embedded = self.weights["bigrams/pairs/embeddings"][keys]
        both: Floats = embedded[:-1] + embedded[1:]
        return both


def bigram_keys(source_ids: Ids, buckets: int) -> Ids:
    """Returns the bucket of each bigram, including both ends, (B, S + 1)."""
    ids = np.pad(source_ids, ((0, 0), (1, 1)))
    keys: Ids = (ids[:, :-1] * np.int32(BIGRAM_FACTOR) + ids[:, 1:]) % np.int32(buckets)
    return keys


def bidirectional_lstm(
    values: Floats, mask: NDArray[np.bool_], forward: Cell, backward: Cell
) -> Floats:
    """Reads a source in both directions, in one loop over time.

    Args:
        values: shape ``(S, B, H)``.
        mask: shape ``(S, B)``; true on real tokens, which come first.

    Returns:
        shape ``(S, B, 2 h)``: forward and backward outputs; zero on padding.
    """
    length, batch, _ = values.shape
    units = len(forward.recurrent)
    kernel = np.concatenate([forward.kernel, backward.kernel], axis=1)
    inputs = product(values, kernel)
    inputs += np.concatenate([forward.bias, backward.bias])
    recurrent = np.stack([forward.recurrent, backward.recurrent])
    hidden = cell = np.zeros((2, batch, units), np.float32)
    outputs = np.empty((length, batch, 2 * units), np.float32)
    real = mask[:, :, None].astype(np.float32)
    shortest = int(mask.all(axis=1).sum())
    for step, back in enumerate(reversed(range(length))):
        gates = hidden @ recurrent
        gates[0] += inputs[step, :, : 4 * units]
        gates[1] += inputs[back, :, 4 * units :]
        hidden, cell = lstm_step(gates, cell)
        if back >= shortest:  # the backward LSTM reads padding first: reset its state
            hidden[1] *= real[back]
            cell[1] *= real[back]
        outputs[step, :, :units] = hidden[0]
        outputs[back, :, units:] = hidden[1]
    outputs[shortest:] *= real[shortest:]
    return outputs
