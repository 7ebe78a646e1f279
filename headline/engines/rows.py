"""How the rows of a search lie: one after the other, and beside those of their article.

Shape letters: B articles, R rows, K the most rows of an article.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


def take_of_rows(values: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Returns of each row, ``(R, N, ...)``, what stands at its places, ``(R, n)``.

    ``np.take_along_axis`` and an index of two arrays do the same, and take several
    times as long: a small step has little else to do.
    """
    rows, columns = values.shape[:2]
    flat = values.reshape(rows * columns, *values.shape[2:])
    starts = np.arange(rows)[:, None] * columns
    taken: NDArray[Any] = flat.take(starts + places, axis=0)
    return taken


@dataclass(frozen=True)
class RowLayout:
    """Which article each row belongs to.

    Two rows of the first article and one of the second have the articles ``0 0 1``;
    of their values ``a b c``, ``by_article`` makes ``[[a, b], [c, 0]]``.
    """

    articles: NDArray[np.intp]  # (R,), rising, each of them at least once

    @cached_property
    def _counts(self) -> NDArray[np.intp]:
        return np.bincount(self.articles)

    @property
    def batch(self) -> int:
        """B, the number of articles."""
        return len(self._counts)

    @cached_property
    def beam(self) -> int:
        """K, the most rows of an article."""
        return int(self._counts.max())

    @property
    def are_even(self) -> bool:
        """Whether each article has as many rows as the others."""
        return len(self.articles) == self.batch * self.beam

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """Where each row lies among the B K, (R,)."""
        starts = np.cumsum(self._counts) - self._counts
        within = np.arange(len(self.articles)) - starts[self.articles]
        return self.articles * self.beam + within

    def by_article(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turns ``(R, ...)`` into ``(B, K, ...)``, zeros where an article has fewer."""
        shape = self.batch, self.beam, *values.shape[1:]
        if self.are_even:
            return values.reshape(shape)
        spread = np.zeros((self.batch * self.beam, *values.shape[1:]), values.dtype)
        spread[self._places] = values
        return spread.reshape(shape)

    def flat(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turns ``(B, K, ...)`` into ``(R, ...)``: the other way round."""
        values = values.reshape(self.batch * self.beam, *values.shape[2:])
        return values if self.are_even else values[self._places]
