"""Consensus: picks the headline that is most similar to all candidates of an article.

The most probable headline may be unlike the other probable ones. Minimum Bayes risk
decoding (Kumar and Byrne 2004) takes the one with the lowest expected loss, here the
highest expected ROUGE-1.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Divides the log-probabilities of the headlines: a beam holds only a few, and the model
# is overconfident about the first.
TEMPERATURE = 2.0


def consensus_order(texts: Sequence[str], log_probs: Sequence[float]) -> list[int]:
    """Returns the places of the texts, the most similar to all of them first.

    Ties keep their order.

    Args:
        texts: distinct texts.
        log_probs: natural logs of their probabilities.
    """
    scaled = np.array(log_probs) / TEMPERATURE
    shares = np.exp(scaled - scaled.max(initial=0.0))
    expected = likeness(texts) @ (shares / shares.sum())
    order: list[int] = np.argsort(-expected, kind="stable").tolist()
    return order


def likeness(texts: Sequence[str]) -> NDArray[np.float64]:
    """Returns the character ROUGE-1 F1 of each pair of texts, a matrix of 0 to 1."""
    counts = [Counter("".join(text.split())) for text in texts]
    table = np.eye(len(texts))
    for row, one in enumerate(counts):
        for column, other in enumerate(counts[:row]):
            common = 2 * (one & other).total() / (one.total() + other.total())
            table[row, column] = table[column, row] = common
    return table
