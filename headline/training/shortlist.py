"""The tokens that the softmax of an update is over: the frequent, and those it needs.

Products with all columns of the output layer are a quarter of an update's, and most of
them push down tokens that hardly any headline has. So an update has only the most
frequent tokens, as a search has them, and those of its own labels (Jean et al. 2015,
https://arxiv.org/abs/1412.2007, sec. 3.2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from headline.data.store import Side
from headline.text.ids import PAD, UNK, Ids

Floats = NDArray[np.float32]

REMOVED = np.float32(1e9)  # taken from a logit, it leaves no probability


@dataclass(frozen=True)
class Shortlist:
    """Which tokens the softmax of each update is over.

    A token that is not frequent is there only where a label needs it, so that its
    logit would come out too high. The logarithm of how often it is there is taken from
    it, so that the weights come to what they would be among all tokens (Bengio and
    Senécal 2008, "Adaptive Importance Sampling", sec. IV).

    Args:
        frequent: the first tokens of the vocab, which each update has.
        log_shares: float, shape ``(V,)``: of each token the natural logarithm of the
            share of updates that have it; 0 for the frequent.
    """

    frequent: int
    log_shares: Floats

    @classmethod
    def of(cls, targets: Side, vocab_size: int, frequent: int, pairs: int) -> Self:
        """Looks how often an update will need each token.

        Args:
            targets: of all pairs of the split.
            vocab_size: V, the tokens that can be generated.
            pairs: of an update.
        """
        counts = targets.counts(vocab_size)
        labels = pairs * counts.sum() / max(1, len(targets))  # of an update
        share = np.maximum(counts, 1) / max(1, counts.sum())
        never = labels * np.log1p(-np.minimum(share, 0.5))
        log_shares = np.log(-np.expm1(never)).astype(np.float32)
        log_shares[:frequent] = 0
        return cls(frequent, log_shares)

    def columns(self, labels: Sequence[Ids], step: int = 1) -> tuple[Ids, Floats]:
        """Returns the tokens of an update, rising, and their ``log_shares``.

        Args:
            labels: ids of all its batches.
            step: the number of tokens that are not frequent is a multiple of it; what
                fills them up is PAD, and has no probability.

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
        """Returns which column each label is; that of UNK for one past the vocab."""
        rare = columns[self.frequent :]
        rare = rare[rare != PAD]
        places = self.frequent + np.searchsorted(rare, labels)
        places = np.where(labels < self.frequent, labels, places)
        known: NDArray[np.bool_] = labels < len(self.log_shares)
        return np.where(known, places, UNK).astype(np.int32)
