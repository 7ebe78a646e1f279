"""The beam search over scripted engines, and against brute force."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.config import DecodeConfig
from headline.engines.base import IMPOSSIBLE, Floats, Ids
from headline.search import Hypothesis, Lengths, beam_search, length_penalty
from headline.tokenizer import BOS, EOS

A, B, C = 4, 5, 6
ONE_EACH = Lengths(np.ones(1, np.int32))

Found = list[Hypothesis]
Next = Callable[[int, tuple[int, ...]], dict[int, float]]


@dataclass(frozen=True)
class ScriptedState:
    articles: list[int]
    prefixes: list[tuple[int, ...]]


class ScriptedEngine:
    """An engine whose next tokens are a function of article and prefix.

    It checks the seam's rules on the way: an article's rows lie beside each other,
    and all articles have as many.
    """

    def __init__(self, next_tokens: Next) -> None:
        self.next_tokens = next_tokens
        self.most_rows: list[int] = []

    def encode(self, source_ids: Ids, copy_ids: Ids) -> ScriptedState:
        batch = len(source_ids)
        return ScriptedState([int(row[0]) for row in copy_ids], [()] * batch)

    def step(
        self, state: ScriptedState, parents: Ids, tokens: Ids, num_candidates: int
    ) -> tuple[Floats, Ids, ScriptedState]:
        articles = [state.articles[parent] for parent in parents]
        groups = [len(list(group)) for _, group in itertools.groupby(articles)]
        assert len(set(groups)) == 1 and len(groups) == len(set(articles))
        self.most_rows.append(len(parents))
        prefixes = [
            (*state.prefixes[parent], int(token))
            for parent, token in zip(parents, tokens, strict=True)
        ]
        shape = len(parents), 1 + num_candidates
        log_probs = np.full(shape, IMPOSSIBLE, np.float32)
        ids = np.full(shape, EOS, np.int32)
        for row, (article, prefix) in enumerate(zip(articles, prefixes, strict=True)):
            options = dict(self.next_tokens(article, prefix[1:]))
            log_probs[row, 0] = options.pop(EOS, IMPOSSIBLE)
            best = sorted(options.items(), key=lambda item: (-item[1], item[0]))
            for column, (token, score) in enumerate(best[:num_candidates], 1):
                ids[row, column], log_probs[row, column] = token, score
        return log_probs, ids, ScriptedState(articles, prefixes)


def search(next_tokens: Next, articles: int = 1, **settings: float) -> list[Found]:
    engine = ScriptedEngine(next_tokens)
    ids = np.arange(articles, dtype=np.int32)[:, None] + A
    config = DecodeConfig(**{"length_penalty": 0.0, **settings})  # type: ignore[arg-type]
    return beam_search(engine, ids, ids, ONE_EACH, config)


def log(**probabilities: float) -> dict[int, float]:
    names = {"a": A, "b": B, "c": C, "end": EOS}
    return {names[name]: math.log(p) for name, p in probabilities.items()}


def greedy_trap(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
    """The best first token leads to a worse headline than the second best."""
    if not prefix:
        return log(a=0.6, b=0.4)
    if prefix == (A,):
        return log(a=0.5, b=0.4, end=0.1)
    if prefix == (B,):
        return log(c=0.9, end=0.1)
    return log(end=1.0)


def test_a_beam_finds_what_greedy_misses() -> None:
    greedy = search(greedy_trap, beam_size=1)[0][0]
    beam = search(greedy_trap, beam_size=2)[0][0]

    assert greedy.ids == (A, A) and greedy.score == pytest.approx(math.log(0.3))
    assert beam.ids == (B, C) and beam.score == pytest.approx(math.log(0.36))


def test_n_best_are_in_order_and_ties_go_by_ids() -> None:
    def even(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(end=1.0) if prefix else log(c=0.25, b=0.25, a=0.5)

    found = search(even, beam_size=3, num_headlines=3)[0]

    assert [one.ids for one in found] == [(A,), (B,), (C,)]
    assert found[1].score == found[2].score


def test_an_ended_hypothesis_is_not_extended() -> None:
    def early(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        # Whoever reads past EOS is offered a certain, free token.
        return log(b=1.0) if EOS in prefix else log(end=0.6, a=0.4)

    found = search(early, beam_size=3, num_headlines=3, max_length=5)[0]

    assert [one.ids for one in found] == [(A,), (A, A), (A, A, A)]


def test_the_limit_forces_the_end() -> None:
    def endless(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(a=0.98, b=0.0199, end=0.0001)

    found = search(endless, beam_size=2, max_length=4)[0]

    assert found[0].ids == (A,) * 4
    assert found[0].score == pytest.approx(4 * math.log(0.98) + math.log(0.0001))


def test_no_end_before_the_least_length() -> None:
    def brief(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(end=0.9, a=0.1)

    assert search(brief, beam_size=2, min_length=3, max_length=6)[0][0].ids == (A,) * 3
    assert search(brief, beam_size=2)[0][0].ids == (A,)


def test_length_penalty_is_applied_to_sum_and_length_with_eos() -> None:
    def two(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(end=1.0) if len(prefix) == 2 else log(a=0.5)

    found = search(two, beam_size=1, length_penalty=0.7)[0][0]

    assert found.score == pytest.approx(2 * math.log(0.5) / ((5 + 3) / 6) ** 0.7)
    assert length_penalty(9, 0.0) == 1.0


def test_a_higher_length_penalty_favours_the_longer() -> None:
    def either(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        if not prefix:
            return log(a=0.5, b=0.45)
        if prefix[0] == A or len(prefix) == 4:
            return log(end=1.0)
        return log(b=0.95)

    assert search(either, beam_size=2)[0][0].ids == (A,)
    assert search(either, beam_size=2, length_penalty=1.0)[0][0].ids == (B,) * 4


def test_articles_are_searched_independently_and_leave_when_done() -> None:
    def by_article(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        length = article - A + 1  # the first ends after one token, the next after two
        return log(end=1.0) if len(prefix) == length else log(a=0.7, b=0.3)

    engine = ScriptedEngine(by_article)
    ids = np.arange(4, dtype=np.int32)[:, None] + A
    config = DecodeConfig(beam_size=2, length_penalty=0.0)
    together = beam_search(engine, ids, ids, ONE_EACH, config)

    assert [found[0].ids for found in together] == [(A,) * n for n in (1, 2, 3, 4)]
    alone = [
        beam_search(engine, row, row, ONE_EACH, config)[0] for row in np.split(ids, 4)
    ]
    assert together == alone
    assert engine.most_rows[:5] == [4, 8, 6, 4, 2]


def test_length_is_counted_in_characters_of_the_tokens() -> None:
    lengths = Lengths(np.array([0, 0, 0, 0, 3, 2, 1], np.int32))

    def words(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(a=0.6, b=0.25, c=0.1, end=0.05)

    ids = np.full((1, 1), A, np.int32)
    for most in range(1, 9):
        config = DecodeConfig(beam_size=3, max_length=most, num_headlines=3)
        found = beam_search(ScriptedEngine(words), ids, ids, lengths, config)[0]
        for one in found:
            assert lengths(np.array(one.ids)).sum() <= most


def test_a_hypothesis_without_room_may_end_too_early() -> None:
    lengths = Lengths(np.array([0, 0, 0, 0, 3], np.int32))
    config = DecodeConfig(beam_size=2, min_length=5, max_length=5, length_penalty=0.0)
    ids = np.full((1, 1), A, np.int32)

    def words(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(a=0.9, end=0.1)

    found = beam_search(ScriptedEngine(words), ids, ids, lengths, config)[0]
    assert [one.ids for one in found] == [(A,)]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 4),
    least=st.integers(1, 3),
    alpha=st.sampled_from([0.0, 0.6, 1.0]),
    wanted=st.integers(1, 5),
)
def test_a_wide_beam_equals_brute_force(
    seed: int, most: int, least: int, alpha: float, wanted: int
) -> None:
    least = min(least, most)

    def random(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        generator = np.random.default_rng((seed, article, *prefix))
        scores = generator.normal(scale=2, size=4)
        scores -= np.log(np.exp(scores).sum())
        return dict(zip([EOS, A, B, C], scores.tolist(), strict=True))

    found = search(
        random,
        articles=2,
        beam_size=3**most * 2,
        min_length=least,
        max_length=most,
        length_penalty=alpha,
        num_headlines=wanted,
    )

    for article in range(2):
        expected = brute_force(random, article + A, least, most, alpha)[:wanted]
        assert [one.ids for one in found[article]] == [ids for ids, _ in expected]
        scores = [score for _, score in expected]
        assert [one.score for one in found[article]] == pytest.approx(scores, abs=1e-5)


def brute_force(
    next_tokens: Next, article: int, least: int, most: int, alpha: float
) -> list[tuple[tuple[int, ...], float]]:
    """Every target of the allowed lengths with its score, best first."""
    scored = []
    for length in range(least, most + 1):
        for ids in itertools.product([A, B, C], repeat=length):
            steps = [(ids[:place], ids[place]) for place in range(length)]
            total = sum(
                next_tokens(article, prefix)[token]
                for prefix, token in [*steps, (ids, EOS)]
            )
            scored.append((ids, total / length_penalty(length + 1, alpha)))
    return sorted(scored, key=lambda item: (-item[1], item[0]))


def test_a_narrow_beam_is_never_better_than_a_wide_one() -> None:
    def random(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        generator = np.random.default_rng((17, article, *prefix))
        scores = generator.normal(scale=2, size=4)
        scores -= np.log(np.exp(scores).sum())
        return dict(zip([EOS, A, B, C], scores.tolist(), strict=True))

    best = [found[0].score for found in search(random, 30, beam_size=200, max_length=4)]
    for beam_size in (1, 2, 4):
        narrow = search(random, 30, beam_size=beam_size, max_length=4)
        scores = [found[0].score for found in narrow]
        assert all(a <= b + 1e-6 for a, b in zip(scores, best, strict=True))


def test_lengths_of_ids_past_the_vocab_are_one() -> None:
    lengths = Lengths(np.array([0, 0, 0, 0, 2], np.int32))
    found = lengths(np.array([[BOS, A], [B, 99]]))
    np.testing.assert_array_equal(found, [[0, 2], [1, 1]])


def test_num_headlines_widens_the_beam() -> None:
    config = DecodeConfig(beam_size=2)
    assert replace(config, num_headlines=5).width == 5
