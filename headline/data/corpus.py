"""Conversion of corpus files to pairs.

Rows are read in blocks, large enough that the fixed costs of NumPy calls and of sending
a block to another process hardly matter per row.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from headline.data.cleaner import Cleaned, Cleaner, Hit, Keys
from headline.data.cleaning import Reason, length_faults
from headline.data.duplicates import digest_of
from headline.errors import CorpusError
from headline.formats.records import Rows
from headline.formats.tables import CorpusFormat, Table, find_pair_columns, open_table
from headline.text.normalise import normalise_all

BLOCK = 1000  # pairs in memory that are processed together


class Pair(NamedTuple):
    """An article and its headline, both normalised."""

    source: str
    target: str


class Judged(NamedTuple):
    """A block of rows as pairs.

    Attributes:
        found: the pair of each row, or the reason why it is rejected.
        digests: the digests of the rows that may be duplicates, by the index of the
            row.
        articles: the articles of all rows, before they are cleaned.
        hits: what cleaning has removed.
        keys: the keys of all rows; None without cleaning.
    """

    found: list[Pair | Reason]
    digests: dict[int, bytes]
    articles: Sequence[str]
    hits: Sequence[Hit] = ()
    keys: Keys | None = None


class RowReader(ABC):
    """Reads the rows of files in blocks, and makes pairs of them.

    The rows must be read in order; ``judge`` can process any block in another process.
    A reader keeps none of the rows that it has read.

    Attributes:
        names: the names of the files as text.
        cleaner: cleans the texts of rows; None leaves them as they are.
    """

    cleaner: Cleaner | None = None

    def __init__(self, files: Iterable[Path], format: CorpusFormat) -> None:
        self._files = tuple(files)
        self.names = [*map(shown, self._files)]
        self._format = format

    def read(self) -> Iterator[Rows]:
        """Reads the files from the start, in their order; the last block may be empty.

        Positions are in bytes on disk, rounded up to whole read buffers.

        Raises:
            CorpusError: a file cannot be read, lacks a column or has no rows.
        """
        before = 0
        for file, path in enumerate(self._files):
            with self.opened(file) as (table, columns):
                count = 0
                for rows in table.blocks(columns):
                    rows.file, rows.position = file, before + table.position()
                    count += len(rows)
                    yield rows
                before += table.position()
            if not count:
                raise CorpusError(f"{path} has no rows")

    @contextmanager
    def opened(self, file: int) -> Iterator[tuple[Table, tuple[str, ...]]]:
        """Yields a file, by its number, and the names of its columns to read.

        Raises:
            CorpusError: it cannot be read or lacks a column.
        """
        with open_table(self._files[file], self._format) as table:
            yield table, self._columns(table)

    def judge(self, texts: Sequence[Sequence[str]]) -> Judged:
        """Normalises, cleans and checks the texts of ``Rows.texts``."""
        columns = [normalise_all(column) for column in texts]
        cleaned, keys = self._cleaned(columns)
        faults = {**cleaned.faults, **self._faults(cleaned.columns, columns[-1])}
        found: list[Pair | Reason] = []
        digests = {}
        whole = zip(*columns, strict=True)
        for row, values in enumerate(zip(*cleaned.columns, strict=True)):
            before = next(whole)
            if row in faults:
                found.append(faults[row])
            else:
                digests[row] = digest_of(before)
                found.append(self._pair(values))
        return Judged(found, digests, columns[-1], cleaned.hits, keys)

    def _cleaned(self, columns: Sequence[Sequence[str]]) -> tuple[Cleaned, Keys | None]:
        if self.cleaner is None:
            return Cleaned(columns, (), {}, ()), None
        *targets, sources = columns  # only articles, if they have no headlines
        if targets:
            cleaned = self.cleaner.clean_pairs(targets[0], sources)
        else:
            cleaned = self.cleaner.clean_articles(sources)
        return cleaned, self.cleaner.keys(cleaned)

    @abstractmethod
    def _columns(self, table: Table) -> tuple[str, ...]:
        """Returns the names of the columns to read.

        Raises:
            CorpusError: a column is missing.
        """

    @abstractmethod
    def _faults(
        self, columns: Sequence[Sequence[str]], articles: Sequence[str]
    ) -> dict[int, Reason]:
        """Returns the reasons to reject rows, by index.

        Args:
            columns: the columns after normalising and cleaning.
            articles: the articles before cleaning.
        """

    @abstractmethod
    def _pair(self, texts: Sequence[str]) -> Pair | Reason:
        """Makes the pair of a valid row."""


class CorpusReader(RowReader):
    """Reads pairs from files with articles and headlines.

    Lengths are in characters after normalisation; ``max_target_length`` of ``None``
    means no limit.
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

    def _faults(
        self, columns: Sequence[Sequence[str]], articles: Sequence[str]
    ) -> dict[int, Reason]:
        target, source = columns
        return length_faults(
            target,
            source,
            min_source_length=self._min_source_length,
            min_target_length=self._min_target_length,
            max_target_length=self._max_target_length,
        )


def rows_of(pairs: Iterable[tuple[str, str]], file: int) -> Iterator[Rows]:
    """Yields pairs in memory as if they were the rows of a file.

    Args:
        pairs: articles and their headlines.
        file: the file number for these rows.

    Raises:
        CorpusError: an item is not a pair of texts, or there are no pairs.
    """
    number = 0
    remaining = iter(pairs)
    while some := list(islice(remaining, BLOCK)):
        for place, pair in enumerate(some, number + 1):
            check_pair(pair, place)
        targets = [target for _, target in some]
        numbers = range(number + 1, number + len(some) + 1)
        yield Rows(numbers, [targets, [source for source, _ in some]], [], file)
        number += len(some)
    if not number:
        raise CorpusError("there is no pair of an article and a headline")


def check_pair(pair: object, place: int) -> None:
    """Checks that an object is a pair of texts.

    Args:
        place: the number of the pair, counted from 1, for the message.

    Raises:
        CorpusError: it is not a pair of texts.
    """
    if isinstance(pair, tuple | list) and [*map(type, pair)] == [str, str]:
        return
    raise CorpusError(
        f"pair {place:,} must be a tuple of two texts, article and headline; "
        f"got {pair!r:.60}"
    )


def shown(path: Path) -> str:
    """Returns the path as text, with "?" for bytes that cannot be decoded."""
    return str(path).encode(errors="replace").decode()
