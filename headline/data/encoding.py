"""The second pass of prepare: numbers of pieces to the arrays of ids of a split."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.dataset import SIDES, ids_file, offsets_file
from headline.data.spool import Spool
from headline.text.ids import Ids, Ragged
from headline.text.tokenizer import Tokenizer

Write = Callable[[NDArray[Any]], object]
# Both sides of some pairs, as numbers of pieces or as ids.
Pairs = Sequence[Ragged]
Encode = Callable[[Iterable[Pairs]], Iterable[Pairs]]


class TextTable:
    """The ids of texts that are put together and cut anew.

    Args:
        pieces: of a lexicon.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._pieces = pieces

    def encode(self, pairs: Pairs) -> list[Ragged]:
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

    def encode(self, pairs: Pairs) -> list[Ragged]:
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


def encode_split(
    encode: Encode,
    spool: Spool,
    folder: Path,
    split: str,
    advance: Callable[[int], object],
) -> None:
    """Writes the arrays of a split; ids take two bytes where all of them fit.

    Args:
        advance: called now and then with the number of pairs that have been written.
    """

    def ids() -> Iterator[Pairs]:
        for pairs in encode(spool.pairs(split)):
            yield pairs
            advance(len(pairs[0].lengths))
            del pairs  # while the next are worked on

    if _write_split(ids(), folder, split, np.uint16) > np.iinfo(np.uint16).max:
        _write_split(encode(spool.pairs(split)), folder, split, np.uint32)


def _write_split(
    encoded: Iterable[Pairs],
    folder: Path,
    split: str,
    kind: type[np.unsignedinteger[Any]],
) -> int:
    """Writes ids of a kind, and offsets; returns the highest id, fit or not."""
    highest = 0
    with ExitStack() as stack:

        def opened(name: str, kind: type[np.integer[Any]]) -> Write:
            return stack.enter_context(_growing_array(folder / name, kind))

        ids = [opened(ids_file(split, side), kind) for side in SIDES]
        offsets = [opened(offsets_file(split, side), np.int64) for side in SIDES]
        for write in offsets:
            write(np.zeros(1, np.int64))
        ends = [0 for _ in SIDES]
        for pairs in encoded:
            for side, (numbers, lengths) in enumerate(pairs):
                ids[side](numbers)
                offsets[side](ends[side] + np.cumsum(lengths))
                ends[side] += len(numbers)
                highest = max(highest, int(numbers.max()))
            del pairs, numbers, lengths  # while the next are worked on
    return highest


@contextmanager
def _growing_array(path: Path, kind: type[np.integer[Any]]) -> Iterator[Write]:
    """Yields what puts numbers at the end of an array file.

    Not a memory map: where the disk is full, the process would die by a signal.
    """
    size, dtype = 0, np.dtype(kind)
    with path.open("wb") as stream:

        def write_header() -> None:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (size,)}
            np.lib.format.write_array_header_1_0(stream, header)

        def write(numbers: NDArray[Any]) -> None:
            nonlocal size
            size += len(numbers)
            stream.write(np.ascontiguousarray(numbers, dtype).data)

        write_header()
        yield write
        stream.seek(0)
        write_header()  # as long as the first one: NumPy leaves room for it to grow
