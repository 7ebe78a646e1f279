"""Of several headlines of an article, the one most like all of them.

A search ranks by probability, and the likeliest headline need not be the one that most
of the probability speaks for. Minimum Bayes risk decoding (Kumar and Byrne 2004) takes
the one with the least expected loss, here the greatest expected ROUGE-1.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Divides the log-probabilities of the headlines: those of a beam are few, and the model
# is surer of the first than it is right.
TEMPERATURE = 2.0


def consensus_order(texts: Sequence[str], log_probs: Sequence[float]) -> list[int]:
    """Returns the places of the texts, the most like all of them first.

    Equal ones keep their order.

    Args:
        texts: different ones.
        log_probs: natural logs of their probabilities.
    """
    scaled = np.array(log_probs) / TEMPERATURE
    shares = np.exp(scaled - scaled.max(initial=0.0))
    expected = likeness(texts) @ (shares / shares.sum())
    order: list[int] = np.argsort(-expected, kind="stable").tolist()
    return order


def likeness(texts: Sequence[str]) -> NDArray[np.float64]:
    """Returns the ROUGE-1 F1 of the characters of each text against each, 0 to 1."""
    counts = [Counter("".join(text.split())) for text in texts]
    table = np.eye(len(texts))
    for row, one in enumerate(counts):
        for column, other in enumerate(counts[:row]):
            common = 2 * (one & other).total() / (one.total() + other.total())
            table[row, column] = table[column, row] = common
    return table
