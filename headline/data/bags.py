"""Articles as bags of tokens: how often each of the chosen tokens occurs.

The ids stay on disk; only the bags of the asked articles are in memory.

Shape letters: B articles, V chosen tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.data.store import Dataset, Places, Side
from headline.text.ids import SPECIAL_TOKENS, Ids

FEWEST = 3  # articles that a token must occur in to be chosen

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class BagMaker:
    """Counts the chosen tokens of articles.

    Attributes:
        columns: the column of each id, V for ids that are not counted; the last entry
            is for ids beyond the vocab. Shape ``(vocab + 1,)``.
        weights: the inverse document frequency of each chosen token,
            log(articles / articles with it), shape ``(V,)``.
        totals: the occurrences of each chosen token in the articles that it was chosen
            from, shape ``(V,)``.
    """

    columns: Ids
    weights: Floats
    totals: Floats

    @property
    def size(self) -> int:
        """The number of chosen tokens, V."""
        return len(self.weights)

    @classmethod
    def chosen_from(cls, dataset: Dataset, places: Places, most: int) -> "BagMaker":
        """Chooses the most frequent tokens of some train articles.

        Digits and punctuation are left out, because they tell nothing of a topic. So
        are tokens of fewer than ``FEWEST`` articles.

        Args:
            places: indices of the articles.
            most: the largest number of tokens.
        """
        tokens = dataset.tokenizer.vocab.tokens
        first = len(SPECIAL_TOKENS)
        lettered = np.array([any(map(str.isalpha, token)) for token in tokens])
        lettered[:first] = False
        source = dataset.splits["train"].source
        counts, articles = _frequencies(source, places, len(tokens))
        usable = lettered & (articles >= FEWEST)
        # Ties go to the lower id, which is the more frequent token of the whole corpus.
        order = np.argsort(-counts, kind="stable")
        kept = np.sort(order[usable[order]][:most])
        columns = np.full(len(tokens) + 1, len(kept), np.int32)
        columns[kept] = np.arange(len(kept))
        weights = np.log(len(places) / articles[kept])
        return cls(columns, weights.astype(np.float32), counts[kept].astype(np.float32))

    def bags(self, source: Side, places: Places | Sequence[int]) -> Floats:
        """Returns how often each chosen token occurs, shape ``(B, V)``."""
        rows = [source[int(place)] for place in places]
        lengths = [len(row) for row in rows]
        ids = np.minimum(np.concatenate(rows), len(self.columns) - 1)
        width = self.size + 1  # the last column is dropped
        flat = np.repeat(np.arange(len(rows)), lengths) * width + self.columns[ids]
        counts = np.bincount(flat, minlength=len(rows) * width)
        return counts.reshape(-1, width)[:, :-1].astype(np.float32)


def _frequencies(
    source: Side, places: Places, tokens: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns how often each id occurs, and in how many articles."""
    counts, articles = np.zeros((2, tokens), np.int64)
    for place in places:
        ids = source[int(place)]
        found, often = np.unique(ids[ids < tokens], return_counts=True)
        counts[found] += often
        articles[found] += 1
    return counts, articles
