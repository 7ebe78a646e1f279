"""The rules over arrays, against plain loops over tokens."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from headline.search.rules import TokenTable, repeated
from headline.text.ids import BOS, EOS, SPECIAL_TOKENS
from headline.text.spans import starts_run

small = st.integers(EOS, 8)
TOKENS = (*SPECIAL_TOKENS, "中", " ", "3", "上海", "A股")


def repeats(history: list[int], token: int, size: int) -> bool:
    """Whether the token would end an n-gram that the history has."""
    gram = [*history, token][-size:]
    grams = (history[place : place + size] for place in range(len(history)))
    return token != EOS and len(gram) == size and gram in grams


@given(
    tokens=arrays.arrays(np.int32, st.tuples(*[st.integers(1, 6)] * 3), elements=small),
    size=st.integers(1, 4),
)
def test_a_repeated_ngram_is_what_a_plain_loop_says(
    tokens: np.ndarray, size: int
) -> None:
    batch, beam, _ = tokens.shape
    ids = np.broadcast_to(np.arange(EOS, 9, dtype=np.int32), (batch, beam, 9 - EOS))

    found = repeated(tokens, ids, size)

    for place in np.ndindex(ids.shape):
        history = tokens[place[:2]].tolist()
        assert found[place] == repeats(history, int(ids[place]), size)


def test_the_table_knows_the_length_and_kind_of_each_token() -> None:
    table = TokenTable(TOKENS)
    ids = np.arange(len(TOKENS), dtype=np.int32)

    plain = TOKENS[len(SPECIAL_TOKENS) :]
    assert table.lengths(ids).tolist() == [0, 0, 0, 0, *map(len, plain)]
    assert table.in_runs(ids).tolist() == [False] * 4 + [*map(starts_run, plain)]
    blank = np.flatnonzero(table.blank(ids)).tolist()
    assert blank == [BOS, TOKENS.index(" ")]


def test_a_character_past_the_vocab_may_be_anything_but_blank() -> None:
    table, past = TokenTable(TOKENS), np.array([[len(TOKENS), 9999]], np.int32)

    assert table.lengths(past).tolist() == [[1, 1]]
    assert table.in_runs(past).all() and not table.blank(past).any()
