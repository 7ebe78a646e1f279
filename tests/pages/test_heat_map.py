"""A heat map shows what matters, as dark as it is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from headline.engines.base import Floats
from headline.generation.explain import Token
from headline.pages.heat_map import MOST_SHADES, columns_of, heat_map, shades_of
from headline.pages.rendering import fill
from tests.markup import parse

# Of the smallest numbers, float32 has no twentieth.
VISIBLE = st.floats(0, 1, width=32, allow_subnormal=False)


def weights(*values: float) -> Floats:
    return np.array(values, np.float32)


@given(arrays(np.float32, 60, elements=VISIBLE))
def test_shades_keep_the_order_of_the_weights(row: Floats) -> None:
    shades = dict(shades_of(row))

    assert list(shades) == sorted(shades) and len(shades) <= MOST_SHADES
    assert all(0 <= shade <= 100 for shade in shades.values())
    assert row.max() == 0 or row.argmax() in shades
    for place, shade in shades.items():
        paler = [other for other in shades if row[other] <= row[place]]
        assert all(shades[other] <= shade for other in paler)
        assert row[place] >= row.max() / 20


def test_what_is_spread_thin_is_seen_though_paler() -> None:
    thin, thick = shades_of(np.full(400, 1 / 400, "f4")), shades_of(weights(1, 0))

    assert len(thin) == MOST_SHADES and thick == [(0, 100)]
    assert 10 < thin[0][1] < 50


@given(arrays(np.float32, (4, 30), elements=VISIBLE))
def test_a_heat_map_shows_the_greatest_weight_of_each_token(rows: Floats) -> None:
    columns = columns_of(rows)

    places = [column for column in columns if column is not None]
    assert places == sorted(set(places))
    assert all(row.max() == 0 or row.argmax() in places for row in rows)
    assert (None, None) not in pairwise(columns)


def test_a_cell_is_as_dark_as_its_weight() -> None:
    source = ["央", "行", "银"]
    first = Token("央", 0.5, 1.0, weights(0.64, 0.16, 0.0))
    tags = parse(fill("heat_map.html", map=heat_map([first], source)))

    cells = [attrs for attrs in tags.of("rect") if "opacity" in attrs]
    darkness = [float(attrs["opacity"]) for attrs in cells]
    assert [attrs["x"] for attrs in cells] == ["0", "18"]
    assert darkness[0] == pytest.approx(2 * darkness[1], abs=0.02)
    assert "64%" in tags.text and "16%" in tags.text


@pytest.mark.parametrize("text", ["<script>", "&amp;"])
def test_tokens_never_become_tags(text: str) -> None:
    picture = heat_map([Token(text, 0.5, 1.0, weights(1.0, 0.0))], [text, "央"])
    tags = parse(fill("heat_map.html", map=picture))
    assert tags.seen == {"div", "svg", "text", "g", "rect", "title"}
    assert tags.text.count(text) == 2  # the label of its row, and of its column
