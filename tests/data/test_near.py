"""Signatures estimate how much articles have in common, whatever block they are in."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.data.near import ALIKE, BANDS, equal_keys, signatures, similarities
from tests.data import dirt

texts = st.lists(st.text("央行降息今日天", max_size=40), min_size=1, max_size=6)


def jaccard(one: str, other: str) -> float:
    both = [{text[at : at + 3] for at in range(len(text) - 2)} for text in (one, other)]
    union = both[0] | both[1]
    return len(both[0] & both[1]) / len(union) if union else 0.0


def estimates(some: Sequence[str], others: Sequence[str]) -> Sequence[float]:
    found: list[float] = similarities(
        signatures(some)[0], signatures(others)[0]
    ).tolist()
    return found


@given(texts)
def test_an_article_has_the_same_keys_in_every_block(articles: list[str]) -> None:
    marks, keys = signatures(articles)
    for place, article in enumerate(articles):
        own_marks, own_keys = signatures([article])
        assert (marks[place] == own_marks[0]).all()
        assert (keys[place] == own_keys[0]).all()


def test_estimates_are_close_to_the_overlap_of_the_sets() -> None:
    rng = random.Random(1)
    articles = [pair.source for pair in dirt.sample_pairs()[:400]]
    changed = []
    for article in articles:
        begin = rng.randrange(len(article))
        changed.append(article[:begin] + rng.choice(articles)[begin:])
    exact = np.array([*map(jaccard, articles, changed)])
    errors = np.array(estimates(articles, changed)) - exact
    assert abs(errors.mean()) < 0.01 and errors.std() < 0.05
    assert exact.min() < 0.2 and exact.max() > 0.9


def test_reprints_are_found_and_other_stories_are_not() -> None:
    rng = random.Random(2)
    pairs = dirt.sample_pairs()[:1000]
    sources = [pair.source for pair in pairs]
    reprints = [dirt.reprinted(pair, rng).source for pair in pairs]
    assert np.mean(np.array(estimates(sources, reprints)) >= ALIKE) > 0.97
    assert max(estimates(sources, sources[1:] + sources[:1])) < ALIKE
    one, other = signatures(sources)[1], signatures(reprints)[1]
    assert (one == other).any(axis=1).mean() > 0.99
    assert one.shape == (1000, BANDS)


def test_articles_without_n_grams_are_like_no_other() -> None:
    marks, keys = signatures(["", "央行", "央行降息"])
    assert not keys[:2].any() and keys[2].all()
    assert similarities(marks[:2], marks[:2]).tolist() == [0, 0]


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 30))
def test_equal_keys_are_linked_however_they_are_divided(
    keys: list[int], part: int
) -> None:
    linked = {
        pair
        for one, other in equal_keys(np.array(keys, np.uint64), part)
        for pair in zip(one.tolist(), other.tolist(), strict=True)
    }
    expected = set()
    for key in {*keys} - {0}:
        places = [place for place, one in enumerate(keys) if one == key]
        expected |= set(pairwise(places))
    assert linked == expected
