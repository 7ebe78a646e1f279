"""The first reading of a corpus that is cleaned: its rows, and a sample of them.

The rows go to a file, from which they are read again once the rules are known. So a
corpus is read once, even if it is a pipe or an iterator. The rules are learned from the
sample. Which pairs it holds depends on their texts alone: not on their order, on exact
duplicates or on the number of workers.
"""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

from headline.formats.records import Rows
from headline.text.normalise import normalise_all

SIZE = 20_000  # pairs in the sample
BEGIN, END = 800, 200  # characters kept of both ends of a long article
HASHED = 60  # first characters of an article whose hash counts, with the headline


class PackedTexts(Sequence[Sequence[str]]):
    """Columns of texts as bytes, unpacked when they are used.

    The process that reads the rows again only hands them on to another one.
    """

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._packed = pickle.dumps(texts, pickle.HIGHEST_PROTOCOL)

    @cached_property
    def _texts(self) -> Sequence[Sequence[str]]:
        texts: Sequence[Sequence[str]] = pickle.loads(self._packed)  # noqa: S301  ours
        return texts

    def __getstate__(self) -> dict[str, bytes]:
        return {"_packed": self._packed}

    def __getitem__(self, index: Any) -> Any:
        return self._texts[index]

    def __len__(self) -> int:
        return len(self._texts)


class RowFile:
    """Blocks of rows in a temporary file, which can be read again and again.

    Args:
        stack: closes the file.
        path: the file, in a folder that other users cannot write to.
    """

    def __init__(self, stack: ExitStack, path: Path) -> None:
        self._file = stack.enter_context(path.open("w+b"))

    def write(self, rows: Rows) -> None:
        """Appends a block."""
        packed = replace(rows, texts=PackedTexts(rows.texts))
        pickle.dump(packed, self._file, pickle.HIGHEST_PROTOCOL)

    def read(self) -> Iterator[Rows]:
        """Yields all blocks, in their order."""
        self._file.flush()
        self._file.seek(0)
        while True:
            try:
                rows: Rows = pickle.load(self._file)  # noqa: S301  written above
            except EOFError:
                return
            yield rows


class Sample:
    """The pairs with the smallest hashes, at most ``size`` different ones.

    Args:
        limit: pairs whose hash is not below it are left out; ``ALL`` leaves out none.
    """

    ALL = 1 << 32

    def __init__(self, size: int = SIZE, limit: int = ALL) -> None:
        self._size = size
        self._limit = limit
        self._kept: dict[tuple[int, str, str], None] = {}

    def add(self, targets: Sequence[str], sources: Sequence[str]) -> None:
        """Adds raw headlines and their articles."""
        hashes = [
            crc32(f"{target}{source[:HASHED]}".encode("utf-8", "surrogatepass"))
            for target, source in zip(targets, sources, strict=True)
        ]
        for row, place in enumerate(hashes):
            if place < self._limit:
                self._kept[place, targets[row], _ends(sources[row])] = None
        if len(self._kept) > 1.5 * self._size:
            self._shrink()

    def keep(self, pairs: Iterable[tuple[int, str, str]]) -> None:
        """Adds pairs that another sample has kept."""
        self._kept.update(dict.fromkeys(pairs))
        if len(self._kept) > 1.5 * self._size:
            self._shrink()

    def kept(self) -> list[tuple[int, str, str]]:
        """Returns the pairs, each with its hash first, in the order of hashes."""
        self._shrink()
        return sorted(self._kept)

    def _shrink(self) -> None:
        self._kept = dict.fromkeys(sorted(self._kept)[: self._size])
        if len(self._kept) == self._size:
            # Equal hashes stay: which pair is the smaller one is not known yet.
            self._limit = max(self._kept)[0] + 1

    def texts(self) -> tuple[list[str], list[str]]:
        """Returns the headlines and articles, normalised and without blank ones."""
        ordered = self.kept()
        targets = normalise_all([target for _, target, _ in ordered])
        sources = normalise_all([source for _, _, source in ordered])
        both = [*filter(all, zip(targets, sources, strict=True))]
        return [target for target, _ in both], [source for _, source in both]


def _ends(source: str) -> str:
    """Cuts the middle out of a long article."""
    if len(source) <= BEGIN + END:
        return source
    return f"{source[:BEGIN]}\n{source[-END:]}"
