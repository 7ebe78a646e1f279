"""Measures of what a model says of the next token, in ``keras.ops`` only.

Shape letters: B batch, Q queries, S source length, C columns of the softmax.
"""

from collections.abc import Mapping

from keras import KerasTensor, ops

Scores = Mapping[str, KerasTensor]


def entropy(scores: KerasTensor) -> KerasTensor:
    """Returns the entropy in nats of the softmax of scores over their last axis."""
    log_probs = ops.log_softmax(scores, axis=-1)
    # A masked score is finite, so that 0 times its logarithm is 0.
    return -ops.sum(ops.exp(log_probs) * log_probs, axis=-1)


def divergence(scores: Scores) -> KerasTensor:
    """Returns how far two passes over the same batch are apart, in nats.

    The mean of both Kullback-Leibler divergences, over what can happen at a step: a
    token is written, or a position is copied. Those of tokens alone are not above it.

    Args:
        scores: what ``HeadlineModel.read_out`` returns for a batch of 2 B rows, where
            row B + b is a second pass over row b.

    Returns:
        float, shape ``(B, Q)``.

    Reference: Liang et al. 2021, R-Drop, https://arxiv.org/abs/2106.14448, eq. 2
    """
    one, two = ops.split(_log_choices(scores), 2, axis=0)
    # Twice 0 for a masked position, whose logarithms are finite.
    apart = (ops.exp(one) - ops.exp(two)) * (one - two)
    return ops.sum(apart, axis=-1) / 2


def _log_choices(scores: Scores) -> KerasTensor:
    """Returns log P of writing each token, and with a pointer of copying each position:
    shape ``(B, Q, C)`` or ``(B, Q, C + S)``."""
    written = ops.log_softmax(scores["logits"], axis=-1)
    if "copy_scores" not in scores:
        return written
    gate = scores["gate"][..., None]
    copied = ops.log_softmax(scores["copy_scores"], axis=-1)
    return ops.concatenate(
        [ops.log_sigmoid(gate) + written, ops.log_sigmoid(-gate) + copied], axis=-1
    )
