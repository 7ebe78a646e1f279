"""Samples follow the model, none stands twice, and a seed gives the same again."""

import itertools
import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from headline.engines.base import SourceBatch
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.search.rules import Rules, TokenTable
from headline.search.sampling import Noise, conditioned, nucleus
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, SPECIAL_TOKENS
from tests.search.test_beam_search import A, B, C, ScriptedEngine, scattered

CONFIG = DecodeConfig(
    sample=True,
    beam_size=1,
    max_length=2,
    length_penalty=0.0,
    exact_numbers=False,
    no_repeat_ngram_size=0,
)
NAMES = (*SPECIAL_TOKENS, "a", "b", "c")
DRAWS = 3000


def two_tokens(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
    """Any article is of the same kind: a short target out of twelve."""
    return scattered(0, prefix)


def sample(config: DecodeConfig, articles: list[int]) -> list[list[Hypothesis]]:
    ids = np.array(articles, np.int32)[:, None]
    rules = Rules(TokenTable(NAMES), [config] * len(articles), [None] * len(articles))
    found = beam_search(
        ScriptedEngine(two_tokens), SourceBatch(ids, ids), rules, config
    )
    return [headlines[: config.num_headlines] for headlines in found]


def probabilities(temperature: float = 1.0) -> dict[tuple[int, ...], float]:
    """P of every target of one or two tokens: the end is never first."""
    found = {}
    for first in (A, B, C):
        for rest in ((), (A,), (B,), (C,)):
            ids = (first, *rest)
            steps = [(), *itertools.accumulate([(token,) for token in ids])]
            total = 1.0
            for place, token in enumerate((*ids, EOS)):
                allowed = [A, B, C] if place == 0 else [A, B, C, EOS]
                allowed = allowed if place < 2 else [EOS]
                weights = {
                    one: math.exp(two_tokens(0, steps[place])[one] / temperature)
                    for one in allowed
                }
                total *= weights[token] / sum(weights.values())
            found[ids] = total
    return found


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_one_sample_follows_the_models_distribution(temperature: float) -> None:
    config = replace(CONFIG, temperature=temperature, seed=5)
    drawn = Counter(found[0].ids for found in sample(config, list(range(A, A + DRAWS))))

    for ids, expected in probabilities(temperature).items():
        deviation = math.sqrt(expected * (1 - expected) / DRAWS)
        assert drawn[ids] / DRAWS == pytest.approx(expected, abs=4 * deviation + 1e-9)


def test_the_second_sample_is_drawn_from_what_the_first_left() -> None:
    config = replace(CONFIG, num_headlines=2, seed=6)
    drawn = Counter(
        tuple(one.ids for one in found)
        for found in sample(config, list(range(A, A + DRAWS)))
    )

    probs = probabilities()
    for first, second in itertools.permutations(probs, 2):
        expected = probs[first] * probs[second] / (1 - probs[first])
        deviation = math.sqrt(expected * (1 - expected) / DRAWS)
        assert drawn[first, second] / DRAWS == pytest.approx(
            expected, abs=5 * deviation + 1e-9
        )


def test_a_seed_gives_the_same_in_any_batch_and_another_seed_another() -> None:
    config = replace(CONFIG, num_headlines=3, max_length=5, seed=7)
    articles = list(range(A, A + 20))

    together = sample(config, articles)

    assert together == sample(config, articles)
    assert together[::-1] == sample(config, articles[::-1])
    assert together == [sample(config, [article])[0] for article in articles]
    assert together != sample(replace(config, seed=8), articles)


def test_samples_differ_and_their_scores_are_log_probabilities() -> None:
    config = replace(CONFIG, num_headlines=6, temperature=0.7, top_p=0.9)
    every = sample(config, list(range(A, A + 30)))
    assert len(every) == 30
    for found in every:
        assert 1 < len({one.ids for one in found}) == len(found)
        for one in found:
            steps = [(one.ids[:place], token) for place, token in enumerate(one.ids)]
            steps.append((one.ids, EOS))
            total = sum(two_tokens(0, prefix)[token] for prefix, token in steps)
            assert one.log_prob == pytest.approx(total, abs=1e-5)


def test_a_nucleus_is_the_fewest_tokens_with_the_mass() -> None:
    log_probs = np.log(np.array([[[0.1, 0.5, 0.25, 0.15]]]))

    kept = np.exp(nucleus(log_probs, 0.7))

    np.testing.assert_allclose(kept, [[[0, 2 / 3, 1 / 3, 0]]], atol=1e-12)
    np.testing.assert_allclose(np.exp(nucleus(log_probs, 1.0)), np.exp(log_probs))
    forbidden = np.array([[[-np.inf, 0.0]]])
    np.testing.assert_allclose(nucleus(forbidden, 0.1), forbidden)


def test_the_greatest_child_has_its_parents_score() -> None:
    rng = np.random.default_rng(3)
    perturbed, parents = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 3))
    perturbed[0, 0, 1:] = parents[1, 1] = -np.inf

    found = conditioned(perturbed, parents)

    np.testing.assert_allclose(found.max(axis=-1), parents)
    order = np.argsort(perturbed[2], axis=-1)
    np.testing.assert_array_equal(np.argsort(found[2], axis=-1), order)
    assert not np.isnan(found).any()


def test_padding_changes_no_noise() -> None:
    ids = np.array([[7, 8, 9]], np.int32)
    padded = np.array([[7, 8, 9, 0, 0]], np.int32)

    assert Noise.of(ids, 3).articles == Noise.of(padded, 3).articles
    assert Noise.of(ids, 3).articles != Noise.of(ids[:, ::-1], 3).articles
