"""Texts in, headlines out: each article's own, whatever stands beside it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.bundle import save_bundle
from headline.config import DecodeConfig
from headline.errors import ConfigError
from headline.generator import BLANK, WINDOW, Generator, Headline
from headline.text import normalise
from tests.scripted import CopyEngine, char_tokenizer, tiny_bundle

stable = settings(derandomize=True, deadline=None, max_examples=30)

HAN = "央行今日宣布下调存款准备金率"
BUNDLE = tiny_bundle(HAN + HAN[:5])
# Known and unknown characters, markup, white space, and blank articles.
articles = st.lists(st.text(HAN + "１ <b>\n罕😀", max_size=20), max_size=9)


def copying(length: int = 4, source: int = 50, **settings: Any) -> Generator:
    """Returns a generator that copies the beginning of each article."""
    tokenizer = char_tokenizer(HAN, vocab_size=12)
    return Generator(tokenizer, CopyEngine(length), DecodeConfig(**settings), source)


def random_model(**settings: Any) -> Generator:
    """Returns a generator with a model that was never trained."""
    return Generator.from_bundle(BUNDLE, DecodeConfig(**{"max_length": 8} | settings))


def texts(found: list[list[Headline]]) -> list[list[str]]:
    return [[headline.text for headline in headlines] for headlines in found]


# --- one by one, together, as a stream ------------------------------------------------


@stable
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


@stable
@given(articles, st.integers(1, 4))
def test_headlines_come_in_the_order_of_the_articles(
    articles: list[str], batch_size: int
) -> None:
    found = copying(batch_size=batch_size).generate(articles)

    expected = [normalise(article)[:4].strip() for article in articles]
    assert [headlines[0].text for headlines in found] == expected


@stable
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


@stable
@given(articles, st.integers(1, 6), st.integers(1, 6))
def test_headlines_of_an_article_differ_and_the_best_is_first(
    articles: list[str], num_headlines: int, beam_size: int
) -> None:
    generator = random_model(
        num_headlines=num_headlines, beam_size=beam_size, length_penalty=0.0
    )

    for headlines in generator.generate(articles):
        scores = [headline.score for headline in headlines]
        assert 1 <= len(headlines) <= num_headlines
        assert len({headline.text for headline in headlines}) == len(headlines)
        assert scores == sorted(scores, reverse=True)
        assert scores[0] <= 0


# --- what is asked of a headline ------------------------------------------------------


def test_a_space_takes_no_more_room_than_itself() -> None:
    bundle = tiny_bundle(HAN + "  ")
    config = DecodeConfig(prefix="央 行", max_length=3)
    (found,) = Generator.from_bundle(bundle, config).generate([HAN])

    assert " " in bundle.tokenizer.vocab.tokens
    assert [headline.text for headline in found] == ["央 行"]


@pytest.mark.parametrize("least", [1, 3])
def test_a_space_that_the_vocab_lacks_is_one_all_the_same(least: int) -> None:
    own = {"num_headlines": 30, "min_length": least, "max_length": least}
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

    for headline in generator.generate([HAN])[0]:
        assert str(asked.get("prefix", "央央央")) in headline.text
        again = headline.text.replace("央央央", "央").replace("2020", "")
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
    with pytest.raises(ConfigError, match=f"the {least} characters"):
        random_model(**asked, max_length=least - 1).generate([HAN])


def test_headlines_are_in_the_one_form_of_texts() -> None:
    # A joiner that stands beside no emoji is not seen: two headlines would look alike.
    family = "👨\u200d👩\u200d👧"
    generator = random_model(num_headlines=20, max_length=3)

    (found,) = generator.generate([family * 4])

    texts = [headline.text for headline in found]
    assert [normalise(text) for text in texts] == texts
    assert len(set(texts)) == len(texts) > 5 and all(texts)


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
        "import sys; from headline.generator import Generator\n"
        f"print(Generator.load(sys.argv[1]).generate([{HAN!r}])[0][0].score)\n"
        "print(*{'keras', 'tensorflow', 'jax', 'jieba'} & sys.modules.keys())"
    )

    run = [sys.executable, "-c", program, str(tmp_path)]
    score, loaded = subprocess.check_output(run, text=True).splitlines()

    expected = Generator.from_bundle(BUNDLE, BUNDLE.decode).generate([HAN])
    assert float(score) == pytest.approx(expected[0][0].score, abs=1e-5)
    assert loaded == ""
