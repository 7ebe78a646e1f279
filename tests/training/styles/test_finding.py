"""Styles are found: all fits go on from the same clusters of headlines."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.network.styles.form import Form
from headline.text.source import Source
from headline.training.k_means import k_means, nearest
from headline.training.styles import finding
from headline.training.styles.finding import centre, most_agreed
from headline.training.styles.pairs import Pairs
from tests.scripted import char_tokenizer

CHARACTERS = "天地玄黄宇宙洪荒"
TOKENIZER = char_tokenizer(CHARACTERS)


def pairs_of(number: int) -> Pairs:
    """Headlines that are long or short, and with or without a colon.

    Two styles can be either.
    """
    generator = np.random.default_rng(4)
    drawn = generator.choice([*CHARACTERS], (number, 20))
    headlines = [
        f"{'天：' if place & 1 else ''}{''.join(row[: 6 + 12 * (place >> 1 & 1)])}"
        for place, row in enumerate(drawn)
    ]
    articles = ["".join(row) for row in generator.permuted(drawn, axis=1)]
    sources = [Source.of_normalised(one, TOKENIZER, 50) for one in articles]
    return Pairs(
        sources=sources,
        headlines=headlines,
        forms=[*map(Form.of, headlines, articles)],
        features=generator.normal(size=(number, 8)).astype(np.float32),
        tokenizer=TOKENIZER,
    )


def test_all_fits_go_on_from_the_clusters_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finding, "UPDATES", 30)
    monkeypatch.setattr(finding, "BATCH", 32)
    pairs = pairs_of(160)
    data = finding._Data.of(pairs, pairs)
    fits = [finding._Search(data, 2, seed, lambda: None) for seed in (1, 2)]
    for fit in fits:
        fit.run(1, lambda line: None)
    latents = [fit.latents(range(160)) for fit in fits]
    own = [
        nearest(z, k_means(z, 2, np.random.default_rng(fit.seed)))
        for fit, z in zip(fits, latents, strict=True)
    ]
    assert (own[0] != own[1]).any() and (own[0] == own[1]).any()

    centre(fits)

    for fit, z in zip(fits, latents, strict=True):
        means = np.stack([z[own[0] == style].mean(axis=0) for style in (0, 1)])
        found = keras.ops.convert_to_numpy(fit.model.centres)
        np.testing.assert_allclose(found, means, atol=1e-5)


@given(
    st.lists(st.integers(0, 2), min_size=12, max_size=30).filter(
        lambda labels: len(set(labels)) == 3
    ),
    st.permutations([0, 1, 2]),
    st.permutations([0, 1, 2]),
)
def test_of_three_clusterings_one_of_two_that_agree_is_taken(
    labels: list[int], names: list[int], order: list[int]
) -> None:
    one = np.array(labels)
    # The same under other names, and one that has nothing to do with it.
    several = [one, np.array(names)[one], np.zeros(len(one), np.intp)]
    found = most_agreed([several[place] for place in order], 3)
    assert order[found] != 2
