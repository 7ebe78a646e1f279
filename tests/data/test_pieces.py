"""Numbers of pieces to ids: what the tokenizer says of each text, many at once."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.pieces import Lexicon, PieceTable, TextTable
from headline.text.ids import Ragged
from headline.text.tokenizer import CharTokenizer, Tokenizer, Vocab, WordTokenizer

NEWS = "央行宣布下调存款准备金率，降息0.5个百分点"
texts = st.text("央行宣布降息05.B罕😀 ", min_size=1, max_size=12)
some_pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=6)


def tokenizer_of(kind: type[Tokenizer]) -> Tokenizer:
    """Returns a tokenizer that lacks some characters of the texts."""
    counts = {piece: 1 for piece in kind.split(NEWS)}
    return kind(Vocab.from_counts(kind.count(counts, 1), 100, 1))


def in_pieces(
    kind: type[Tokenizer], pairs: Sequence[tuple[str, str]]
) -> tuple[list[str], list[Ragged]]:
    """Returns the pieces of pairs, and both sides as numbers of them."""
    lexicon, sides = Lexicon(), []
    for side in zip(*pairs, strict=True):
        pieces = kind.split_all(side)
        numbers = lexicon.numbers(pieces.distinct)
        sides.append(Ragged(numbers[pieces.texts.numbers], pieces.texts.lengths))
    return lexicon.pieces, sides


def rows(side: Ragged) -> list[list[int]]:
    ends = np.cumsum(side.lengths)
    return [ids.tolist() for ids in np.split(side.numbers, ends[:-1])]


def one_by_one(
    tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]
) -> list[list[list[int]]]:
    encoded = [tokenizer.encode(source) for source, _ in pairs]
    targets = [
        tokenizer.encode(target, source.extra).ids.tolist()
        for source, (_, target) in zip(encoded, pairs, strict=True)
    ]
    return [[source.ids.tolist() for source in encoded], targets]


@given(some_pairs)
def test_looked_up_characters_are_those_of_each_text(
    pairs: list[tuple[str, str]],
) -> None:
    tokenizer = tokenizer_of(CharTokenizer)
    pieces, sides = in_pieces(CharTokenizer, pairs)
    found = PieceTable(tokenizer, pieces).encode(sides)
    assert [rows(side) for side in found] == one_by_one(tokenizer, pairs)


@pytest.mark.parametrize("kind", [CharTokenizer, WordTokenizer])
@given(pairs=some_pairs)
def test_texts_that_are_cut_anew_are_those_of_each_text(
    kind: type[Tokenizer], pairs: list[tuple[str, str]]
) -> None:
    tokenizer = tokenizer_of(kind)
    pieces, sides = in_pieces(kind, pairs)
    found = TextTable(tokenizer, pieces).encode(sides)
    assert [rows(side) for side in found] == one_by_one(tokenizer, pairs)
    assert all(side.numbers.dtype == np.int32 for side in found)


def test_a_word_depends_on_what_stands_beside_it() -> None:
    """So the ids of pieces, one behind the other, would not do."""
    kind = WordTokenizer
    tokenizer = kind(Vocab.from_counts({"行宣": 9, "央": 1, "布": 1}, 100, 1))
    pairs = [("央行宣布", "宣布")]
    pieces, sides = in_pieces(kind, pairs)
    assert pieces == ["央行", "宣布"]
    (source, _) = TextTable(tokenizer, pieces).encode(sides)
    tokens = [tokenizer.vocab.tokens[index] for index in rows(source)[0]]
    assert tokens == ["央", "行宣", "布"]
