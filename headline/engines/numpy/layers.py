"""Layers and functions that several parts of the NumPy engine are made of.

Shape letters: B articles, R rows, one for each hypothesis, K the most of an article,
S source length, H width, h units.
"""

from dataclasses import dataclass

import numpy as np

from headline.engines.base import TINY, Floats
from headline.network.weights import Weights
from headline.settings.model import NORM_EPSILON

LOWEST = np.float32(-1e9)  # a softmax turns it into 0
FAINT = np.float32(1e-20)  # sums below lose digits, for float32 ends at 1e-38


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


def product(values: Floats, kernel: Floats) -> Floats:
    """Multiplies the last axis with a kernel, (..., H) @ (H, N).

    As one product: of three axes NumPy makes a product of each matrix, and those of the
    few hypotheses of an article are a third as fast.
    """
    rows: Floats = values.reshape(-1, len(kernel)) @ kernel
    return rows.reshape(*values.shape[:-1], -1)


def dense(weights: Weights, name: str, values: Floats) -> Floats:
    """Returns ``values @ kernel + bias`` of the named layer."""
    output = product(values, weights[f"{name}/kernel"])
    output += weights[f"{name}/bias"]
    return output


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


def scaled_norm(weights: Weights, name: str, values: Floats) -> Floats:
    """Returns LayerNorm with the scale and shift of the named layer."""
    normed = norm(values)
    normed *= weights[f"{name}/gamma"]
    normed += weights[f"{name}/beta"]
    return normed


def finite_log(probs: Floats) -> Floats:
    """Returns the natural logarithms of probabilities, finite for 0 as well."""
    log_probs: Floats = np.log(np.maximum(probs, TINY))
    return log_probs
