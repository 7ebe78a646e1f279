"""The mixture of vocab and article in NumPy, and the pick of its best tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.base import IMPOSSIBLE, Floats, Ids
from headline.engines.numpy_layers import exact_sigmoid
from headline.engines.numpy_output import (
    NEVER,
    Logits,
    Mixture,
    OutputLayer,
    OwnTokens,
    best_columns,
    ranked,
    top_columns,
)
from headline.engines.rows import Rows
from headline.search.beams import Doubles
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS

V, H, S = 120, 6, 7
ARTICLES = [
    [7, 125, 7, 90, 5, 130, 119],
    [30, 8, 125, 8, 0, 0, 0],
    [9, 0, 0, 0, 0, 0, 0],
]
COPY_IDS = np.array(ARTICLES, np.int32)
# Rows of the articles: as many of each, or not.
LAYOUTS = pytest.mark.parametrize("layout", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2]])
SHORTLISTS = pytest.mark.parametrize("shortlist", [0, 8, 40, V])


def random(*shape: int) -> Floats:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def mixed(shortlist: int, layout: list[int]) -> tuple[Mixture, Doubles]:
    """A mixture, and the probabilities of all tokens, (R, 131), by the paper."""
    rows = Rows(np.array(layout))
    kernel, bias, hidden = random(H, V), random(V), random(len(layout), H)
    output = OutputLayer.of(kernel, bias, shortlist)
    gate = exact_sigmoid(random(len(layout), 1))
    copy = np.exp(random(len(layout), S)) * (COPY_IDS[layout] != PAD)
    copy *= (1 - gate) / copy.sum(axis=-1, keepdims=True)
    probs = np.zeros((len(layout), 131))
    for row, article in enumerate(ARTICLES[place] for place in layout):
        words = {*range(shortlist or V), *(token for token in article if 0 < token < V)}
        logits = np.full(V, -np.inf)
        known = sorted(words)
        logits[known] = hidden[row] @ kernel[:, known] + bias[known]
        weights = np.exp(logits)
        probs[row, :V] = weights * gate[row] / weights.sum()
        for position, token in enumerate(article):
            probs[row, token] += copy[row, position]
    own = OwnTokens.of(COPY_IDS, output)
    return Mixture.of(Logits(output, rows, hidden), own, gate, copy), probs


@SHORTLISTS
@LAYOUTS
@pytest.mark.parametrize("most", [1, 5, 200])
def test_best_tokens_are_those_of_all_probabilities(
    shortlist: int, layout: list[int], most: int
) -> None:
    mixture, probs = mixed(shortlist, layout)

    log_probs, ids = mixture.best(most, None)

    np.testing.assert_allclose(log_probs[:, 0], np.log(probs[:, EOS]), rtol=1e-4)
    assert (ids[:, 0] == EOS).all() and ids.shape == (len(layout), 1 + most)
    probs[:, : len(SPECIAL_TOKENS)] = 0
    for row, expected in enumerate(probs):
        found, values = ids[row, 1:], log_probs[row, 1:]
        there = values > IMPOSSIBLE
        assert there.sum() == min(most, (expected > 0).sum())
        assert found[there].tolist() == np.argsort(-expected)[: there.sum()].tolist()
        np.testing.assert_allclose(
            values[there], np.log(expected[found[there]]), rtol=1e-4
        )


@SHORTLISTS
@LAYOUTS
def test_wanted_tokens_have_their_probability_and_unknown_ones_none(
    shortlist: int, layout: list[int]
) -> None:
    mixture, probs = mixed(shortlist, layout)
    asked = np.array([7, 125, 90, 130, PAD, EOS, 2], np.int32)

    log_probs, ids = mixture.best(2, np.tile(asked, (len(layout), 1)))

    found = log_probs[:, -len(asked) :]
    assert (ids[:, -len(asked) :] == asked).all()
    for row, article in enumerate(ARTICLES[place] for place in layout):
        for value, token in zip(found[row], asked.tolist(), strict=True):
            if token < EOS or (token >= V and token not in article):
                assert value == IMPOSSIBLE
            elif token < (shortlist or V) or token in article:
                assert value == pytest.approx(np.log(probs[row, token]), rel=1e-4)
            else:  # asked for, it can be written, however the list is
                assert value > -30


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
    rows = Rows(np.repeat(np.arange(len(articles)), 2)[1:])
    copy = random(len(rows.articles), length) * (copy_ids > 0)[rows.articles]

    sums = own.sums(copy, rows)

    for row, article in enumerate(rows.articles.tolist()):
        for place, token in enumerate(own.ids[article].tolist()):
            expected = copy[row, copy_ids[article] == token].sum()
            if token != PAD:
                assert sums[row, place] == pytest.approx(expected, abs=1e-6)


def test_ranked_ids_are_sorted_and_ties_are_in_the_order_of_ids() -> None:
    probs = np.array([[0.5, 0.25, NEVER, 0.25, 0.125]], np.float32)
    ids = np.array([[4, 9, 5, 6, 7]], np.int32)

    log_probs, found = ranked(probs, ids, 6)

    assert found[0, :4].tolist() == [4, 6, 9, 7]
    np.testing.assert_allclose(np.exp(log_probs[0, :4]), [0.5, 0.25, 0.25, 0.125])
    assert (log_probs[0, 4:] == IMPOSSIBLE).all() and log_probs.shape == (1, 6)


@given(st.integers(1, 12), st.integers(12, 700), st.integers(0, 99))
def test_top_columns_are_the_greatest(most: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).permuted(
        np.tile(np.arange(columns, dtype=np.float32), (5, 1)), axis=1
    )

    found = top_columns(values, most)

    best: Ids = np.sort(np.take_along_axis(values, found, axis=1), axis=1)
    assert best.tolist() == [list(range(columns - most, columns))] * 5


def test_without_a_pointer_the_best_are_sorted_and_the_end_is_apart() -> None:
    log_probs = np.array([[9, 9, 9, -4, 1, 3, 3, 2]], np.float32)
    wanted = np.array([[4, PAD, 50]], np.int32)

    values, ids = best_columns(log_probs, 3, wanted)

    assert ids.tolist() == [[EOS, 5, 6, 7, 4, PAD, 50]]
    assert values.tolist() == [[-4, 3, 3, 2, 1, IMPOSSIBLE, IMPOSSIBLE]]


def test_without_a_pointer_too_few_are_filled_up() -> None:
    values, _ = best_columns(np.zeros((2, 6), np.float32), 5, None)

    assert values.shape == (2, 6)
    assert (values[:, 3:] == IMPOSSIBLE).all() and (values[:, :3] == 0).all()
