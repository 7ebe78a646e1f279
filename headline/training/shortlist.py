"""The tokens that the softmax of an update covers: frequent tokens and its labels.

Products with all columns of the output layer are a quarter of the work of an update,
and most of them only push down tokens that headlines hardly use. So the softmax covers
only the most frequent tokens, as in the search, and the labels of the update (Jean et
al. 2015, https://arxiv.org/abs/1412.2007, sec. 3.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from headline.data.store import Side
from headline.text.ids import PAD, UNK, Ids

Floats = NDArray[np.float32]

REMOVED = np.float32(1e9)  # subtracted from a logit, it makes the probability 0


@dataclass(frozen=True)
class Shortlist:
    """Chooses the tokens that the softmax of each update covers.

    A rare token is covered only if it is a label, so its logit would become too high.
    To correct this, the logarithm of the share of updates that cover it is subtracted
    from the logit. So the weights become as they would be with the full softmax (Bengio
    and Senécal 2008, "Adaptive Importance Sampling", sec. IV).

    Args:
        frequent: number of first tokens of the vocab that every update covers.
        log_shares: float, shape ``(V,)``: for each token, the natural logarithm of the
            share of updates that cover it; 0 for frequent tokens.
    """

    frequent: int
    log_shares: Floats

    @classmethod
    def of(cls, targets: Side, vocab_size: int, frequent: int, pairs: int) -> Self:
        """Makes the shortlist, from how often an update will need each token.

        Args:
            targets: the targets of all pairs of the split.
            vocab_size: V, the number of tokens that can be generated.
            frequent: see the class.
            pairs: number of pairs per update.
        """
        counts = targets.counts(vocab_size)
        labels = pairs * counts.sum() / max(1, len(targets))  # of an update
        share = np.maximum(counts, 1) / max(1, counts.sum())
        never = labels * np.log1p(-np.minimum(share, 0.5))
        log_shares = np.log(-np.expm1(never)).astype(np.float32)
        log_shares[:frequent] = 0
        return cls(frequent, log_shares)

    def columns(self, labels: Sequence[Ids], step: int = 1) -> tuple[Ids, Floats]:
        """Returns the tokens of an update, ascending, and their ``log_shares``.

        Args:
            labels: label ids of all batches of the update.
            step: the number of rare tokens is rounded up to a multiple of this, with
                PAD, whose probability is 0.

        Returns:
            both of shape ``(C,)``.
        """
        needed = np.unique(np.concatenate([ids.ravel() for ids in labels]))
        rare = needed[(needed >= self.frequent) & (needed < len(self.log_shares))]
        room = -len(rare) % step
        tokens = np.concatenate([np.arange(self.frequent), rare]).astype(np.int32)
        return (
            np.append(tokens, np.full(room, PAD, np.int32)),
            np.append(self.log_shares[tokens], np.full(room, REMOVED, np.float32)),
        )

    def places(self, labels: Ids, columns: Ids) -> Ids:
        """Returns the column of each label; that of UNK for a label past the vocab."""
        rare = columns[self.frequent :]
        rare = rare[rare != PAD]
        places = self.frequent + np.searchsorted(rare, labels)
        places = np.where(labels < self.frequent, labels, places)
        known: NDArray[np.bool_] = labels < len(self.log_shares)
        return np.where(known, places, UNK).astype(np.int32)
