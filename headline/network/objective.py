"""The training objective: its losses and their parts.

Each function takes tensors and returns a tensor, without knowing the model. Shape
letters: B batch, T target steps, S source length, V vocab size, C columns of the
softmax.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from keras import KerasTensor, ops

from headline.network.attention import lowest
from headline.network.mixture import log_shares
from headline.text.ids import PAD, UNK

TokenScores = Mapping[str, KerasTensor]  # what ``Readout.read`` returns
# A factor, or a function that returns it, given the number of updates done, a tensor.
Weight = float | Callable[[KerasTensor], KerasTensor]


@dataclass(frozen=True)
class Loss:
    """One of the losses that training minimises.

    Args:
        name: its name in the logs.
        output: the model output that it is computed from. The loss is skipped where
            the model does not return that output, as in validation.
        total: returns the sum over a batch, given that output and which labels count:
            float, shape ``(B, T)``, 1.0 or 0.0.
        weight: its factor in the objective; a function if the factor has a schedule.
        passes: number of forward passes over each batch that it needs.
    """

    name: str
    output: str
    total: Callable[[KerasTensor, KerasTensor], KerasTensor]
    weight: Weight = 1.0
    passes: int = 1

    def factor(self, update: KerasTensor) -> Any:
        """Returns the weight after ``update`` updates."""
        return self.weight(update) if callable(self.weight) else self.weight


@dataclass(frozen=True)
class Objective:
    """The weighted sum of losses that training minimises; their names must differ."""

    losses: tuple[Loss, ...]

    @property
    def passes(self) -> int:
        """The number of forward passes over each batch."""
        return max(loss.passes for loss in self.losses)


def _over_labels(values: KerasTensor, counted: KerasTensor) -> KerasTensor:
    return ops.sum(values * counted)


CROSS_ENTROPY = Loss("cross_entropy", "log_probs", lambda *both: -_over_labels(*both))


def make_objective(r_drop: float = 0.0) -> Objective:
    """Returns the cross-entropy, plus R-Drop if its weight is above 0: the divergence
    between two dropout passes (Liang et al. 2021)."""
    if not r_drop:
        return Objective((CROSS_ENTROPY,))
    apart = Loss("divergence", "divergence", _over_labels, r_drop, passes=2)
    return Objective((CROSS_ENTROPY, apart))


def make_style_objective(contrast: float) -> Objective:
    """Returns the cross-entropy in a style, plus the contrast with another style.

    Args:
        contrast: weight of the contrast; 0 for none.
    """
    if not contrast:
        return Objective((CROSS_ENTROPY,))
    return Objective(
        (CROSS_ENTROPY, Loss("contrast", "margin", style_contrast, contrast))
    )


def style_contrast(margin: KerasTensor, counted: KerasTensor) -> KerasTensor:
    """Returns softplus(log P(t|a, y') - log P(t|a, y)), summed over the headlines.

    Minus its mean, plus log 2, is a lower bound of the mutual information I(t; y | a)
    of a headline and its style, with the Jensen-Shannon divergence. Without this term
    the decoder may ignore the style (J. Su, 变分自编码器 = 最小化先验分布 +
    最大化互信息, https://kexue.fm/archives/6088).

    Args:
        margin: log P of each label in its style y, minus that in another style y':
            float, shape ``(B, T)``.
        counted: which labels count, shape ``(B, T)``.

    Reference: Hjelm et al. 2019, Deep InfoMax, https://arxiv.org/abs/1808.06670, eq. 4
    """
    return ops.sum(ops.softplus(-ops.sum(margin * counted, axis=-1)))


def label_log_probs(
    scores: TokenScores,
    labels: KerasTensor,
    copy_ids: KerasTensor,
    vocab_size: int,
    places: KerasTensor | None = None,
) -> KerasTensor:
    """Returns log P(label), float32 of shape ``(B, T)``.

    Only P(label) is needed, so copy weights are not scattered over the vocab: they are
    summed over the source positions that hold the label.

    Args:
        labels: int, shape ``(B, T)``: target + EOS.
        copy_ids: int, shape ``(B, S)``: the id that each source position can write.
        places: the column of each label, shape ``(B, T)``, if the columns of the logits
            are not the vocab.
    """
    generable = labels < vocab_size
    if places is None:
        places = ops.where(generable, labels, UNK)
    generated = -ops.sparse_categorical_crossentropy(
        places, scores["logits"], from_logits=True
    )
    never = lowest("float32")
    generated = ops.where(generable, generated, never)
    if "copy_scores" not in scores:
        return generated
    copy_scores = scores["copy_scores"]
    here = ops.where(_holds(labels, copy_ids), copy_scores, never)
    copied = ops.logsumexp(here, axis=-1) - ops.logsumexp(copy_scores, axis=-1)
    return ops.logaddexp(*log_shares(scores["gate"], generated, copied))


def label_weights(
    labels: KerasTensor, copy_ids: KerasTensor | None, vocab_size: int
) -> KerasTensor:
    """Returns 1.0 for each label that the model can write, else 0.0: (B, T).

    Padding gets 0, and so does a label that is neither generable nor in the source,
    because no weights could make it likely.

    Args:
        copy_ids: int, shape ``(B, S)``; None for a model without a pointer.
    """
    reachable = labels < vocab_size
    if copy_ids is not None:
        held = ops.any(_holds(labels, copy_ids), axis=-1)
        reachable = ops.logical_or(reachable, held)
    return ops.cast(ops.logical_and(reachable, labels != PAD), "float32")


def _holds(labels: KerasTensor, copy_ids: KerasTensor) -> KerasTensor:
    """Returns which source positions hold each label, bool (B, T, S)."""
    return ops.equal(labels[:, :, None], copy_ids[:, None, :])


def divergence(scores: TokenScores) -> KerasTensor:
    """Returns the divergence between two passes over the same batch, in nats.

    It is the mean of both Kullback-Leibler divergences, over the events at a step: a
    token is generated, or a position is copied. It is an upper bound of the divergence
    over tokens alone.

    Args:
        scores: those of a batch of 2 B rows; row B + b is the second pass over row b.

    Returns:
        float, shape ``(B, T)``.

    Reference: Liang et al. 2021, R-Drop, https://arxiv.org/abs/2106.14448, eq. 2
    """
    one, two = ops.split(_log_choices(scores), 2, axis=0)
    # 0 for a masked position: both probabilities are 0 and their logarithms are finite.
    apart = (ops.exp(one) - ops.exp(two)) * (one - two)
    return ops.sum(apart, axis=-1) / 2


def _log_choices(scores: TokenScores) -> KerasTensor:
    """Returns log P of generating each token and, with a pointer, of copying each
    position: shape ``(B, T, C)`` or ``(B, T, C + S)``."""
    written = ops.log_softmax(scores["logits"], axis=-1)
    if "copy_scores" not in scores:
        return written
    copied = ops.log_softmax(scores["copy_scores"], axis=-1)
    gate = scores["gate"][..., None]
    return ops.concatenate(log_shares(gate, written, copied), axis=-1)


def entropy(scores: KerasTensor) -> KerasTensor:
    """Returns the entropy in nats of the softmax of scores over their last axis."""
    log_probs = ops.log_softmax(scores, axis=-1)
    # A masked score is finite, so 0 times its logarithm is 0.
    return -ops.sum(ops.exp(log_probs) * log_probs, axis=-1)
