"""The different tokens of an article, and where it has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.base import Floats
from headline.engines.numpy.output import OutputLayer, OwnTokens
from headline.engines.rows import RowLayout
from headline.text.ids import PAD
from tests.engines.numpy.test_layers import random

V, H = 120, 6


def test_own_tokens_are_laid_out_as_in_the_example() -> None:
    own = OwnTokens.of(
        np.array([[7, 12, 7, 15]], np.int32), OutputLayer.of(*layer(), 10)
    )

    assert own.ids.tolist() == [[12, 15, 7]]
    assert own.places.tolist() == [[2, 0, 2, 1]]
    assert own.past == 2


def layer() -> tuple[Floats, Floats]:
    return random(H, V), random(V)


@given(st.lists(st.lists(st.integers(4, 16), min_size=1, max_size=6), min_size=1))
def test_positions_of_equal_tokens_are_summed_up(articles: list[list[int]]) -> None:
    length = max(map(len, articles))
    copy_ids = np.array([row + [0] * (length - len(row)) for row in articles], np.int32)
    own = OwnTokens.of(copy_ids, OutputLayer.of(*layer()))
    rows = RowLayout(np.repeat(np.arange(len(articles)), 2)[1:])
    copy = random(len(rows.articles), length) * (copy_ids > 0)[rows.articles]

    sums = own.sums(copy, rows)

    for row, article in enumerate(rows.articles.tolist()):
        for place, token in enumerate(own.ids[article].tolist()):
            expected = copy[row, copy_ids[article] == token].sum()
            if token != PAD:
                assert sums[row, place] == pytest.approx(expected, abs=1e-6)
