"""The mixture of a pointer: the generated and the copied part of a probability.

``P(w) = g generated(w) + (1 - g) copied(w)``, where ``g`` is the sigmoid of the gate:
See, Liu and Manning 2017, https://arxiv.org/abs/1704.04368, eq. 9.
"""

from keras import KerasTensor, ops

Shares = tuple[KerasTensor, KerasTensor]


def shares(gate: KerasTensor, generated: KerasTensor, copied: KerasTensor) -> Shares:
    """Returns both terms of the mixture; the probability is their sum.

    Args:
        gate: before its sigmoid; its shape broadcasts to those of the others.
        generated: the probabilities of tokens if everything were generated.
        copied: the probabilities of tokens, or of source positions, if everything were
            copied. The terms of all positions that hold the same token add up.
    """
    # Not 1 - sigmoid, which loses all precision where the gate is close to 1.
    return generated * ops.sigmoid(gate), copied * ops.sigmoid(-gate)


def log_shares(
    gate: KerasTensor, log_generated: KerasTensor, log_copied: KerasTensor
) -> Shares:
    """Returns the logarithms of ``shares``, given log-probabilities.

    They are finite and have a gradient even where a probability underflows float32.
    """
    return ops.log_sigmoid(gate) + log_generated, ops.log_sigmoid(-gate) + log_copied
