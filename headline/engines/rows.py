"""Row layouts of a search: a flat list of rows, or rows grouped by article.

Shape letters: B articles, R rows, K the most rows of any article.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


def take_of_rows(values: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Returns the values, ``(R, N, ...)``, at the places, ``(R, n)``, of each row.

    ``np.take_along_axis`` and indexing with two arrays do the same, but take several
    times as long, which matters in a small step.
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
    ``by_article`` turns their values ``a b c`` into ``[[a, b], [c, 0]]``.
    """

    articles: NDArray[np.intp]  # (R,), ascending; each article at least once

    @cached_property
    def _counts(self) -> NDArray[np.intp]:
        return np.bincount(self.articles)

    @property
    def batch(self) -> int:
        """B, the number of articles."""
        return len(self._counts)

    @cached_property
    def beam(self) -> int:
        """K, the most rows of any article."""
        return int(self._counts.max())

    @property
    def are_even(self) -> bool:
        """Whether all articles have the same number of rows."""
        return len(self.articles) == self.batch * self.beam

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """The index of each row among the B K, (R,)."""
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
        """Turns ``(B, K, ...)`` into ``(R, ...)``, the inverse of ``by_article``."""
        values = values.reshape(self.batch * self.beam, *values.shape[2:])
        return values if self.are_even else values[self._places]
