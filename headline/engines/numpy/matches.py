"""Matches of the last tokens of a target in its article.

Shape letters: B articles, R rows, one for each hypothesis, K the most rows of any
article, S source length.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats
from headline.engines.rows import RowLayout
from headline.text.ids import EOS, Ids


@dataclass(frozen=True)
class Matches:
    """Matches of the last tokens written, in the article of each of R rows.

    See ``network.matches.match_runs``.
    """

    run: NDArray[np.int8]  # (R, S): last tokens that equal those before the position
    written: NDArray[np.bool_]  # (R, S): whether the position's token has been written

    @classmethod
    def none(cls, copy_ids: Ids) -> "Matches":
        """Returns the matches before the first token, for ids of shape ``(R, S)``."""
        return cls(
            np.zeros(copy_ids.shape, np.int8), np.zeros(copy_ids.shape, np.bool_)
        )

    def take(self, rows: Ids) -> "Matches":
        """Returns the given rows."""
        return Matches(self.run[rows], self.written[rows])

    def by_article(self, rows: RowLayout) -> "Matches":
        """Returns them as (B K, S), with empty rows where an article has fewer."""
        shape = -1, self.run.shape[1]
        run, written = map(rows.by_article, (self.run, self.written))
        return Matches(run.reshape(shape), written.reshape(shape))

    def extended(self, tokens: Ids, copy_ids: Ids, most: int) -> "Matches":
        """Advances by one token per row, ``(R,)``; ``copy_ids``: ``(R, S)``."""
        holds = (copy_ids == tokens[:, None]) & (copy_ids > EOS)
        run = np.zeros_like(self.run)
        longer = np.minimum(self.run[:, :-1] + np.int8(1), np.int8(most))
        run[:, 1:] = np.where(holds[:, :-1], longer, np.int8(0))
        return Matches(run, self.written | holds)

    def features(self, most: int) -> Floats:
        """Returns ``match_features`` of each row, (R, most + 1, S)."""
        lengths = np.arange(1, most + 1, dtype=np.int8)[:, None]
        rows, length = self.run.shape
        features = np.empty((rows, most + 1, length), np.float32)
        features[:, :most] = self.run[:, None] >= lengths
        features[:, most] = self.written
        return features
