"""Texts of unlike length in one array."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.text.ids import PAD, Ragged, pad

rows_of_numbers = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=8)


def ragged(rows: list[list[int]]) -> Ragged:
    numbers = np.array([number for row in rows for number in row], np.int32)
    return Ragged(numbers, np.array([*map(len, rows)], np.int64))


def rows_in(table: Ragged) -> list[list[int]]:
    cuts = np.cumsum(table.lengths)[:-1]
    return [row.tolist() for row in np.split(table.numbers, cuts)][: len(table.lengths)]


def test_pad_is_as_wide_as_the_longest_row() -> None:
    rows = [np.array(row, np.int32) for row in ([4, 5, 6], [7], [8, 9])]

    assert pad(rows).tolist() == [[4, 5, 6], [7, PAD, PAD], [8, 9, PAD]]
    assert pad(rows, 2).shape == (3, 4) and pad(rows, 3).shape == (3, 3)


@given(rows_of_numbers, st.data())
def test_some_rows_of_a_ragged_table_are_left(
    rows: list[list[int]], data: st.DataObject
) -> None:
    kept = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))

    found = ragged(rows).where(np.array(kept, bool))

    assert rows_in(found) == [
        row for row, is_kept in zip(rows, kept, strict=True) if is_kept
    ]


@given(rows_of_numbers, st.integers(0, 8))
def test_a_ragged_table_is_split_into_its_rows(rows: list[list[int]], cut: int) -> None:
    first, second = ragged(rows).split([cut, len(rows)])

    assert rows_in(first) == rows[:cut]
    assert rows_in(second) == rows[cut:]
