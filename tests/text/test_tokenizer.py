"""Text to ids and back: nothing is lost, and the vocab is a matter of counts alone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headline.errors import BundleError, DataError
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS, UNK
from headline.text.tokenizer import (
    TOKENIZERS,
    CharTokenizer,
    Tokenizer,
    Vocab,
    WordTokenizer,
    load_tokenizer,
)

FIRST = len(SPECIAL_TOKENS)
KINDS = list(TOKENIZERS.values())
NEWS = "央行今日宣布下调存款准备金率，新华社北京3月15日电，央行宣布下调利率"

any_text = st.text(st.characters(), max_size=30)  # with surrogates and all
news = st.text(NEWS + " ", max_size=30)
texts = any_text | news


def tokenizer_of(
    kind: type[Tokenizer], *corpus: str, vocab_size: int = 5000, min_count: int = 1
) -> Tokenizer:
    """Makes a tokenizer as prepare does."""
    pieces = Counter(piece for text in corpus for piece in kind.split(text))
    counts = kind.count(pieces, min_count)
    return kind(Vocab.from_counts(counts, vocab_size, min_count))


def plain_tokens(tokenizer: Tokenizer) -> list[str]:
    return list(tokenizer.vocab.tokens[FIRST:])


# --- there and back -------------------------------------------------------------------


@given(st.sampled_from(KINDS), texts, texts, st.sampled_from([5, 8, 5000]))
@example(WordTokenizer, NEWS, "新华社的央行宣布", 5000)
@example(WordTokenizer, NEWS, "<pad>新华社\ud800", 8)
def test_decode_undoes_encode_for_any_text(
    kind: type[Tokenizer], corpus: str, text: str, vocab_size: int
) -> None:
    tokenizer = tokenizer_of(kind, corpus, vocab_size=vocab_size)

    encoded = tokenizer.encode(text)

    assert encoded.ids.dtype == np.int32
    assert tokenizer.decode(encoded.ids, encoded.extra) == text


@given(st.sampled_from(KINDS), texts, texts, texts)
def test_character_has_one_id_in_article_and_headline(
    kind: type[Tokenizer], corpus: str, source: str, target: str
) -> None:
    tokenizer = tokenizer_of(kind, corpus)

    article = tokenizer.encode(source)
    headline = tokenizer.encode(target, article.extra)

    assert headline.extra[: len(article.extra)] == article.extra
    assert len(set(headline.extra)) == len(headline.extra)
    # What encoded the headline decodes the article too.
    assert tokenizer.decode(article.ids, headline.extra) == source
    assert tokenizer.decode(headline.ids, headline.extra) == target


@given(texts, texts)
def test_character_gets_an_id_past_the_vocab_only_if_the_corpus_lacks_it(
    corpus: str, text: str
) -> None:
    tokenizer = tokenizer_of(CharTokenizer, corpus)

    encoded = tokenizer.encode(text)

    assert len(encoded.ids) == len(text)
    unknown = [character not in corpus for character in text]
    assert (encoded.ids >= len(tokenizer.vocab)).tolist() == unknown
    assert set(encoded.extra) == set(text) - set(corpus)


@pytest.mark.parametrize("kind", KINDS)
def test_many_texts_are_cut_as_each_is(kind: type[Tokenizer]) -> None:
    some = [NEWS, "", NEWS[::-1], "\U0001f600天"]

    pieces, (numbers, lengths) = kind.split_all(some)

    assert lengths.tolist() == [len(kind.split(text)) for text in some]
    cut = [piece for text in some for piece in kind.split(text)]
    assert [pieces[number] for number in numbers] == cut
    assert len(set(pieces)) == len(pieces)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_name_of_a_special_token_is_plain_text(
    kind: type[Tokenizer], token: str
) -> None:
    tokenizer = tokenizer_of(kind, NEWS, f"{token}在文中{token}")

    encoded = tokenizer.encode(f"{token}在文")

    assert encoded.ids.min() >= FIRST
    assert encoded.ids.max() < len(tokenizer.vocab)
    assert tokenizer.decode(encoded.ids) == f"{token}在文"


def test_special_ids_are_left_out_of_the_text() -> None:
    tokenizer = tokenizer_of(CharTokenizer, "甲乙")
    ids = tokenizer.encode("甲乙").ids

    assert tokenizer.decode([*range(FIRST), ids[0], PAD, ids[1], EOS]) == "甲乙"


def test_id_past_vocab_and_extra_is_an_error() -> None:
    tokenizer = tokenizer_of(CharTokenizer, "甲乙")
    past = len(tokenizer.vocab)

    assert tokenizer.decode([past], ["丙"]) == "丙"
    with pytest.raises(IndexError):
        tokenizer.decode([past + 1], ["丙"])


# --- the vocab ------------------------------------------------------------------------


@given(texts)
def test_characters_stand_by_count_then_by_code_point(corpus: str) -> None:
    tokenizer = tokenizer_of(CharTokenizer, corpus)

    ranks = [(-corpus.count(token), token) for token in plain_tokens(tokenizer)]

    assert ranks == sorted(ranks)
    assert {token for _, token in ranks} == set(corpus)


@given(st.sampled_from(KINDS), st.lists(texts, max_size=4), st.randoms())
def test_vocab_does_not_depend_on_corpus_order(
    kind: type[Tokenizer], corpus: list[str], random: Any
) -> None:
    shuffled = random.sample(corpus, len(corpus))

    one, other = tokenizer_of(kind, *corpus), tokenizer_of(kind, *shuffled)

    assert one.vocab.tokens == other.vocab.tokens
    assert one.vocab.vocab_size == other.vocab.vocab_size


@given(st.sampled_from(KINDS), texts, st.integers(5, 12), st.integers(1, 3))
def test_generable_tokens_keep_both_limits(
    kind: type[Tokenizer], corpus: str, vocab_size: int, min_count: int
) -> None:
    pieces = Counter(kind.split(corpus))
    counts = kind.count(pieces, min_count)

    vocab = Vocab.from_counts(counts, vocab_size, min_count)

    generable = vocab.tokens[FIRST : vocab.vocab_size]
    frequent = [token for token in counts if counts[token] >= min_count]
    assert vocab.tokens[:FIRST] == SPECIAL_TOKENS
    assert set(generable) <= set(frequent)
    assert len(generable) == min(vocab_size - FIRST, len(frequent))
    assert set(corpus) <= set(vocab.tokens)  # the rarest one can still be copied


@given(texts, texts)
def test_what_has_no_embedding_is_embedded_as_unknown(corpus: str, text: str) -> None:
    tokenizer = tokenizer_of(CharTokenizer, corpus, vocab_size=8)
    generable = tokenizer.vocab.tokens[FIRST : tokenizer.vocab.vocab_size]
    ids = tokenizer.encode(text).ids

    embeddable = tokenizer.embeddable(ids)

    known = [character in generable for character in text]
    assert embeddable.dtype == np.int32
    assert embeddable.tolist() == np.where(known, ids, UNK).tolist()


# --- words ----------------------------------------------------------------------------


def test_known_word_is_one_token_and_unknown_one_its_characters() -> None:
    tokenizer = tokenizer_of(WordTokenizer, "央行宣布")

    encoded = tokenizer.encode("央行宣布降息")

    assert WordTokenizer.split("央行宣布降息") == ["央行", "宣布", "降息"]
    assert tokenizer.cut("央行宣布降息") == ["央行", "宣布", "降", "息"]
    decoded = [tokenizer.decode([index], encoded.extra) for index in encoded.ids]
    assert decoded == ["央行", "宣布", "降", "息"]
    assert encoded.extra == ("降", "息")


def test_word_outside_the_generable_vocab_is_its_characters() -> None:
    # Two words for three places: the rarer one is no token, though it is frequent.
    tokenizer = tokenizer_of(WordTokenizer, "央行央行宣布", vocab_size=FIRST + 1)

    encoded = tokenizer.encode("央行宣布")

    assert plain_tokens(tokenizer)[0] == "央行"
    assert "宣布" not in plain_tokens(tokenizer)
    assert len(encoded.ids) == 3
    assert encoded.extra == ()


def test_rare_word_gives_its_count_to_its_characters() -> None:
    pieces = {"央行": 3, "银行": 1, "行": 2}

    counts = WordTokenizer.count(pieces, 3)

    assert counts == {"央行": 3, "银": 1, "行": 3, "央": 0}


@given(texts)
def test_pieces_together_are_the_text(text: str) -> None:
    for kind in KINDS:
        assert "".join(kind.split(text)) == text


# --- the file -------------------------------------------------------------------------


@given(st.sampled_from(KINDS), st.text(st.characters(codec="utf-8")) | news)
def test_saved_tokenizer_comes_back(
    tmp_path_factory: pytest.TempPathFactory, kind: type[Tokenizer], corpus: str
) -> None:
    tokenizer = tokenizer_of(kind, "无" + corpus, vocab_size=8)
    path = tmp_path_factory.getbasetemp() / "round_trip.vocab.json"

    tokenizer.save(path)
    loaded = load_tokenizer(path, DataError)

    assert type(loaded) is kind
    assert loaded.vocab.tokens == tokenizer.vocab.tokens
    assert loaded.vocab.vocab_size == tokenizer.vocab.vocab_size


GOOD = {"format": 1, "kind": "char", "vocab_size": 6, "tokens": ["甲", "乙", "丙"]}


DAMAGE: dict[str, list[Any]] = {
    "format": [2, 0, "1", None],
    "kind": ["bpe", "", None, [], {}],
    "vocab_size": [4, 8, -1, 6.0, "6", True, None],
    "tokens": [
        None,
        "甲乙丙",
        {},
        [],
        ["甲", ""],
        ["甲", "乙", "甲"],
        ["甲", 1, ["乙"]],
    ],
}


@pytest.mark.parametrize(
    "change", [{name: value} for name, values in DAMAGE.items() for value in values]
)
def test_damaged_vocab_file_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(GOOD))
    load_tokenizer(path, BundleError)
    path.write_text(json.dumps(GOOD | change))

    with pytest.raises(BundleError) as caught:
        load_tokenizer(path, BundleError)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_that_jiebas_dictionary_cut_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps(GOOD | {"kind": "word"}))
    with pytest.raises(BundleError, match=r"format 1, .* or prepare and train anew"):
        load_tokenizer(path, BundleError)


@pytest.mark.parametrize("name", list(GOOD))
def test_vocab_file_that_lacks_an_entry_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({key: GOOD[key] for key in GOOD if key != name}))

    with pytest.raises(DataError, match=r"vocab\.json"):
        load_tokenizer(path, DataError)


def test_missing_or_cut_vocab_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    for content in ("", json.dumps(GOOD)[:-10]):
        path.write_text(content)
        with pytest.raises(DataError, match=r"vocab\.json is damaged"):
            load_tokenizer(path, DataError)
    path.unlink()
    with pytest.raises(DataError, match=r"vocab\.json is missing"):
        load_tokenizer(path, DataError)
