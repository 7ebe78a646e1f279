"""How the rows of a search lie beside those of their article."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.rows import RowLayout


def test_rows_lie_as_in_the_example() -> None:
    rows = RowLayout(np.array([0, 0, 1]))

    assert rows.by_article(np.array([1, 2, 3])).tolist() == [[1, 2], [3, 0]]
    assert rows.flat(np.array([[1, 2], [3, 9]])).tolist() == [1, 2, 3]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 99))
def test_there_and_back_is_the_same(counts: list[int], seed: int) -> None:
    rows = RowLayout(np.repeat(np.arange(len(counts)), counts))
    values = np.random.default_rng(seed).normal(size=(sum(counts), 3))

    by_article = rows.by_article(values)

    assert by_article.shape == (len(counts), max(counts), 3)
    assert (rows.flat(by_article) == values).all()
    assert np.count_nonzero(by_article) == values.size
    assert rows.are_even == (len(set(counts)) == 1)


def test_even_rows_are_not_copied() -> None:
    values = np.zeros((6, 2))
    rows = RowLayout(np.array([0, 0, 1, 1, 2, 2]))

    assert np.shares_memory(rows.by_article(values), values)
    assert RowLayout(np.arange(3)).beam == 1
