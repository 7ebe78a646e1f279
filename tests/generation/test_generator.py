"""Texts in, headlines out: each article's own, whatever stands beside it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.bundle import Bundle, save_bundle
from headline.engines.numpy.engine import NumpyEngine
from headline.errors import ConfigError
from headline.generation.batching import WINDOW
from headline.generation.generator import Generator
from headline.generation.headlines import BLANK, Headline
from headline.generation.parallel import make_generator
from headline.search.beam_search import Search
from headline.search.consensus import consensus_order
from headline.search.constraints import Constraint, opening
from headline.search.support import is_supported
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, SPECIAL_TOKENS
from headline.text.normalise import normalise
from headline.text.spans import runs
from tests.scripted import CopyEngine, char_tokenizer, texts, tiny_bundle, word_bundle

# For tests that search many times in each example.
fewer = settings(max_examples=settings().max_examples * 2 // 5)

HAN = "央行今日宣布下调存款准备金率"
BUNDLE = tiny_bundle(HAN + HAN[:5])
BUNDLES = {"char": BUNDLE, "word": word_bundle(f"{HAN}，2023年GDP增长5.2% {HAN}")}
KINDS = pytest.mark.parametrize("kind", list(BUNDLES))
# Known and unknown characters, markup, white space, and blank articles.
articles = st.lists(st.text(HAN + "１ <b>\n罕😀", max_size=20), max_size=5)


def copying(length: int = 4, source: int = 50, **settings: Any) -> Generator:
    """Returns a generator that copies the beginning of each article."""
    return with_engine(CopyEngine(length), source, **settings)


def with_engine(engine: CopyEngine, source: int = 50, **settings: Any) -> Generator:
    tokenizer = char_tokenizer(HAN, vocab_size=12)
    anything = {"no_repeat_ngram_size": 0, "exact_numbers": False}
    config = DecodeConfig(**anything | settings)
    return Generator(tokenizer, engine, config, source)


def random_model(bundle: Bundle = BUNDLE, **settings: Any) -> Generator:
    """Returns a generator with a model that was never trained."""
    return Generator.from_bundle(bundle, DecodeConfig(**{"max_length": 8} | settings))


def ending_model() -> Bundle:
    """Such a model that likes to come to an end."""
    bias = BUNDLE.weights["output/bias"].copy()
    bias[EOS] += 6
    return replace(BUNDLE, weights={**BUNDLE.weights, "output/bias": bias})


# --- one by one, together, as a stream ------------------------------------------------


@fewer
@given(articles, st.integers(1, 4), st.integers(1, 3))
def test_batch_of_many_gives_what_batches_of_one_give(
    articles: list[str], batch_size: int, num_headlines: int
) -> None:
    alone = random_model(batch_size=1, num_headlines=num_headlines)
    together = random_model(batch_size=batch_size, num_headlines=num_headlines)

    expected = [alone.generate([article])[0] for article in articles]
    found = together.generate(articles)

    assert texts(found) == texts(expected)
    for one, other in zip(found, expected, strict=True):
        scores = [headline.score for headline in one]
        assert scores == pytest.approx([h.score for h in other], abs=1e-5)


@given(articles, st.integers(1, 4))
def test_headlines_come_in_the_order_of_the_articles(
    articles: list[str], batch_size: int
) -> None:
    found = copying(batch_size=batch_size).generate(articles)

    assert len(found) == len(articles)
    for (first, *_), article in zip(found, articles, strict=True):
        beginning = normalise(article)[:4]
        assert first.text[: len(beginning.strip())] == beginning.strip()
        # White space never ends a headline: it may go on behind that.
        assert len(first.text) == len(beginning) or beginning.endswith(" ")


@given(articles, st.integers(1, 4))
def test_stream_is_generate(articles: list[str], batch_size: int) -> None:
    generator = copying(batch_size=batch_size)

    assert list(generator.stream(iter(articles))) == generator.generate(articles)


def test_stream_reads_one_window_at_a_time() -> None:
    taken: list[str] = []

    def many() -> Iterator[str]:
        for number in range(1, 5 * WINDOW):
            taken.append(f"{number}号{HAN}")
            yield taken[-1]

    stream = copying(batch_size=2).stream(many())

    assert [next(stream)[0].text for _ in range(3)] == ["1号央行", "2号央行", "3号央行"]
    assert len(taken) == 2 * WINDOW


def test_articles_of_like_length_share_a_batch() -> None:
    generator = copying(batch_size=2)
    engine = generator.engine
    assert isinstance(engine, CopyEngine)

    generator.generate([HAN[:9], HAN[:2], "", HAN[:8], HAN[:3], HAN])

    assert engine.shapes == [(2, 3), (2, 9), (1, 14)]


def test_nothing_in_nothing_out() -> None:
    assert copying().generate([]) == []
    assert list(copying().stream([])) == []


# --- the text -------------------------------------------------------------------------


@pytest.mark.parametrize("blank", ["", " ", "\n\u3000", "<p></p>", "\u200b", "\ud800"])
def test_blank_article_has_one_blank_headline(blank: str) -> None:
    found = copying(num_headlines=3).generate([blank, HAN, blank])

    assert [found[0], found[2]] == [[BLANK], [BLANK]]
    assert found[1][0].text == HAN[:4]


def test_characters_outside_the_vocab_are_copied() -> None:
    article = "罕😀龘\U00020000号" + HAN

    (found,) = copying().generate([article])

    assert found[0].text == article[:4]


def test_no_more_of_an_article_is_read_than_the_model_knows() -> None:
    generator = copying(length=40, source=5)

    (found,) = generator.generate([f"<p>{HAN}</p>"])

    assert found[0].text == HAN[:5]


def test_length_limits_are_kept() -> None:
    for limit in (1, 2, 3):
        for wanted in (1, 9):
            generator = copying(wanted, max_length=limit, min_length=limit)
            (found,) = generator.generate([HAN])
            assert len(found[0].text) == limit


# --- n-best ---------------------------------------------------------------------------


@given(articles, st.integers(1, 6), st.integers(1, 6))
def test_headlines_of_an_article_differ_and_the_best_is_first(
    articles: list[str], num_headlines: int, beam_size: int
) -> None:
    generator = random_model(
        num_headlines=num_headlines, beam_size=beam_size, length_penalty=0.0
    )

    for article, headlines in zip(articles, generator.generate(articles), strict=True):
        read = generator.read(article).text
        ranks = [(not is_supported(one.text, read), -one.score) for one in headlines]
        assert 1 <= len(headlines) <= num_headlines
        assert len({headline.text for headline in headlines}) == len(headlines)
        assert ranks == sorted(ranks)
        assert min(ranks)[1] >= 0


# --- what is asked of a headline ------------------------------------------------------


def test_a_space_takes_no_more_room_than_itself() -> None:
    bundle = tiny_bundle(HAN + "  ")
    config = DecodeConfig(prefix="央 行", max_length=3)
    (found,) = Generator.from_bundle(bundle, config).generate([HAN])

    assert " " in bundle.tokenizer.vocab.tokens
    assert [headline.text for headline in found] == ["央 行"]


SPACED = "央行 今日 宣布下 调存款 "


@pytest.mark.parametrize("bundle", [BUNDLE, tiny_bundle(SPACED), word_bundle(SPACED)])
@pytest.mark.parametrize("space", [" ", "\u3000", "\n", "&nbsp; "])
def test_the_space_behind_a_prefix_stays_and_the_headline_goes_on(
    bundle: Bundle, space: str
) -> None:
    own = {"prefix": f"{space}快讯{space}", "num_headlines": 4}
    generator = random_model(bundle, **own)
    for article in (HAN, SPACED, "囧"):
        (found,) = generator.generate([article])
        assert all(headline.text[:3] == "快讯 " for headline in found)
        assert all(len(headline.text) > 3 for headline in found) and len(found) > 1
    (tight,) = random_model(bundle, **own, max_length=4).generate([HAN])
    assert {len(headline.text) for headline in tight} == {4}
    (none,) = random_model(bundle, **own, max_length=3).generate([HAN])
    assert none[0].error is not None and "the 4 characters" in none[0].error


@pytest.mark.parametrize("bundle", [BUNDLE, tiny_bundle(SPACED), word_bundle(SPACED)])
def test_a_word_may_have_a_space_in_it(bundle: Bundle) -> None:
    for word, expected in (("囧 囧", "囧 囧"), (" 囧\u3000 囧 ", "囧 囧")):
        (headline,) = random_model(bundle, must_include=(word,)).generate([HAN])[0]
        assert expected in headline.text
    first = random_model(bundle, prefix="今 天").generate([HAN])[0][0].text
    assert first.startswith("今 天")
    avoided = {
        "prefix": "今",
        "avoid": ("今 天",),
        "num_headlines": 30,
        "max_length": 3,
    }
    (found,) = random_model(bundle, **avoided).generate(["今 天 今 天"])
    assert found and not any("今 天" in headline.text for headline in found)


def test_a_prefix_of_white_space_alone_is_none() -> None:
    expected = random_model().generate([HAN, "央"])
    for blank in (" ", "\u3000\n", "&nbsp;"):
        assert texts(random_model(prefix=blank).generate([HAN, "央"])) == texts(
            expected
        )


@KINDS
@pytest.mark.parametrize("beam_size", [1, 4])
def test_a_headline_is_no_longer_than_its_article(kind: str, beam_size: int) -> None:
    generator = random_model(BUNDLES[kind], beam_size=beam_size, exact_numbers=False)
    short = [text[:length] for text in (HAN, "囧龘罕", "5月") for length in (1, 2, 3)]
    for article, (found,) in zip(short, generator.generate(short), strict=True):
        assert 1 <= len(found.text) <= len(article)


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({"min_length": 3}, 3),
        ({"target_length": 4}, 4),
        ({"prefix": "囧囧 "}, 4),
        ({"must_include": ("囧囧",)}, 4),  # with what keeps a number apart
        ({"max_length": 6}, 1),
    ],
)
def test_whoever_asks_for_more_than_the_article_gets_it(
    asked: dict[str, Any], most: int
) -> None:
    (found,) = random_model(**asked, num_headlines=20).generate(["央"])
    assert max(len(headline.text) for headline in found) == most
    assert found[0].error is None


@pytest.mark.parametrize("least", [1, 3])
def test_a_space_that_the_vocab_lacks_is_one_all_the_same(least: int) -> None:
    own: dict[str, Any] = {"num_headlines": 30}
    own |= {"min_length": least, "max_length": least}
    generator = random_model(**own)
    assert " " not in generator.tokenizer.vocab.tokens

    (found,) = generator.generate(["万 亿 万 亿"])

    assert len(found) > 9
    assert all(len(headline.text) == least for headline in found)


@pytest.mark.parametrize(
    "asked", [{"prefix": "央央央"}, {"must_include": ("央央央",)}, {"prefix": "2020"}]
)
def test_what_is_asked_for_may_repeat_ngrams(asked: dict[str, Any]) -> None:
    generator = random_model(**asked, no_repeat_ngram_size=1, num_headlines=3)

    found = generator.generate([HAN])[0]
    assert len(found) == 3
    for headline in found:
        assert str(asked.get("prefix", "央央央")) in headline.text
        again = headline.text.replace("央央央", "", 1).replace("2020", "")
        assert len(set(again)) == len(again)


@pytest.mark.parametrize(
    ("asked", "least"),
    [
        ({"must_include": ("5", "1")}, 3),
        ({"prefix": "A", "must_include": ("G",)}, 3),
        ({"must_include": ("今5", "万行")}, 4),  # in the other order
        ({"must_include": ("央5", "万1")}, 4),
        ({"prefix": "央5", "must_include": ("万1",)}, 5),
        ({"prefix": "央行", "must_include": ("行今",)}, 3),
    ],
)
def test_room_is_counted_with_what_keeps_numbers_apart(
    asked: dict[str, Any], least: int
) -> None:
    (found,) = random_model(**asked, max_length=least).generate([HAN])

    assert [len(headline.text) for headline in found] == [least]
    (none,) = random_model(**asked, max_length=least - 1).generate([HAN])
    assert [headline.text for headline in none] == [""]
    assert none[0].error is not None and f"the {least} characters" in none[0].error


def test_headlines_are_in_the_one_form_of_texts() -> None:
    # A joiner that stands beside no emoji is not seen: two headlines would look alike.
    family = "👨\u200d👩\u200d👧"
    generator = random_model(num_headlines=20, max_length=3)

    (found,) = generator.generate([family * 4])

    texts = [headline.text for headline in found]
    assert [normalise(text) for text in texts] == texts
    assert len(set(texts)) == len(texts) > 5 and all(texts)


# Of every kind of search: the best, diverse ones, samples; hot ones copy anything.
SEARCHES: list[dict[str, Any]] = [
    {"beam_size": 1},
    {"num_headlines": 3},
    {"num_headlines": 3, "diversity": 0.8},
    {"num_headlines": 3, "sample": True},
    {"num_headlines": 3, "sample": True, "temperature": 0.6, "top_p": 0.8, "seed": 3},
    {"num_headlines": 9, "sample": True, "temperature": 30.0},
]

# Numbers, Latin words, spaces; characters outside the vocab and outside any article.
pieces = st.sampled_from([*HAN, *"123.:%万 AB罕😀", "2023年", "5.2%", "GDP", "１"])
mixed = st.lists(pieces, min_size=1, max_size=40).map("".join)
wishes = st.lists(st.sampled_from([*HAN[:6], *"5A%囧 "]), min_size=1, max_size=3)
words = st.lists(wishes.map("".join).filter(str.strip), max_size=2).map(tuple)
searches = st.sampled_from(SEARCHES)


def asked_runs(config: DecodeConfig) -> set[str]:
    return set(runs(normalise(" ".join((config.prefix, *config.must_include)))))


def follow_all_rules(
    headlines: list[Headline], article: str, config: DecodeConfig
) -> bool:
    """Asserts that the candidates of an article are as its config asks."""
    texts = [headline.text for headline in headlines]
    assert 1 <= len(texts) <= config.num_headlines and len(set(texts)) == len(texts)
    # A number that the cut goes through is not in the whole article.
    whole = normalise(article)
    allowed = set(runs(whole[: BUNDLE.max_source_length])) & set(runs(whole))
    for text in texts:
        assert text == normalise(text)
        assert (len(text) > 0) == (len(whole) > 0)
        assert len(text) <= config.max_length
        assert set(runs(text)) <= allowed | asked_runs(config)
        if text:
            assert text.startswith(opening(config.prefix))
        asked = len(opening(config.prefix)) + sum(map(len, config.must_include))
        more = asked + len(config.must_include)
        assert len(text) <= max(more + len(whole), config.min_length)
        for word in map(normalise, config.must_include):
            assert word in text or not text
        assert not any(normalise(word) in text for word in config.avoid)
    return bool(texts[0])


@KINDS
@given(article=mixed, own=searches, most=st.integers(3, 12))
def test_numbers_and_latin_words_are_the_articles_and_no_headline_is_blank(
    kind: str, article: str, own: dict[str, Any], most: int
) -> None:
    config = DecodeConfig(**own, max_length=most)

    (found,) = Generator.from_bundle(BUNDLES[kind], config).generate([article])

    follow_all_rules(found, article, config)


SEARCHED_BY_KEYS: list[dict[str, Any]] = [
    {"beam_size": 1},
    {"num_headlines": 3, "no_repeat_ngram_size": 1},
    {"num_headlines": 3, "min_length": 3},
    {"target_length": 5},
    {"must_include": ("天",)},
]


@KINDS
@fewer
@given(
    batch=st.lists(mixed, min_size=1, max_size=4), own=st.sampled_from(SEARCHED_BY_KEYS)
)
def test_only_what_may_be_taken_is_asked_of_a_constraint(
    kind: str, batch: list[str], own: dict[str, Any]
) -> None:
    generator = Generator.from_bundle(BUNDLES[kind], DecodeConfig(**own, max_length=8))
    with pytest.MonkeyPatch.context() as patch:
        found, some = generator.generate(batch), calls_of(patch, Constraint, "follow")
        assert generator.generate(batch) == found
        fewer = len(some)
        patch.setattr(Search, "taken", lambda self, candidates: candidates.ids.shape[1])
        assert generator.generate(batch) == found
        assert fewer <= len(some) - fewer


def calls_of(patch: pytest.MonkeyPatch, owner: type, name: str) -> list[Any]:
    """Returns a list that each call of a method adds its arguments to."""
    calls: list[Any] = []
    method = getattr(owner, name)

    def recording(*args: Any) -> Any:
        calls.append(args)
        return method(*args)

    patch.setattr(owner, name, recording)
    return calls


@KINDS
def test_without_exact_numbers_some_are_invented(kind: str) -> None:
    article = "2023年5.2% 12:30 GDP 1.7万亿 A股 3月"
    config = DecodeConfig(**SEARCHES[-1], exact_numbers=False)

    (found,) = Generator.from_bundle(BUNDLES[kind], config).generate([article])

    written = {run for headline in found for run in runs(headline.text)}
    assert written - set(runs(article))


@KINDS
@given(
    article=mixed,
    own=searches,
    prefix=wishes.map("".join),
    include=words,
    avoid=words,
    room=st.integers(0, 3),
)
def test_each_candidate_is_as_asked_even_where_the_room_is_just_enough(
    kind: str,
    article: str,
    own: dict[str, Any],
    prefix: str,
    include: tuple[str, ...],
    avoid: tuple[str, ...],
    room: int,
) -> None:
    config = DecodeConfig(
        **own, prefix=prefix, must_include=include, avoid=avoid, max_length=99
    )
    generator = Generator.from_bundle(BUNDLES[kind], config)
    try:
        config = replace(config, max_length=least_room(generator, article) + room)
    except ConfigError:
        asked_texts = [normalise(text) for text in (prefix, *include)]
        assert any(normalise(bad) in text for bad in avoid for text in asked_texts)
        return

    (found,) = generator.generate([article], [config])

    assert follow_all_rules(found, article, config) == bool(normalise(article))


def least_room(generator: Generator, article: str) -> int:
    """The least max_length that goes with what is asked for."""
    generator.check(generator.config)
    for most in range(1, 99):
        config = replace(generator.config, max_length=most)
        if generator.generate([article], [config])[0][0].error is None:
            return most
    raise AssertionError("no length will do")


own_settings = st.fixed_dictionaries(
    {},
    optional={
        "max_length": st.integers(8, 12),
        "min_length": st.integers(1, 8),
        "target_length": st.integers(0, 8),
        "no_repeat_ngram_size": st.integers(0, 3),
        "exact_numbers": st.booleans(),
        "prefix": st.sampled_from(["央行", "囧5", "GDP "]),
        "must_include": st.sampled_from([("准备",), ("5%", "囧")]),
        "avoid": st.sampled_from([("今",), ("下调", "😀")]),
    },
)


@fewer
@given(
    rows=st.lists(st.tuples(mixed, searches, own_settings), max_size=8),
    batch_size=st.integers(1, 4),
)
def test_each_article_is_searched_by_its_own_config(
    rows: list[tuple[str, dict[str, Any], dict[str, Any]]], batch_size: int
) -> None:
    articles = [article for article, _, _ in rows]
    configs = [DecodeConfig(**{"max_length": 9, **a, **b}) for _, a, b in rows]
    together = random_model(batch_size=batch_size)

    found = together.generate(articles, configs)

    for article, config, headlines in zip(articles, configs, found, strict=True):
        (alone,) = Generator.from_bundle(BUNDLE, config).generate([article])
        scores = [one.score for one in alone]
        assert [one.score for one in headlines] == pytest.approx(scores, abs=1e-4)
        # Required words that the model would never write can cost so much that float32
        # does not tell one order of them from another.
        if min(scores) > -100:
            assert [one.text for one in headlines] == [one.text for one in alone]


@fewer
@given(
    articles=st.lists(mixed.filter(normalise), min_size=1, max_size=4),
    own=searches,
    more=own_settings,
    batch_size=st.integers(1, 4),
)
def test_the_score_of_a_headline_is_what_the_search_gave(
    articles: list[str], own: dict[str, Any], more: dict[str, Any], batch_size: int
) -> None:
    generator = random_model(**{"max_length": 9, **own, **more}, batch_size=batch_size)

    found = generator.generate(articles)

    both = [
        (article, headline)
        for article, headlines in zip(articles, found, strict=True)
        for headline in headlines
    ]
    sources = [article for article, _ in both]
    scores = generator.score(sources, [headline.text for _, headline in both])
    # Without the slack the float32 sums of many steps would have to be the same.
    expected = [headline.score for _, headline in both]
    assert scores == pytest.approx(expected, rel=1e-5, abs=1e-4)
    alone = [generator.score([a], [headline.text])[0] for a, headline in both]
    assert scores == pytest.approx(alone, rel=1e-5, abs=1e-4)
    assert all(score < 0 for score in scores)


# --- words ----------------------------------------------------------------------------


def test_a_word_outside_the_vocab_is_copied_character_by_character() -> None:
    tokenizer = BUNDLES["word"].tokenizer
    article = "下调北京冬奥会"
    generator = Generator(tokenizer, CopyEngine(9), DecodeConfig(), 50)

    (found,) = generator.generate([article])

    assert found[0].text == article
    pieces = [tokenizer.decode([token], found[0].extra) for token in found[0].ids]
    assert pieces == ["下调", *"北京冬奥会"]


def test_one_text_of_different_words_is_one_headline() -> None:
    tokenizer = word_bundle(f"{HAN} 准 备").tokenizer
    article = "准备 准 备"  # three words
    config = DecodeConfig(num_headlines=30, max_length=2)

    (found,) = Generator(tokenizer, CopyEngine(1), config, 50).generate([article])

    texts = [headline.text for headline in found]
    assert sorted(texts) == sorted(["准备", "准", "备", "准准", "备准", "备备"])


def test_only_listed_tokens_and_those_of_the_article_are_written() -> None:
    listed = BUNDLE.tokenizer.vocab.tokens[len(SPECIAL_TOKENS) : 6]
    article = HAN[6:9]

    short, full = (
        {character for text in texts(found)[0] for character in text}
        for found in (
            random_model(shortlist=shortlist, num_headlines=20).generate([article])
            for shortlist in (6, 0)
        )
    )

    assert short <= {*listed, *article}
    assert full - {*listed, *article}


# --- what a caller may get wrong ------------------------------------------------------


def test_an_article_whose_wishes_contradict_each_other_has_its_own_error() -> None:
    generator = copying()
    wrong = replace(generator.config, prefix="中国", avoid=("国",))
    configs = [generator.config, wrong, generator.config]

    good, bad, last = generator.generate([HAN, HAN, HAN[1:]], configs)

    assert [good[0].text, last[0].text] == [HAN[:4], HAN[1:5]]
    assert good[0].error is None and last[0].error is None
    assert texts([bad]) == [[""]]
    assert bad[0].error == "prefix '中国' holds '国', which is to be avoided"


def test_one_text_in_the_place_of_a_list_is_refused() -> None:
    generator = copying()
    for call in (
        lambda: generator.generate(HAN),
        lambda: generator.stream(HAN),  # at once, not at the first headline
        lambda: generator.score(HAN, [HAN]),
        lambda: generator.score([HAN], HAN),
    ):
        with pytest.raises(TypeError, match=r"list of texts, not one text: .*\[text\]"):
            call()


def test_as_many_configs_and_headlines_as_articles_are_wanted() -> None:
    generator = copying()
    with pytest.raises(ValueError, match=r"configs .* got 1 for 2 articles"):
        generator.generate([HAN, HAN], [generator.config])
    for headlines in ([HAN], [HAN] * 3):
        with pytest.raises(ValueError, match=r"headlines .* got \d for 2 articles"):
            generator.score([HAN, HAN], headlines)


# --- where it runs --------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_auto_takes_a_gpu_if_there_is_one_and_else_the_cpu(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    keras_engine = ModuleType("headline.engines.keras_engine")
    made = SimpleNamespace(from_weights=lambda *args: CopyEngine(3))
    monkeypatch.setattr(keras_engine, "KerasEngine", made, raising=False)
    monkeypatch.setitem(sys.modules, keras_engine.__name__, keras_engine)
    monkeypatch.setattr("headline.network.backend.select_device", asked.append)
    name = "CPU" if device == "cpu" else "NVIDIA H100"
    monkeypatch.setattr("headline.network.backend.device_in_use", lambda: name)

    for make in (Generator.from_bundle, partial(make_generator, count=1)):
        generator = make(BUNDLE, BUNDLE.decode, "auto")
        kind = CopyEngine if device == "gpu" else NumpyEngine
        assert isinstance(generator.engine, kind)
        assert asked == (["auto", "gpu"] if device == "gpu" else ["auto"])
        asked.clear()
    Generator.from_bundle(BUNDLE, BUNDLE.decode, "cpu")
    assert not asked


# --- from a folder --------------------------------------------------------------------


def test_loaded_model_writes_what_the_saved_one_does(tmp_path: Path) -> None:
    save_bundle(tmp_path, BUNDLE)
    as_saved = Generator.from_bundle(BUNDLE, BUNDLE.decode)
    other = DecodeConfig(num_headlines=4, max_length=3)

    assert Generator.load(str(tmp_path)).generate([HAN]) == as_saved.generate([HAN])
    assert Generator.load(tmp_path).config == BUNDLE.decode
    assert Generator.load(tmp_path).max_source_length == BUNDLE.max_source_length
    found = Generator.load(tmp_path, other).generate([HAN])
    assert found == Generator.from_bundle(BUNDLE, other).generate([HAN])
    assert len(found[0]) == 4


def test_loading_and_generating_on_the_cpu_loads_no_keras(tmp_path: Path) -> None:
    save_bundle(tmp_path, BUNDLE)
    program = (
        "import sys; from headline.generation.generator import Generator\n"
        f"print(Generator.load(sys.argv[1]).generate([{HAN!r}])[0][0].score)\n"
        "styles = 'headline.network.styles.catalogue'\n"
        "print(*{'keras', 'tensorflow', 'jax', 'jieba', styles} & sys.modules.keys())"
    )

    run = [sys.executable, "-c", program, str(tmp_path)]
    score, loaded = subprocess.check_output(run, text=True).splitlines()

    expected = Generator.from_bundle(BUNDLE, BUNDLE.decode).generate([HAN])
    assert float(score) == pytest.approx(expected[0][0].score, abs=1e-5)
    assert loaded == ""


def test_a_headline_at_the_limit_is_looked_for_again_with_a_wider_beam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = ending_model()
    articles = [HAN[place:] + HAN[:place] for place in range(len(HAN))]
    articles += [HAN[:length] for length in range(1, len(HAN))]
    settings: dict[str, Any] = {"max_length": 3, "exact_numbers": False}
    twice = random_model(bundle, beam_size=1, **settings).generate(articles)
    monkeypatch.setattr("headline.generation.searcher.WIDER", 1)
    narrow = random_model(bundle, beam_size=1, **settings).generate(articles)
    wide = random_model(bundle, beam_size=8, **settings).generate(articles)

    expected = [
        other if len(one[0].text) == min(3, len(article)) else one
        for one, other, article in zip(narrow, wide, articles, strict=True)
    ]
    assert texts(twice) == texts(expected)
    assert texts(twice) != texts(narrow)  # else this would test nothing
    assert {len(one[0].text) for one in narrow} != {3}


def test_the_limit_that_nobody_asked_for_is_no_reason_to_look_again() -> None:
    engine = CopyEngine(99)
    article = "".join(map(chr, range(0x4E00, 0x4E00 + 45)))
    for most, searches in ((DecodeConfig.max_length, 1), (30, 2)):
        engine.shapes.clear()
        config = DecodeConfig(max_length=most)
        Generator(char_tokenizer(article), engine, config, 50).generate([article])
        assert len(engine.shapes) == searches


def test_the_length_of_a_short_article_is_no_reason_to_look_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a model that has hardly begun to learn is searched twice at each epoch."""
    generator, batches = random_model(max_length=DecodeConfig.max_length), list[int]()
    encode = generator.engine.encode

    def counted(sources: Any) -> Any:
        batches.append(len(sources))
        return encode(sources)

    monkeypatch.setattr(generator.engine, "encode", counted)
    short = HAN[:6] + HAN[:6]
    ((found,),) = generator.generate([short])
    assert len(found.text) == len(short) and found.text != short  # cut off there
    assert batches == [1]


# --- memory ---------------------------------------------------------------------------


class Cramped(CopyEngine):
    """An engine without memory for more than two articles."""

    def encode(self, sources: Any) -> Any:
        if len(sources) > 2:
            raise MemoryError
        return super().encode(sources)


def test_without_memory_for_a_batch_its_parts_are_searched() -> None:
    articles = [HAN[at % 5 :] for at in range(9)]
    engine = Cramped(4)
    roomy, cramped = copying(batch_size=8), with_engine(engine, batch_size=8)
    assert texts(cramped.generate(articles)) == texts(roomy.generate(articles))
    assert max(shape[0] for shape in engine.shapes) == 2


# --- consensus ------------------------------------------------------------------------


def test_consensus_puts_the_headlines_of_the_beam_in_another_order() -> None:
    article = [HAN]
    plain = random_model(beam_size=6, num_headlines=6).generate(article)
    agreed = random_model(beam_size=6, num_headlines=6, consensus=True)
    (found,) = agreed.generate(article)
    assert sorted(one.text for one in found) == sorted(texts(plain)[0])
    order = consensus_order(texts(plain)[0], [one.score for one in plain[0]])
    assert [one.text for one in found] == [plain[0][place].text for place in order]
    # Asked for one, it still looks at all of the beam.
    (best,) = random_model(beam_size=6, consensus=True).generate(article)
    assert [one.text for one in best] == [found[0].text]


@pytest.mark.parametrize("other", [{"sample": True}, {"diversity": 1.0}])
def test_consensus_is_of_a_beam_alone(other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="consensus"):
        DecodeConfig(consensus=True, **other)


class CrampedDevice(Cramped):
    """As a GPU of TensorFlow says it."""

    def encode(self, sources: Any) -> Any:
        try:
            return super().encode(sources)
        except MemoryError as error:
            raise type("ResourceExhaustedError", (Exception,), {})("OOM") from error


def test_so_they_are_without_memory_on_a_device() -> None:
    articles = [HAN[at % 5 :] for at in range(9)]
    engine = CrampedDevice(4)
    roomy, cramped = copying(batch_size=8), with_engine(engine, batch_size=8)
    assert texts(cramped.generate(articles)) == texts(roomy.generate(articles))
