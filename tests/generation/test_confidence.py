"""The confidence of headlines: its features against slow ones, and where it shows."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from headline.engines.base import SourceBatch
from headline.errors import ConfigError
from headline.generation.confidence import (
    BEHIND,
    COMPARED,
    FEATURES,
    NUMBERS,
    Articles,
    Draft,
    Measures,
    drafts_of,
)
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.generation.parallel import ParallelGenerator
from headline.network.confidence import Doubles
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.settings.search import DecodeConfig
from headline.text.source import Source
from tests.scripted import (
    char_tokenizer,
    confident_bundle,
    styled_bundle,
    texts,
    tiny_bundle,
)

HAN = "央行2024今日宣布,下调abc存款准备金率。"
CONFIG = DecodeConfig(max_length=8, batch_size=3, with_confidence=True)
ARTICLES = [HAN[at % 7 :] * (1 + at * 5 % 4) + "罕😀"[: at % 3] for at in range(23)]
ARTICLES[5] = " "


def confident(config: DecodeConfig = CONFIG) -> Generator:
    return Generator.from_bundle(confident_bundle(HAN), config)


def chances(found: Sequence[Sequence[Headline]]) -> list[list[float | None]]:
    return [[headline.confidence for headline in headlines] for headlines in found]


# --- features -----------------------------------------------------------------------


def slow_features(draft: Draft, source: Source, vocab_size: int) -> dict[str, float]:
    """The features of one headline, one by one and without arrays."""
    own, article = draft.own, source.encoded.ids.tolist()
    assert own.trail is not None
    log_probs, gates, entropies = own.trail.T.tolist()
    count = len(log_probs)

    def likeness(other: Hypothesis) -> float:
        shared = sum(token in own.ids for token in other.ids)
        shared += sum(token in other.ids for token in own.ids)
        return shared / (len(own.ids) + len(other.ids))

    probs = [math.exp(one.log_prob) for one in draft.compared]
    alike = sum(p * likeness(o) for p, o in zip(probs, draft.compared, strict=True))
    pairs = [*pairwise(article)]
    bigrams = [*pairwise(own.ids)]
    places = [pairs.index(one) for one in bigrams if one in pairs]
    mean = sum(places) / len(places) if places else len(article)
    inside = [min(max(gate, 1e-6), 1 - 1e-6) for gate in gates]
    both = [-g * math.log(g) - (1 - g) * math.log(1 - g) for g in inside]
    written = confident().tokenizer.decode(own.ids, source.encoded.extra)
    return {
        "expected_likeness": math.log(alike),
        "mean_log_prob": sum(log_probs) / count,
        "least_log_prob": min(log_probs),
        "unsure_tokens": sum(one < math.log(0.5) for one in log_probs) / count,
        "opening_log_prob": sum(log_probs[:3]),
        "end_log_prob": log_probs[-1],
        "log_length": math.log(count),
        "new_bigrams": len(bigrams) - len(places),
        "copied": sum(token in article for token in own.ids) / len(own.ids),
        "place": math.log1p(mean),
        "has_digit": any(map(str.isdigit, written)),
        "gate_entropy": sum(both) / count,
        "copy_entropy": sum((1 - g) * e for g, e in zip(gates, entropies, strict=True))
        / count,
        "most_copy_entropy": max(entropies),
        "agreement": alike / sum(probs),
        "margin": probs[0] / sum(probs),
        "log_source_length": math.log(len(article)),
        "unread": math.log1p(len(source.whole) - len(source.text)),
        "unknown": sum(token >= vocab_size for token in article) / len(article),
    }


def searched(
    config: DecodeConfig,
) -> tuple[list[Draft], list[Source], Measures]:
    """The first headline of each article that is not blank."""
    generator = confident(config)
    sources = [generator.read(text) for text in ARTICLES if text.strip()]
    tasks = [generator._task(source, config) for source in sources]
    rules = generator._searcher.rules_of(tasks)
    batch = generator._searcher.batch_of(sources)
    ended = beam_search(generator.engine, batch, rules, config.shared)
    found = [[Headline("x", 0.0, ids=some[0].ids)] for some in ended]
    return drafts_of(found, ended), sources, Measures(generator.tokenizer)


@pytest.mark.parametrize("beam", [1, 3, 6])
def test_features_are_those_of_plain_python(beam: int) -> None:
    config = replace(CONFIG, beam_size=beam, beam_threshold=0.0)
    drafts, sources, measures = searched(config)
    articles = Articles.of(sources)
    found = measures.features(drafts, articles)
    vocab_size = measures.tokenizer.vocab.vocab_size
    for row, draft, source in zip(found, drafts, sources, strict=True):
        expected = slow_features(draft, source, vocab_size)
        assert [*expected] == [*FEATURES]
        np.testing.assert_allclose(row, [*expected.values()], atol=1e-9)
    assert beam == 1 or (found.std(axis=0) > 0).sum() >= 16  # few are the same for all


def test_neighbours_change_no_feature() -> None:
    drafts, sources, measures = searched(CONFIG)
    together = measures.measured(drafts, Articles.of(sources))
    for at, draft in enumerate(drafts):
        single = Articles.of(sources[at : at + 1])
        alone = measures.measured([replace(draft, article=0)], single)
        for one, all_of_them in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_of_them[at], rtol=0, atol=1e-12)


def test_only_near_hypotheses_are_compared() -> None:
    ended = [Hypothesis(float(at), (4 + at,), -1.0 - at) for at in range(9)]
    found = [Headline("x", 0.0, ids=(4,)), Headline("y", 0.0, ids=(12,))]
    best, last = drafts_of([found], [ended])
    assert [one.log_prob for one in best.compared] == [-1, -2, -3]  # BEHIND is 2.5
    assert BEHIND < 3 and len(best.compared) < COMPARED
    # A headline is always compared with itself, and with the best ones.
    assert last.own is last.compared[0] is ended[8] and last.compared[1] is ended[0]


def numbers(text: str, known: str = HAN, size: int = 5000) -> dict[str, float]:
    tokenizer = char_tokenizer(known, size)
    source = Source.read(text, tokenizer, 400)
    row: Doubles = Measures(tokenizer).numbers(Articles.of([source]))[0]
    return dict(zip(NUMBERS, row.tolist(), strict=True))


def test_numbers_tell_kinds_of_text_apart() -> None:
    news = numbers("央行今日,宣布。")
    assert news["length"] == pytest.approx(math.log(8))
    assert news["punctuation"] == pytest.approx(math.sqrt(2 / 8))
    assert news["digits"] == news["latin"] == news["unknown"] == 0
    mixed = numbers("2024abc罕罕")
    assert mixed["digits"] == pytest.approx(math.sqrt(4 / 9))
    assert mixed["latin"] == pytest.approx(math.sqrt(3 / 9))
    assert mixed["unknown"] == pytest.approx(math.sqrt(2 / 9))


def test_rare_tokens_are_unusual() -> None:
    known = "的" * 9 + "是" * 5 + "罕" * 2 + "饕"
    ranks = [numbers(one * 4, known)["rank"] for one in "的是罕饕鬼"]
    assert ranks == sorted(ranks) and len(set(ranks)) == 5


# --- the generator ------------------------------------------------------------------


def test_headlines_and_scores_stay_the_same() -> None:
    asked = confident().generate(ARTICLES)
    for bundle in (confident_bundle(HAN), tiny_bundle(HAN)):
        config = replace(CONFIG, with_confidence=False)
        plain = Generator.from_bundle(bundle, config).generate(ARTICLES)
        assert all(one.confidence is None for (one,) in plain)
        assert [[replace(one, confidence=None)] for (one,) in asked] == plain


@pytest.mark.forks
def test_batches_and_processes_change_nothing() -> None:
    expected = chances(confident().generate(ARTICLES))
    assert expected[5] == [None]  # a blank article has none
    known = {row[0] for row in expected} - {None}
    assert len(known) > 10
    for size in (1, 4, 128):
        found = confident(replace(CONFIG, batch_size=size)).generate(ARTICLES)
        assert chances(found) == expected
    parallel = ParallelGenerator(confident(), 2)
    assert chances(parallel.generate(ARTICLES)) == expected


def test_each_headline_has_a_confidence() -> None:
    found = confident(replace(CONFIG, num_headlines=4)).generate(ARTICLES[:3])
    rows = [row for headlines in chances(found) for row in headlines]
    assert len(rows) == 12 and None not in rows and len(set(rows)) > 6


@pytest.mark.parametrize(
    "settings",
    [
        {"consensus": True, "beam_size": 5},
        {"sample": True, "num_headlines": 3},
        {"num_headlines": 3, "diversity": 1.0},
        {"beam_size": 1},
        {"prefix": "央行"},
    ],
)
def test_every_search_gives_one(settings: dict[str, object]) -> None:
    config = CONFIG.changed(settings)
    for headlines in confident(config).generate(ARTICLES[:4]):
        assert all(0 <= (one.confidence or -1) <= 100 for one in headlines)


def test_headlines_below_the_least_confidence_are_blank() -> None:
    every = confident().generate(ARTICLES)
    known = sorted(one.confidence for (one,) in every if one.confidence is not None)
    least = known[len(known) // 2]
    config = replace(CONFIG, with_confidence=False, min_confidence=least)
    found = confident(config).generate(ARTICLES)
    assert chances(found) == chances(every)
    for (before,), (after,) in zip(every, found, strict=True):
        below = before.confidence is not None and before.confidence < least
        assert after.withheld == below
        assert after.text == ("" if below else before.text)
    assert 0 < sum(one.withheld for (one,) in found) < len(ARTICLES)


def test_articles_may_have_other_bounds() -> None:
    configs = [replace(CONFIG, min_confidence=100.0 * (at % 2)) for at in range(6)]
    texts_of = ARTICLES[6:12]
    found = confident().generate(texts_of, configs)
    for at, (headline,) in enumerate(found):
        assert headline.withheld == bool(at % 2)
    assert {one.shared for one in configs} == {CONFIG.shared}  # they share a batch


def test_unusual_articles_are_marked_without_being_asked() -> None:
    bundle = confident_bundle(HAN)
    assert bundle.confidence is not None
    measures = Measures(bundle.tokenizer)
    source = Generator.from_bundle(bundle, CONFIG).read(ARTICLES[0])
    usual = measures.numbers(Articles.of([source]))[0]
    mean = tuple(usual.tolist())
    likeness = replace(bundle.confidence.likeness, mean=mean, bound=0.5)
    model = replace(bundle.confidence, likeness=likeness)
    config = replace(CONFIG, with_confidence=False)
    generator = Generator.from_bundle(replace(bundle, confidence=model), config)
    (usual_one,), (odd,), (blank,) = generator.generate([ARTICLES[0], "abc" * 17, ""])
    assert odd.unlike and not usual_one.unlike and not blank.unlike


def test_a_model_without_confidence_says_so() -> None:
    plain = tiny_bundle(HAN)
    model = confident_bundle(HAN).confidence
    assert model is not None
    other = replace(model, names=("a", *model.names[1:]))  # of another version
    for bundle in (plain, replace(plain, confidence=other)):
        for asked in ({"with_confidence": True}, {"min_confidence": 3.0}):
            config = DecodeConfig().changed(asked)
            with pytest.raises(ConfigError, match="headline calibrate -m") as error:
                Generator.from_bundle(bundle, config).check(config)
            assert error.value.setting == next(iter(asked))


def test_headlines_in_styles_have_none() -> None:
    with pytest.raises(ConfigError, match="with style and styles"):
        DecodeConfig(styles=True, with_confidence=True)
    bundle = replace(styled_bundle(HAN), confidence=confident_bundle(HAN).confidence)
    found = Generator.from_bundle(bundle, CONFIG).generate(ARTICLES[:2])
    assert all(one.confidence is not None for (one,) in found)
    plain = Generator.from_bundle(replace(bundle, styles=None), CONFIG)
    assert texts(found) == texts(plain.generate(ARTICLES[:2]))


# --- the search ---------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"sample": True, "num_headlines": 4}])
def test_a_trail_adds_up_to_the_log_probability(settings: dict[str, object]) -> None:
    config = replace(CONFIG, beam_size=4).changed(settings)
    generator = confident(config)
    sources = [generator.read(text) for text in ARTICLES[:4]]
    tasks = [generator._task(source, config) for source in sources]
    rules = generator._searcher.rules_of(tasks)
    batch: SourceBatch = generator._searcher.batch_of(sources)
    with_trails = beam_search(generator.engine, batch, rules, config)
    without = beam_search(
        generator.engine, batch, rules, replace(config, with_confidence=False)
    )
    assert with_trails == without
    for one in (one for ended in with_trails for one in ended):
        assert one.trail is not None
        assert one.trail.shape == (len(one.ids) + 1, 3)
        assert one.trail[:, 0].sum() == pytest.approx(one.log_prob)
        assert (one.trail[:, 0] < 1e-6).all()
        assert (one.trail[:, 1] >= 0).all() and (one.trail[:, 1] <= 1).all()
    assert all(one.trail is None for ended in without for one in ended)
