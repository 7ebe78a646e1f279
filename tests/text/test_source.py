"""An article as the model reads it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.spans import cut, runs
from headline.text.tokenizer import CharTokenizer, Vocab

LETTERS = "12.9%万AB中国上海年到共人"
CHARS = CharTokenizer(Vocab.from_counts(Counter(LETTERS), 100, 1))
articles = st.text(LETTERS + "１ <b>\n罕😀\u200d", max_size=30)


@given(articles, st.integers(1, 20))
def test_an_article_is_normalised_cut_and_encoded(article: str, most: int) -> None:
    source = Source.read(article, CHARS, most)

    assert source.whole == normalise(article) == source.text + source.unread
    assert source.text == cut(source.whole, most)
    assert CHARS.decode(source.encoded.ids, source.encoded.extra) == source.text
    assert set(source.runs) <= set(runs(source.whole))
    assert len(source) == len(source.whole)


@given(articles)
def test_a_normalised_article_is_read_alike(article: str) -> None:
    whole = normalise(article)

    one, other = Source.of_normalised(whole, CHARS, 9), Source.read(article, CHARS, 9)

    assert (one.whole, one.text, one.runs) == (other.whole, other.text, other.runs)
    assert one.encoded.ids.tolist() == other.encoded.ids.tolist()
    assert one.encoded.extra == other.encoded.extra


def test_what_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source.read("中国", CHARS, 50)
    monkeypatch.delattr("headline.text.source.normalise")

    assert Source.read(source, CHARS, 50) is source
    with pytest.raises(NameError):
        Source.read("中国", CHARS, 50)


def test_a_run_that_the_cut_goes_through_is_not_the_articles() -> None:
    source = Source.read("到2030年共2030人", CHARS, 8)

    assert source.text == "到2030年共2" and source.runs == ("2030",)
    assert source.unread == "030人"


def test_an_emoji_is_not_cut_with_the_article() -> None:
    source = Source.read("上海👩\u200d💻", CHARS, 4)

    assert source.text == "上海" and source.runs == ()
