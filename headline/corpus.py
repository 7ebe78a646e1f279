"""Corpus files to pairs, with a report of every row that gives none.

Memory holds one row, and eight bytes for each pair seen.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from headline.digests import DIGEST_BYTES, DigestSet
from headline.errors import CorpusError
from headline.tables import (
    CorpusFormat,
    Table,
    as_text,
    find_pair_columns,
    open_table,
)
from headline.text import normalise

EXCERPT_LENGTH = 60  # characters


class Pair(NamedTuple):
    """An article and its headline, both normalised."""

    source: str
    target: str


class Reason(StrEnum):
    """Why a row gives no pair."""

    UNREADABLE = "unreadable row"
    EMPTY_SOURCE = "empty article"
    EMPTY_TARGET = "empty headline"
    SHORT_SOURCE = "article too short"
    SHORT_TARGET = "headline too short"
    LONG_TARGET = "headline too long"
    NOT_SHORTER = "headline not shorter than article"
    DUPLICATE = "duplicate"
    HELD_OUT = "article of a held-out split"  # one without a headline
    NO_SENTENCE = "no sentence fit for a headline"  # the same


@dataclass(frozen=True)
class Reject:
    """A row that gives no pair.

    ``row`` counts as ``Row.number`` does. ``excerpt`` is a single printable line of
    at most ``EXCERPT_LENGTH`` characters from the raw values, headline first; of an
    unreadable row it says first what is wrong.
    """

    file: str
    row: int
    reason: Reason
    excerpt: str


class RowReader(ABC):
    """What files give row by row, in their order: pairs and rejects.

    Of exact duplicates, in whichever files, the first one stays. ``place`` says which
    of the files the last row came from, counted from 0.
    """

    place = 0

    def __init__(self, files: Iterable[Path], format: CorpusFormat) -> None:
        self._files = tuple(files)
        self._format = format
        self._table: Table | None = None
        self._bytes_before = 0

    def __iter__(self) -> Iterator[Pair | Reject]:
        """Reads the files from the start.

        Raises:
            CorpusError: a file cannot be read, lacks a column or has no rows.
        """
        self._bytes_before = 0
        seen = DigestSet()
        for place, path in enumerate(self._files):
            self.place = place
            with open_table(path, self._format) as self._table:
                yield from self._read(self._table, seen)
                self._bytes_before += self._table.position()
                self._table = None

    def position(self) -> int:
        """Returns how many of the ``total_bytes`` of the files are read.

        It counts whole buffers, compressed bytes of a .gz, and costs the reading
        nothing.
        """
        now = self._table.position() if self._table else 0
        return self._bytes_before + now

    def _read(self, table: Table, seen: DigestSet) -> Iterator[Pair | Reject]:
        columns = self._columns(table)
        file = shown(table.path)
        number = 0
        for number, values, problem in table:
            raw = [values.get(column) for column in columns]
            judged = problem or self._judge(raw, seen)
            if isinstance(judged, Pair):
                yield judged
            elif isinstance(judged, Reason):
                yield Reject(file, number, judged, _excerpt(raw))
            else:
                excerpt = _excerpt([f"({judged})", *values.values()])
                yield Reject(file, number, Reason.UNREADABLE, excerpt)
        if number == 0:
            raise CorpusError(f"{table.path} has no rows")

    def _judge(self, raw: Sequence[Any], seen: DigestSet) -> Pair | Reason | str:
        """Returns the pair of a row's values, or what speaks against it."""
        texts = [normalise(text) for text in map(as_text, raw) if text is not None]
        if len(texts) < len(raw):
            return "a value that is no text"
        reason = self._fault(texts)
        if reason is not None:
            return reason
        if not seen.add(_digest(texts)):
            return Reason.DUPLICATE
        return self._pair(texts)

    @abstractmethod
    def _columns(self, table: Table) -> tuple[str, ...]:
        """Returns the names of the columns that are read.

        Raises:
            CorpusError: one is not there.
        """

    @abstractmethod
    def _fault(self, texts: Sequence[str]) -> Reason | None:
        """Returns what speaks against the normalised values of the columns."""

    @abstractmethod
    def _pair(self, texts: Sequence[str]) -> Pair | Reason:
        """Makes the pair of values without fault."""


class CorpusReader(RowReader):
    """The pairs of files with articles and headlines.

    Lengths are in characters after normalisation; ``max_target_length`` of ``None``
    sets no limit.
    """

    def __init__(
        self,
        files: Iterable[Path],
        format: CorpusFormat,
        *,
        min_source_length: int,
        min_target_length: int,
        max_target_length: int | None = None,
    ) -> None:
        super().__init__(files, format)
        self._min_source_length = min_source_length
        self._min_target_length = min_target_length
        self._max_target_length = max_target_length

    def _columns(self, table: Table) -> tuple[str, ...]:
        source, target = find_pair_columns(table, self._format)
        return target, source  # a reject shows the headline first

    def _pair(self, texts: Sequence[str]) -> Pair:
        target, source = texts
        return Pair(source, target)

    def _fault(self, texts: Sequence[str]) -> Reason | None:
        target, source = map(len, texts)
        limit = self._max_target_length
        for faulty, reason in (
            (source == 0, Reason.EMPTY_SOURCE),
            (target == 0, Reason.EMPTY_TARGET),
            (source < self._min_source_length, Reason.SHORT_SOURCE),
            (target < self._min_target_length, Reason.SHORT_TARGET),
            (limit is not None and target > limit, Reason.LONG_TARGET),
            (target >= source, Reason.NOT_SHORTER),
        ):
            if faulty:
                return reason
        return None


def shown(path: Path) -> str:
    """Returns the path as text; a name may hold bytes that are none."""
    return str(path).encode(errors="replace").decode()


def _digest(texts: Sequence[str]) -> bytes:
    """Returns 64 bits: 100 million rows agree by chance once in 4,000 corpora."""
    # No normalised text holds a line end, so the joint is unambiguous.
    joined = "\n".join(texts).encode()
    return blake2b(joined, digest_size=DIGEST_BYTES).digest()


def _excerpt(values: Iterable[Any]) -> str:
    shown = " | ".join(_glimpse(value) for value in islice(values, 10))
    printable = "".join(c if c.isprintable() else " " for c in shown)
    return " ".join(printable.split())[:EXCERPT_LENGTH]


def _glimpse(value: Any) -> str:
    if isinstance(value, list | dict):
        return "[...]" if isinstance(value, list) else "{...}"
    return "" if value is None else str(value)[:EXCERPT_LENGTH]
