"""Pairs cut into pieces: the data between the two passes of prepare.

A tokenizer cuts texts into pieces. The first pass numbers and counts the pieces, and
writes the texts as numbers to files; the second pass turns the numbers into ids.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaner import Hit, Keys
from headline.data.cleaning import Reason
from headline.data.corpus import Pair
from headline.data.store import SIDES, UNPAIRED, Sides
from headline.text.ids import Ids, Ragged
from headline.text.tokenizer import Tokenizer

COUNTED = ("train", UNPAIRED)  # splits whose pieces are counted for the vocab
PIECES = 1 << 18  # about the most pieces of one side that are read back at a time

Numbers = NDArray[np.uint32]
Encode = Callable[[Iterable[Sides]], Iterable[Sides]]


@dataclass(frozen=True)
class Pairs:
    """The pairs of a block of rows, grouped by split; duplicates are still included.

    Attributes:
        faults: the reasons of rejected rows, keyed by their index in ``Rows.numbers``.
        digests: the digests of rows that may be duplicates, keyed likewise.
        splits: the number of pairs in each split, in the order of the pairs.
        rows: the index of the row of each pair.
        pieces: the distinct pieces of all texts.
        sides: the sources and the targets, as indices of ``pieces``.
        lengths: the length of each source and each target in characters, uncut.
        texts: the pairs of the held-out splits as text.
        hits: what cleaning has removed from the rows.
        keys: the keys of the pairs; None without cleaning.
    """

    faults: dict[int, Reason]
    digests: dict[int, bytes]
    splits: dict[str, int]
    rows: NDArray[np.intp]
    pieces: Sequence[str]
    sides: Sides
    lengths: Sequence[NDArray[np.int64]]
    texts: dict[str, list[Pair]]
    hits: Sequence[Hit] = ()
    keys: Keys | None = None

    def by_split(self) -> Iterator[tuple[str, slice, Sides]]:
        """Yields each split with the slice of its pairs and both sides of them."""
        begin = 0
        sources, targets = (side.split([*self.splits.values()]) for side in self.sides)
        for split, count in self.splits.items():
            yield split, slice(begin, begin + count), (next(sources), next(targets))
            begin += count


class Lexicon:
    """All pieces seen, numbered in order of appearance, with their counts."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._counts = np.zeros(0, np.int64)

    def numbers(self, pieces: Sequence[str]) -> Numbers:
        """Returns the numbers of pieces; new pieces get the next numbers."""
        places = self._places
        found = [places.setdefault(piece, len(places)) for piece in pieces]
        return np.array(found, np.uint32)

    def count(self, numbers: Numbers) -> None:
        """Adds the occurrences of pieces to their counts."""
        counts = np.bincount(numbers, minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def discount(self, numbers: Numbers) -> None:
        """Takes back occurrences that were counted."""
        self._counts -= np.bincount(numbers, minlength=len(self._counts))

    @property
    def pieces(self) -> list[str]:
        """The pieces in the order of their numbers."""
        return list(self._places)

    def counts(self) -> dict[str, int]:
        """Returns the counts of the pieces, without those of 0."""
        counted = zip(self._places, self._counts.tolist(), strict=False)
        return {piece: count for piece, count in counted if count}


class _Files(NamedTuple):
    """The two files of one side of a split."""

    numbers: BinaryIO
    lengths: BinaryIO


class Spool:
    """Temporary files with the pairs of each split.

    Args:
        stack: closes the files.
        folder: the folder of the files.
    """

    def __init__(self, stack: ExitStack, folder: Path, splits: Sequence[str]) -> None:
        self.lexicon = Lexicon()
        self._longest = dict.fromkeys(splits, 1)  # in pieces
        self._kept: dict[str, NDArray[np.bool_]] = {}  # by split, once it is known

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
        """Appends texts, as numbers of the lexicon, to one side of a split."""
        longest = int(texts.lengths.max(initial=0))
        self._longest[split] = max(self._longest[split], longest)
        files = self._files[split][side]
        files.numbers.write(np.ascontiguousarray(texts.numbers, np.uint32).data)
        files.lengths.write(np.ascontiguousarray(texts.lengths, np.int64).data)

    def keep(self, split: str, kept: NDArray[np.bool_]) -> None:
        """Leaves out the pairs of a split that a mask does not select."""
        begin = 0
        for sides in self._blocks(split):
            gone = ~kept[begin : begin + len(sides[0].lengths)]
            begin += len(gone)
            for side in sides if split in COUNTED and gone.any() else ():
                self.lexicon.discount(side.where(gone).numbers)
        self._kept[split] = kept

    def pairs(self, split: str) -> Iterator[Sides]:
        """Yields the pairs of a split in blocks, each with both sides."""
        kept, begin = self._kept.get(split), 0
        for sides in self._blocks(split):
            if kept is None:
                yield sides
                continue
            stays = kept[begin : begin + len(sides[0].lengths)]
            begin += len(stays)
            if stays.any():
                yield tuple(side.where(stays) for side in sides)

    def _blocks(self, split: str) -> Iterator[Sides]:
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
    """Encodes texts by joining their pieces and cutting the texts again.

    Args:
        pieces: the pieces of a lexicon.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._pieces = pieces

    def encode(self, pairs: Sides) -> list[Ragged]:
        """Turns both sides of pairs into ids, like ``PieceTable.encode``."""
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
    """Encodes many texts at once by looking up the ids of their pieces.

    The id of an unknown character is negative; see ``Tokenizer.piece_ids``.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str]) -> None:
        rows = [tokenizer.piece_ids(piece) for piece in pieces]
        self._ids = np.array([index for row in rows for index in row], np.int32)
        self._sizes = np.array([*map(len, rows)], np.int64)
        self._begins = np.cumsum(self._sizes) - self._sizes
        self._first_own = len(tokenizer.vocab)

    def encode(self, pairs: Sides) -> list[Ragged]:
        """Turns both sides of pairs into ids.

        Unknown characters get ids after all tokens, ``len(vocab)`` and on, valid for
        their pair only, in order of appearance in the source, then the target.
        """
        sides = [self._look_up(side) for side in pairs]
        own: dict[int, dict[int, int]] = defaultdict(dict)  # by pair
        for ids, lengths in sides:
            unknown = np.flatnonzero(ids < 0)
            rows = np.searchsorted(np.cumsum(lengths), unknown, side="right")
            for place, row in zip(unknown.tolist(), rows.tolist(), strict=True):
                index = own[row].setdefault(int(ids[place]), len(own[row]))
                ids[place] = self._first_own + index
        return sides

    def _look_up(self, texts: Ragged) -> Ragged:
        """Concatenates the ids of the pieces of each text.

        Example: with the table ``a b x c``, pieces 0 and 2 have the ids ``a b`` and
        ``c``, so ``places`` is 0 1 3.
        """
        numbers, lengths = texts
        if len(self._ids) == len(self._sizes):  # one id per piece
            return Ragged(self._ids[numbers], lengths)
        sizes = self._sizes[numbers]
        ends = np.concatenate(([0], np.cumsum(sizes)))
        places = np.arange(ends[-1])
        places += np.repeat(self._begins[numbers] - ends[:-1], sizes)
        text_ends = ends[np.concatenate(([0], np.cumsum(lengths)))]
        return Ragged(self._ids[places], np.diff(text_ends))
