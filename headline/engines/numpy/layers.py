"""Layers and functions that several parts of the NumPy engine share.

Shape letters: B articles, R rows, one for each hypothesis, K the most rows of any
article, S source length, H width, h units.
"""

from dataclasses import dataclass

import numpy as np

from headline.engines.base import TINY, Floats
from headline.network.weights import Weights
from headline.settings.model import NORM_EPSILON

LOWEST = np.float32(-1e9)  # a softmax turns it into 0
FAINT = np.float32(1e-20)  # smaller sums lose precision: float32 underflows at 1e-38


@dataclass(frozen=True)
class Cell:
    """The weights of an LSTM of h units, arranged so that one tanh computes all gates.

    The columns are in the order i, f, o, c. Those of the gates i, f, o are halved,
    because ``sigmoid(x) = (tanh(x / 2) + 1) / 2``.
    """

    kernel: Floats  # (H, 4 h)
    recurrent: Floats  # (h, 4 h)
    bias: Floats  # (4 h,)

    @classmethod
    def of(cls, weights: Weights, name: str) -> "Cell":
        """Rearranges the weights of a Keras LSTM, whose order is i, f, c, o."""
        names = "kernel", "recurrent_kernel", "bias"
        return cls(*(_laid_out(weights[f"{name}/lstm_cell/{each}"]) for each in names))


def _laid_out(weight: Floats) -> Floats:
    input_gate, forget, new, output = np.split(weight, 4, axis=-1)
    half = np.float32(0.5)
    gates = input_gate * half, forget * half, output * half
    return np.concatenate([*gates, new], axis=-1)


def lstm_step(gates: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """Runs an LSTM step on the gate sums of a ``Cell``, (..., 4 h); overwrites them.

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

    The leading axes are flattened into one product. Otherwise NumPy multiplies each
    matrix alone, which takes three times as long for the few hypotheses of an article.
    """
    rows: Floats = values.reshape(-1, len(kernel)) @ kernel
    return rows.reshape(*values.shape[:-1], -1)


def dense(weights: Weights, name: str, values: Floats) -> Floats:
    """Returns ``values @ kernel + bias`` of the named layer."""
    output = product(values, weights[f"{name}/kernel"])
    output += weights[f"{name}/bias"]
    return output


def exact_sigmoid(values: Floats) -> Floats:
    """Returns ``1 / (1 + exp(-values))``, with full precision also near 0.

    A probability of 1e-6 must not be computed as 1 - 0.999999.
    """
    # Past 80 the result is 1 or 1e-35, and exp would overflow.
    return np.float32(1) / (np.float32(1) + np.exp(np.minimum(-values, np.float32(80))))


def softmax(scores: Floats) -> Floats:
    """Returns the softmax over the last axis of (..., K, S); overwrites the scores.

    All K rows of a matrix are shifted by the largest score of the matrix, because the
    maxima of many short rows would take half of the time. In rare cases a row is so far
    below another that it underflows; then each row is shifted by its own maximum.
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
    """Returns exponentials and their sums over the last axis, by a faster product."""
    exponentials = np.exp(scores)
    ones = np.ones((scores.shape[-1], 1), np.float32)
    # OpenBLAS sometimes reports an invalid operation although these numbers cannot
    # cause one: OpenMathLib/OpenBLAS#1924, numpy/numpy#24067. NaN is still propagated.
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
    """Returns the mean over the last axis, with less overhead than ``np.mean``."""
    total: Floats = np.add.reduce(values, axis=-1, keepdims=True)
    return total * np.float32(1 / values.shape[-1])


def scaled_norm(weights: Weights, name: str, values: Floats) -> Floats:
    """Returns LayerNorm with the scale and shift of the named layer."""
    normed = norm(values)
    normed *= weights[f"{name}/gamma"]
    normed += weights[f"{name}/beta"]
    return normed


def finite_log(probs: Floats) -> Floats:
    """Returns the natural logarithms of probabilities, finite also for 0."""
    log_probs: Floats = np.log(np.maximum(probs, TINY))
    return log_probs
