"""Ids of tokens: the special ones, and arrays of texts of different lengths."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

PAD, UNK, BOS, EOS = range(4)
SPECIAL_TOKENS = ("<pad>", "<unk>", "<bos>", "<eos>")

Ids = NDArray[np.int32]


class Ragged(NamedTuple):
    """Rows of numbers of different lengths, concatenated."""

    numbers: NDArray[Any]
    lengths: NDArray[np.int64]  # of each row

    def where(self, kept: NDArray[np.bool_]) -> "Ragged":
        """Returns the rows that the mask ``kept`` selects."""
        numbers = self.numbers[np.repeat(kept, self.lengths)]
        return Ragged(numbers, self.lengths[kept])

    def split(self, counts: Sequence[int]) -> Iterator["Ragged"]:
        """Yields consecutive groups of rows; ``counts`` has the rows of each group."""
        row = begin = 0
        for count in counts:
            lengths = self.lengths[row : row + count]
            end = begin + int(lengths.sum())
            yield Ragged(self.numbers[begin:end], lengths)
            row, begin = row + count, end


def pad(rows: Sequence[Ids], step: int = 1) -> Ids:
    """Stacks rows of ids into one array, padded with PAD at the end.

    Args:
        rows: at least one row.
        step: the width is the smallest multiple of this that fits the longest row.
    """
    longest = max(len(row) for row in rows)
    padded = np.full((len(rows), -(-longest // step) * step), PAD, np.int32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded
