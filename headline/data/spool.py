"""What lies between the passes of prepare: pairs as numbers of pieces, in files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.data.dataset import SIDES
from headline.text.ids import Ragged

PIECES = 1 << 18  # that are read back at a time, about

Numbers = NDArray[np.uint32]


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

    def pairs(self, split: str) -> Iterator[tuple[Ragged, ...]]:
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
