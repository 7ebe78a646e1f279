"""The beam search over scripted engines, and against brute force."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.engines.base import IMPOSSIBLE, Floats, SourceBatch, Step
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis, length_penalty
from headline.search.constraints import constraint
from headline.search.rules import WISH, Rules, TokenTable
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS, Ids
from headline.text.source import Source
from headline.text.tokenizer import CharTokenizer, Vocab

A, B, C = 4, 5, 6
NAMES = (*SPECIAL_TOKENS, "a", "b", "c")

Found = list[Hypothesis]
Next = Callable[[int, tuple[int, ...]], dict[int, float]]


@dataclass(frozen=True)
class ScriptedState:
    articles: list[int]
    prefixes: list[tuple[int, ...]]


class ScriptedEngine:
    """An engine whose next tokens are a function of article and prefix.

    It checks the seam's rules on the way: an article's rows lie beside each other,
    all articles have as many, and none goes on from a dead one, whose candidates look
    the best.
    """

    def __init__(self, next_tokens: Next) -> None:
        self.next_tokens = next_tokens
        self.most_rows: list[int] = []
        self.dead = 0

    def encode(self, sources: SourceBatch) -> ScriptedState:
        articles = [int(row[0]) for row in sources.copy_ids]
        return ScriptedState(articles, [()] * len(sources))

    def step(
        self, state: ScriptedState, step: Step
    ) -> tuple[Floats, Ids, ScriptedState]:
        parents, most = step.parents, step.num_candidates
        articles = [state.articles[parent] for parent in parents]
        groups = [len(list(group)) for _, group in itertools.groupby(articles)]
        assert len(set(groups)) == 1 and len(groups) == len(set(articles))
        self.most_rows.append(len(parents))
        prefixes = [
            (*state.prefixes[parent], int(token))
            for parent, token in zip(parents, step.tokens, strict=True)
        ]
        self._check_dead(articles, prefixes)
        nothing = np.zeros((len(parents), 0), np.int32)
        asked = nothing if step.wanted is None else step.wanted
        shape = len(parents), 1 + most + asked.shape[1]
        log_probs = np.full(shape, IMPOSSIBLE, np.float32)
        ids = np.full(shape, EOS, np.int32)
        for row, (article, prefix) in enumerate(zip(articles, prefixes, strict=True)):
            if prefix[-1] == PAD:
                self.dead += 1
                log_probs[row], ids[row] = 0.0, A
                continue
            options = dict(self.next_tokens(article, prefix[1:]))
            log_probs[row, 0] = options.pop(EOS, IMPOSSIBLE)
            best = sorted(options.items(), key=lambda item: (-item[1], item[0]))
            for column, (token, score) in enumerate(best[:most], 1):
                ids[row, column], log_probs[row, column] = token, score
            for column, token in enumerate(asked[row].tolist(), 1 + most):
                ids[row, column] = token
                log_probs[row, column] = options.get(token, IMPOSSIBLE)
        return log_probs, ids, ScriptedState(articles, prefixes)

    def _check_dead(self, articles: list[int], prefixes: list[tuple[int, ...]]) -> None:
        """No row goes on from a dead one, and each article has one that lives."""
        assert all(prefix[-1] == PAD or PAD not in prefix for prefix in prefixes)
        rows = zip(articles, prefixes, strict=True)
        live = {article for article, prefix in rows if prefix[-1] != PAD}
        assert live == set(articles)


def plain_rules(
    config: DecodeConfig, articles: int, names: Sequence[str] = NAMES
) -> Rules:
    """Rules without a constraint, which is what text would be needed for."""
    return Rules(TokenTable(names), [config] * articles, [None] * articles)


def run(engine: ScriptedEngine, ids: Ids, config: DecodeConfig) -> list[Found]:
    found = beam_search(
        engine, SourceBatch(ids, ids), plain_rules(config, len(ids)), config
    )
    return [headlines[: config.num_headlines] for headlines in found]


def search(next_tokens: Next, articles: int = 1, **settings: Any) -> list[Found]:
    ids = np.arange(articles, dtype=np.int32)[:, None] + A
    plain = {"length_penalty": 0.0, "no_repeat_ngram_size": 0}
    config = DecodeConfig(**{**plain, **settings})
    return run(ScriptedEngine(next_tokens), ids, config)


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


def behind(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
    """The better headline begins 3.9 nats behind the other."""
    if not prefix:
        return log(a=0.98, b=0.02)
    if prefix[0] == B or len(prefix) == 9:
        return log(end=1.0)
    return log(a=0.5)


def test_a_hypothesis_far_behind_is_given_up() -> None:
    assert search(behind, beam_size=2, beam_threshold=0.0)[0][0].ids == (B,)
    assert search(behind, beam_size=2, beam_threshold=4.0)[0][0].ids == (B,)
    assert search(behind, beam_size=2, beam_threshold=3.8)[0][0].ids[0] == A


@pytest.mark.parametrize(
    "settings", [{"num_headlines": 2}, {"consensus": True}, {"sample": True}]
)
def test_where_more_than_the_best_counts_nothing_is_given_up(
    settings: dict[str, Any],
) -> None:
    found = [
        search(scattered, 9, max_length=5, beam_threshold=threshold, **settings)
        for threshold in (0.0, 0.01)
    ]

    assert found[0] == found[1]


def test_rows_that_are_given_up_are_dead_and_the_best_stays() -> None:
    ids = np.arange(60, dtype=np.int32)[:, None] + A
    config = DecodeConfig(max_length=6, no_repeat_ngram_size=0, beam_threshold=0.0)
    plain, narrow = ScriptedEngine(scattered), ScriptedEngine(scattered)

    expected = run(plain, ids, config)
    found = run(narrow, ids, replace(config, beam_threshold=3.0))

    live = [sum(engine.most_rows) - engine.dead for engine in (plain, narrow)]
    assert live[1] < 0.9 * live[0]
    same = sum(a == b for a, b in zip(expected, found, strict=True))
    assert same > 50  # of 60


def test_words_that_are_asked_for_keep_all_hypotheses() -> None:
    tokenizer = CharTokenizer(Vocab(NAMES, len(NAMES)))
    ids = np.arange(20, dtype=np.int32)[:, None] + A
    source = Source.read("bcab", tokenizer, 9)
    found, dead = [], []
    for threshold in (0.0, 0.01):
        config = DecodeConfig(
            max_length=4, must_include=("c",), beam_threshold=threshold
        )
        bound = constraint(source, config, tokenizer)
        rules = Rules(TokenTable(NAMES), [config] * 20, [bound] * 20)
        engine = ScriptedEngine(scattered)
        found.append(beam_search(engine, SourceBatch(ids, ids), rules, config))
        dead.append(engine.dead)

    assert [each[0].ids for each in found[0]] == [each[0].ids for each in found[1]]
    assert dead[0] == dead[1]
    assert all(C in each[0].ids for each in found[1])


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
    config = DecodeConfig(beam_size=2, length_penalty=0.0, no_repeat_ngram_size=0)
    together = run(engine, ids, config)

    assert [found[0].ids for found in together] == [(A,) * n for n in (1, 2, 3, 4)]
    alone = [run(engine, row, config)[0] for row in np.split(ids, 4)]
    assert together == alone
    assert engine.most_rows[:5] == [4, 8, 6, 4, 2]


def test_length_is_counted_in_characters_of_the_tokens() -> None:
    names = (*SPECIAL_TOKENS, "aaa", "bb", "c")

    def words(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(a=0.6, b=0.25, c=0.1, end=0.05)

    ids = np.full((1, 1), A, np.int32)
    for most in range(1, 9):
        config = DecodeConfig(beam_size=3, max_length=most, num_headlines=3)
        rules = plain_rules(config, 1, names)
        found = beam_search(
            ScriptedEngine(words), SourceBatch(ids, ids), rules, config
        )[0]
        assert found
        for one in found:
            assert sum(len(names[token]) for token in one.ids) <= most


def test_a_hypothesis_without_room_may_end_too_early() -> None:
    names = (*SPECIAL_TOKENS, "aaa")
    config = DecodeConfig(beam_size=2, min_length=5, max_length=5, length_penalty=0.0)
    ids = np.full((1, 1), A, np.int32)

    def words(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
        return log(a=0.9, end=0.1)

    rules = plain_rules(config, 1, names)
    found = beam_search(ScriptedEngine(words), SourceBatch(ids, ids), rules, config)[0]
    assert [one.ids for one in found] == [(A,)]


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
        beam_threshold=0.0,  # else what is far behind would be given up
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


def test_num_headlines_widens_the_beam() -> None:
    config = DecodeConfig(beam_size=2)
    assert replace(config, num_headlines=5).group_size == 5


# --- what the single articles ask for -------------------------------------------------


def scattered(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
    """Any distribution over three tokens and the end, the same at each call."""
    generator = np.random.default_rng((23, article, *prefix))
    scores = generator.normal(scale=2, size=4)
    scores -= np.log(np.exp(scores).sum())
    return dict(zip([EOS, A, B, C], scores.tolist(), strict=True))


def log_prob(article: int, ids: tuple[int, ...]) -> float:
    steps = [(ids[:place], token) for place, token in enumerate((*ids, EOS))]
    return sum(scattered(article, prefix)[token] for prefix, token in steps)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_stands_twice_and_the_best_of_those_is_found(size: int) -> None:
    settings = {"beam_size": 400, "max_length": 4, "length_penalty": 0.0}
    every = search(scattered, 5, **settings, num_headlines=100)
    found = search(scattered, 5, **settings, no_repeat_ngram_size=size)

    def repeats(ids: tuple[int, ...]) -> bool:
        grams = [ids[place : place + size] for place in range(len(ids) - size + 1)]
        return len(set(grams)) < len(grams)

    assert any(repeats(one.ids) for headlines in every for one in headlines)
    for headlines, (best, *_) in zip(every, found, strict=True):
        expected = next(one for one in headlines if not repeats(one.ids))
        assert best.ids == expected.ids


def test_a_word_of_n_characters_is_an_ngram_by_itself() -> None:
    names = (*SPECIAL_TOKENS, "aa", "b", "c")
    ids = np.arange(20, dtype=np.int32)[:, None] + A
    config = DecodeConfig(beam_size=300, num_headlines=300, max_length=4)

    rules = plain_rules(config, 20, names)
    every = beam_search(ScriptedEngine(scattered), SourceBatch(ids, ids), rules, config)
    assert len(every) == len(ids)
    for found in every:
        texts = {one.ids for one in found}
        assert not any(ids.count(A) > 1 for ids in texts)
        assert any(ids.count(B) > 1 for ids in texts)  # b c b has no bigram twice


def test_the_target_length_is_a_wish_that_the_score_pays_for() -> None:
    plain = search(scattered, 40, beam_size=50, max_length=6)
    lengths = [np.mean([len(found[0].ids) for found in plain])]
    for target in (1, 3, 6):
        wished = search(scattered, 40, beam_size=50, max_length=6, target_length=target)
        lengths.append(np.mean([len(found[0].ids) for found in wished]))
        assert len(wished) == 40
        for article, (best, *_) in enumerate(wished):
            assert best.log_prob == pytest.approx(log_prob(article + A, best.ids))
            missed = WISH * abs(len(best.ids) - target)
            assert best.score == pytest.approx(best.log_prob - missed)
    assert lengths[1] < lengths[2] < lengths[3]


def test_each_article_of_a_batch_has_its_own_lengths() -> None:
    ids = np.arange(3, dtype=np.int32)[:, None] + A
    config = DecodeConfig(beam_size=4, length_penalty=0.0)
    own = [
        replace(config, max_length=2),
        replace(config, min_length=4),
        replace(config, target_length=6, no_repeat_ngram_size=2),
    ]
    rules = Rules(TokenTable(NAMES), own, [None] * 3)

    found = beam_search(ScriptedEngine(scattered), SourceBatch(ids, ids), rules, config)

    for place, asked in enumerate(own):
        row = ids[place : place + 1]
        alone = Rules(TokenTable(NAMES), [asked], [None])
        engine = ScriptedEngine(scattered)
        assert (
            found[place] == beam_search(engine, SourceBatch(row, row), alone, config)[0]
        )
    assert len(found[0][0].ids) <= 2 and len(found[1][0].ids) >= 4


def test_white_space_stands_inside_a_headline_only() -> None:
    names = (*SPECIAL_TOKENS, " ", "b", "c")
    config = DecodeConfig(
        beam_size=60, num_headlines=40, max_length=3, no_repeat_ngram_size=0
    )
    ids = np.full((1, 1), A, np.int32)
    rules = plain_rules(config, 1, names)

    found = beam_search(
        ScriptedEngine(scattered), SourceBatch(ids, ids), rules, config
    )[0]

    texts = {"".join(names[token] for token in one.ids) for one in found}
    every = ("".join(p) for n in (1, 2, 3) for p in itertools.product(" bc", repeat=n))
    assert texts == {text for text in every if text == " ".join(text.split()) != ""}


# --- several headlines ----------------------------------------------------------------


def test_groups_choose_other_tokens_and_scores_stay_log_probabilities() -> None:
    settings = {"beam_size": 4, "num_headlines": 4, "max_length": 5}
    plain = search(scattered, 30, **settings)
    diverse = search(scattered, 30, **settings, diversity=3.0)

    assert first_tokens(diverse) > first_tokens(plain) and len(diverse) == 30
    for article, headlines in enumerate(diverse):
        assert len({one.ids for one in headlines}) == 4
        assert headlines == sorted(headlines)
        for one in headlines:
            assert one.log_prob == pytest.approx(log_prob(article + A, one.ids))


def first_tokens(found: list[Found]) -> float:
    return float(np.mean([len({one.ids[0] for one in each}) for each in found]))


def test_a_slight_diversity_changes_nothing_for_one_headline() -> None:
    assert search(scattered, 9, diversity=0.5) == search(scattered, 9)


def test_diverse_search_gives_the_same_alone_and_in_a_batch() -> None:
    config = DecodeConfig(num_headlines=3, diversity=1.0)
    ids = np.arange(6, dtype=np.int32)[:, None] + A
    together = run(ScriptedEngine(scattered), ids, config)
    for row, expected in zip(np.split(ids, 6), together, strict=True):
        assert run(ScriptedEngine(scattered), row, config)[0] == expected


# --- what is asked for, however unlikely ----------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_how_unlikely_a_prefix_is_changes_nothing_behind_it(alpha: float) -> None:
    tokenizer = CharTokenizer(Vocab(NAMES, len(NAMES)))
    config = DecodeConfig(prefix="a", length_penalty=alpha, exact_numbers=False)
    source = Source.read("c", tokenizer, 9)
    bound = constraint(source, config, tokenizer)
    ids = np.full((1, 1), C, np.int32)

    def after(first: float) -> list[tuple[int, ...]]:
        def next_tokens(article: int, prefix: tuple[int, ...]) -> dict[int, float]:
            if not prefix:
                return {A: first, B: math.log(0.5)}
            return log(a=0.3, b=0.4, end=0.3)

        rules = Rules(TokenTable(NAMES), [config], [bound])
        engine = ScriptedEngine(next_tokens)
        return [
            one.ids
            for one in beam_search(engine, SourceBatch(ids, ids), rules, config)[0]
        ]

    likely = after(math.log(0.5))
    assert likely[0] == (A,)
    assert after(-80.0) == likely
    assert after(IMPOSSIBLE) == likely
