"""The layers of the model in plain NumPy.

Shape letters: B articles, R rows, one for each hypothesis, K the most of an article,
S source length, H width.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats, Ids
from headline.engines.rows import Rows
from headline.network.weights import Weights
from headline.settings.model import BIGRAM_FACTOR, NORM_EPSILON
from headline.text.ids import EOS

LOWEST = np.float32(-1e9)  # a softmax turns it into 0
FAINT = np.float32(1e-20)  # sums below lose digits, for float32 ends at 1e-38


@dataclass(frozen=True)
class Matches:
    """What has been written last, looked for in the article; for each of R rows.

    See ``layers.match_runs``.
    """

    run: NDArray[np.int8]  # (R, S): tokens written last that stand before the position
    written: NDArray[np.bool_]  # (R, S): whether the position's token is written

    @classmethod
    def none(cls, copy_ids: Ids) -> "Matches":
        """Before anything is written; ``copy_ids`` are of shape ``(R, S)``."""
        return cls(
            np.zeros(copy_ids.shape, np.int8), np.zeros(copy_ids.shape, np.bool_)
        )

    def take(self, rows: Ids) -> "Matches":
        """Returns the given rows."""
        return Matches(self.run[rows], self.written[rows])

    def by_article(self, rows: Rows) -> "Matches":
        """Returns them as (B K, S), with empty rows where an article has fewer."""
        shape = -1, self.run.shape[1]
        run, written = map(rows.by_article, (self.run, self.written))
        return Matches(run.reshape(shape), written.reshape(shape))

    def extended(self, tokens: Ids, copy_ids: Ids, most: int) -> "Matches":
        """Each row writes its token, ``(R,)``, beside its article, ``(R, S)``."""
        holds = (copy_ids == tokens[:, None]) & (copy_ids > EOS)
        run = np.zeros_like(self.run)
        longer = np.minimum(self.run[:, :-1] + np.int8(1), np.int8(most))
        run[:, 1:] = np.where(holds[:, :-1], longer, np.int8(0))
        return Matches(run, self.written | holds)

    def features(self, most: int) -> Floats:
        """Returns ``layers.match_features`` of each row, (R, most + 1, S)."""
        lengths = np.arange(1, most + 1, dtype=np.int8)[:, None]
        rows, length = self.run.shape
        features = np.empty((rows, most + 1, length), np.float32)
        features[:, :most] = self.run[:, None] >= lengths
        features[:, most] = self.written
        return features


def bigram_keys(source_ids: Ids, buckets: int) -> Ids:
    """Returns the bucket of each gap between neighbours, ends included, (B, S + 1)."""
    ids = np.pad(source_ids, ((0, 0), (1, 1)))
    keys: Ids = (ids[:, :-1] * np.int32(BIGRAM_FACTOR) + ids[:, 1:]) % np.int32(buckets)
    return keys


@dataclass(frozen=True)
class Cell:
    """The weights of LSTMs of h units, laid out so that one tanh opens every gate.

    Columns stand in the order i, f, o, c, and those of the gates are halved, since
    ``sigmoid(x) = (tanh(x / 2) + 1) / 2``.
    """

    kernel: Floats  # (H, 4 h)
    recurrent: Floats  # (h, 4 h)
    bias: Floats  # (4 h,)

    @classmethod
    def of(cls, weights: Weights, name: str) -> "Cell":
        """Lays out the weights of a Keras LSTM, whose order is i, f, c, o."""
        names = "kernel", "recurrent_kernel", "bias"
        return cls(*(_laid_out(weights[f"{name}/lstm_cell/{each}"]) for each in names))


def _laid_out(weight: Floats) -> Floats:
    input_gate, forget, new, output = np.split(weight, 4, axis=-1)
    half = np.float32(0.5)
    gates = input_gate * half, forget * half, output * half
    return np.concatenate([*gates, new], axis=-1)


def product(values: Floats, kernel: Floats) -> Floats:
    """Multiplies the last axis with a kernel, (..., H) @ (H, N).

    As one product: of three axes NumPy makes a product of each matrix, and those of the
    few hypotheses of an article are a third as fast.
    """
    rows: Floats = values.reshape(-1, len(kernel)) @ kernel
    return rows.reshape(*values.shape[:-1], -1)


def lstm_step(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """One LSTM step from the sums of a ``Cell``, (..., 4 h), which it overwrites.

    Returns:
        the new hidden and cell values, (..., h).
    """
    units = cell.shape[-1]
    np.tanh(gates, out=gates)
    opened = gates[..., : 3 * units]
    opened *= np.float32(0.5)
    opened += np.float32(0.5)
    new = opened[..., units : 2 * units] * cell
    new += opened[..., :units] * gates[..., 3 * units :]
    hidden = np.tanh(new)
    hidden *= opened[..., 2 * units :]
    return hidden, new


def bidirectional_lstm(
    values: Floats, mask: NDArray[np.bool_], forward: Cell, backward: Cell
) -> Floats:
    """Reads a source from both ends, side by side in one loop over time.

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
        if back >= shortest:  # read first, padding must leave nothing behind
            hidden[1] *= real[back]
            cell[1] *= real[back]
        outputs[step, :, :units] = hidden[0]
        outputs[back, :, units:] = hidden[1]
    outputs[shortest:] *= real[shortest:]
    return outputs


def exact_sigmoid(values: Floats) -> Floats:
    """Returns ``1 / (1 + exp(-values))`` with full precision near 0 as well.

    A probability of 1e-6 must not come out as the rest of one of 0.999999.
    """
    # Past 80 the result is 1 or 1e-35, and exp would overflow.
    return np.float32(1) / (np.float32(1) + np.exp(np.minimum(-values, np.float32(80))))


def softmax(scores: Floats) -> Floats:
    """Returns the softmax over the last axis of (..., K, S); it overwrites the scores.

    The K rows of a matrix are shifted by the largest score of all, not each by its
    own: the maxima of many short rows would take half of the time. A row so far below
    another that nothing would be left of it is rare, and is what the second way is for.
    """
    matrices = scores.reshape(*scores.shape[:-2], -1)
    matrices -= matrices.max(axis=-1, keepdims=True)
    weights, total = _exp_and_sum(scores)
    if total.min() < FAINT:
        scores -= scores.max(axis=-1, keepdims=True)
        weights, total = _exp_and_sum(scores)
    weights /= total
    return weights


def _exp_and_sum(scores: Floats) -> tuple[Floats, Floats]:
    """Exponentials and their sum over the last axis: as a product, it is faster."""
    exponentials = np.exp(scores)
    ones = np.ones((scores.shape[-1], 1), np.float32)
    # OpenBLAS at times reports an invalid operation though none of these numbers can
    # make one: OpenMathLib/OpenBLAS#1924, numpy/numpy#24067. NaN goes through as it is.
    with np.errstate(invalid="ignore"):
        return exponentials, product(exponentials, ones)


def log_softmax(scores: Floats) -> Floats:
    """Returns the logarithm of the softmax over the last axis."""
    shifted: Floats = scores - scores.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def norm(values: Floats) -> Floats:
    """Returns LayerNorm over the last axis, without scale and shift."""
    centred = values - _mean(values)
    centred /= np.sqrt(_mean(np.square(centred)) + np.float32(NORM_EPSILON))
    return centred


def _mean(values: Floats) -> Floats:
    """The mean over the last axis; NumPy's own checks for longer than it adds up."""
    total: Floats = np.add.reduce(values, axis=-1, keepdims=True)
    return total * np.float32(1 / values.shape[-1])
