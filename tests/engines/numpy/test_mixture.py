"""The mixture of vocab and article in NumPy, and the best of its tokens."""

import numpy as np
import pytest

from headline.engines.base import IMPOSSIBLE, Floats
from headline.engines.numpy.layers import exact_sigmoid
from headline.engines.numpy.mixture import Mixture
from headline.engines.numpy.output import Logits, OutputLayer, OwnTokens
from headline.engines.rows import RowLayout
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
    rows = RowLayout(np.array(layout))
    kernel, bias, hidden = random(H, V), random(V), random(len(layout), H)
    output = OutputLayer.of(kernel, bias, shortlist)
    opening = random(len(layout), 1)
    gate = exact_sigmoid(opening)
    copy = np.exp(random(len(layout), S)) * (COPY_IDS[layout] != PAD)
    copy /= copy.sum(axis=-1, keepdims=True)
    probs = np.zeros((len(layout), 131))
    for row, article in enumerate(ARTICLES[place] for place in layout):
        words = {*range(shortlist or V), *(token for token in article if 0 < token < V)}
        logits = np.full(V, -np.inf)
        known = sorted(words)
        logits[known] = hidden[row] @ kernel[:, known] + bias[known]
        weights = np.exp(logits)
        probs[row, :V] = weights * gate[row] / weights.sum()
        for position, token in enumerate(article):
            probs[row, token] += (1 - gate[row, 0]) * copy[row, position]
    own = OwnTokens.of(COPY_IDS, output)
    return Mixture.of(Logits(output, rows, hidden), own, opening, copy), probs


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
