"""Pairs in pieces, from rows to ids: what lies between the two passes of prepare.

A tokenizer cuts texts into pieces. The first pass numbers and counts them, and keeps
the texts as numbers in files; the second looks the ids of the numbers up.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaning import Reason
from headline.data.corpus import Pair
from headline.data.store import SIDES, Sides
from headline.text.ids import Ids, Ragged
from headline.text.tokenizer import Tokenizer

PIECES = 1 << 18  # that are read back at a time, about

Numbers = NDArray[np.uint32]
Encode = Callable[[Iterable[Sides]], Iterable[Sides]]


@dataclass(frozen=True)
class Pairs:
    """What came of some rows, but for duplicates: the pairs, those of a split together.

    Attributes:
        faults: why rows give no pair, by their places in ``Rows.numbers``.
        digests: of the rows that can be duplicates, likewise.
        splits: how many of the pairs are in each split, in the order of the pairs.
        rows: the place of the row of each pair.
        pieces: of all texts, the distinct ones.
        sides: the sources and the targets, as places in ``pieces``.
        lengths: characters of each side, before it is cut.
        texts: the pairs of the held-out splits.
    """

    faults: dict[int, Reason]
    digests: dict[int, bytes]
    splits: dict[str, int]
    rows: NDArray[np.intp]
    pieces: Sequence[str]
    sides: Sides
    lengths: Sequence[NDArray[np.int64]]
    texts: dict[str, list[Pair]]

    def by_split(self) -> Iterator[tuple[str, slice, Sides]]:
        """Yields each split: where its pairs are, and both sides of them."""
        begin = 0
        sources, targets = (side.split([*self.splits.values()]) for side in self.sides)
        for split, count in self.splits.items():
            yield split, slice(begin, begin + count), (next(sources), next(targets))
            begin += count


class Lexicon:
    """The pieces that were seen, numbered as they came, and how often they count."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._counts = np.zeros(0, np.int64)

    def numbers(self, pieces: Sequence[str]) -> Numbers:
        """Returns the numbers of pieces; new ones get the next."""
        places = self._places
        found = [places.setdefault(piece, len(places)) for piece in pieces]
        return np.array(found, np.uint32)

    def count(self, numbers: Numbers) -> None:
        """Adds one to the count of each piece, as often as it is there."""
        counts = np.bincount(numbers, minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    @property
    def pieces(self) -> list[str]:
        """The pieces in the order of their numbers."""
        return list(self._places)

    def counts(self) -> dict[str, int]:
        """Returns the counts of the pieces that have any."""
        counted = zip(self._places, self._counts.tolist(), strict=False)
        return {piece: count for piece, count in counted if count}


class _Files(NamedTuple):
    """One side of a split."""

    numbers: BinaryIO
    lengths: BinaryIO


class Spool:
    """The pairs of each split, in files.

    Args:
        stack: closes the files.
        folder: where they are.
    """

    def __init__(self, stack: ExitStack, folder: Path, splits: Sequence[str]) -> None:
        self.lexicon = Lexicon()
        self._longest = dict.fromkeys(splits, 1)  # in pieces

        def opened(split: str, side: str, kind: str) -> BinaryIO:
            path = folder / f"{split}.{side}.{kind}"
            return stack.enter_context(path.open("w+b"))

        self._files: Mapping[str, Mapping[str, _Files]] = {
            split: {
                side: _Files(*(opened(split, side, kind) for kind in _Files._fields))
                for side in SIDES
            }
            for split in splits
        }

    def write(self, split: str, side: str, texts: Ragged) -> None:
        """Puts texts, as numbers of the lexicon, behind those of the split."""
        longest = int(texts.lengths.max(initial=0))
        self._longest[split] = max(self._longest[split], longest)
        files = self._files[split][side]
        files.numbers.write(np.ascontiguousarray(texts.numbers, np.uint32).data)
        files.lengths.write(np.ascontiguousarray(texts.lengths, np.int64).data)

    def pairs(self, split: str) -> Iterator[Sides]:
        """Yields the pairs of a split from the first, some at a time: both sides."""
        sides = [self._files[split][side] for side in SIDES]
        for stream in (stream for files in sides for stream in files):
            stream.seek(0)
        while True:
            most = -(-PIECES // self._longest[split])
            texts = tuple(_read(files, most) for files in sides)
            if not len(texts[0].lengths):
                return
            yield texts


def _read(files: _Files, most: int) -> Ragged:
    lengths = np.fromfile(files.lengths, np.int64, most)
    return Ragged(np.fromfile(files.numbers, np.uint32, int(lengths.sum())), lengths)


class TextTable:
    """The ids of texts that are put together and cut anew.

    Args:
        pieces: of a lexicon.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._pieces = pieces

    def encode(self, pairs: Sides) -> list[Ragged]:
        """Turns both sides of pairs into ids, as ``PieceTable.encode``."""
        sources, targets = map(self._texts, pairs)
        sides: tuple[list[Ids], list[Ids]] = [], []
        for source, target in zip(sources, targets, strict=True):
            encoded = self._tokenizer.encode(source)
            sides[0].append(encoded.ids)
            sides[1].append(self._tokenizer.encode(target, encoded.extra).ids)
        return [
            Ragged(np.concatenate(ids), np.array([*map(len, ids)])) for ids in sides
        ]

    def _texts(self, side: Ragged) -> Iterator[str]:
        end = 0
        for length in side.lengths.tolist():
            begin, end = end, end + length
            numbers = side.numbers[begin:end].tolist()
            yield "".join([self._pieces[number] for number in numbers])


class PieceTable:
    """The ids of every piece of a lexicon, looked up for many texts at once.

    The id of an unknown character is negative, see ``Tokenizer.piece_ids``.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str]) -> None:
        rows = [tokenizer.piece_ids(piece) for piece in pieces]
        self._ids = np.array([index for row in rows for index in row], np.int32)
        self._sizes = np.array([*map(len, rows)], np.int64)
        self._begins = np.cumsum(self._sizes) - self._sizes
        self._first_own = len(tokenizer.vocab)

    def encode(self, pairs: Sides) -> list[Ragged]:
        """Turns both sides of pairs into ids.

        What the vocab lacks gets ids past it, for its pair alone: 0, 1, 2 and so on
        behind all tokens, in the order of its source and then its target.
        """
        sides = [self._look_up(side) for side in pairs]
        own: dict[int, dict[int, int]] = defaultdict(dict)  # of each pair
        for ids, lengths in sides:
            unknown = np.flatnonzero(ids < 0)
            rows = np.searchsorted(np.cumsum(lengths), unknown, side="right")
            for place, row in zip(unknown.tolist(), rows.tolist(), strict=True):
                index = own[row].setdefault(int(ids[place]), len(own[row]))
                ids[place] = self._first_own + index
        return sides

    def _look_up(self, texts: Ragged) -> Ragged:
        """Puts the ids of the pieces of each text behind one another.

        Of pieces 0 and 2, with ids ``a b`` and ``c`` in the table ``a b x c``, places
        are 0 1 3.
        """
        numbers, lengths = texts
        if len(self._ids) == len(self._sizes):  # a piece, an id
            return Ragged(self._ids[numbers], lengths)
        sizes = self._sizes[numbers]
        ends = np.concatenate(([0], np.cumsum(sizes)))
        places = np.arange(ends[-1])
        places += np.repeat(self._begins[numbers] - ends[:-1], sizes)
        text_ends = ends[np.concatenate(([0], np.cumsum(lengths)))]
        return Ragged(self._ids[places], np.diff(text_ends))
