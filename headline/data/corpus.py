"""Corpus files to pairs.

The rows come some at a time: enough that what NumPy does with them at once, and what
it costs to hand them to another process, hardly counts for each.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from headline.data.cleaning import Reason, length_faults
from headline.data.duplicates import digest_of
from headline.errors import CorpusError
from headline.formats.records import Rows
from headline.formats.tables import CorpusFormat, Table, find_pair_columns, open_table
from headline.text.normalise import normalise_all

BLOCK = 1000  # pairs at hand that are looked at together


class Pair(NamedTuple):
    """An article and its headline, both normalised."""

    source: str
    target: str


class RowReader(ABC):
    """What files give: their rows some at a time, and the pairs of those.

    The rows have to be read one after the other, and ``judge`` can look at any of them
    in another process. A reader keeps nothing of what it has read.

    Attributes:
        names: of the files, as text.
    """

    def __init__(self, files: Iterable[Path], format: CorpusFormat) -> None:
        self._files = tuple(files)
        self.names = [*map(shown, self._files)]
        self._format = format

    def read(self) -> Iterator[Rows]:
        """Reads the files from the start, in their order; the last rows may be none.

        Positions count whole buffers, compressed bytes of a .gz, and cost nothing.

        Raises:
            CorpusError: a file cannot be read, lacks a column or has no rows.
        """
        before = 0
        for file, path in enumerate(self._files):
            with open_table(path, self._format) as table:
                columns, count = self._columns(table), 0
                for rows in table.blocks(columns):
                    rows.file, rows.position = file, before + table.position()
                    count += len(rows)
                    yield rows
                before += table.position()
            if not count:
                raise CorpusError(f"{path} has no rows")

    def judge(
        self, texts: Sequence[Sequence[str]]
    ) -> tuple[list[Pair | Reason], dict[int, bytes]]:
        """Normalises and judges what ``Rows.texts`` holds.

        Returns:
            the pair of each row, or why there is none; and by the places of the rows
            the digests of those that can be duplicates.
        """
        columns = [normalise_all(column) for column in texts]
        faults = self._faults(columns)
        found: list[Pair | Reason] = []
        digests = {}
        for row, values in enumerate(zip(*columns, strict=True)):
            if row in faults:
                found.append(faults[row])
            else:
                digests[row] = digest_of(values)
                found.append(self._pair(values))
        return found, digests

    @abstractmethod
    def _columns(self, table: Table) -> tuple[str, ...]:
        """Returns the names of the columns that are read.

        Raises:
            CorpusError: one is not there.
        """

    @abstractmethod
    def _faults(self, columns: Sequence[Sequence[str]]) -> dict[int, Reason]:
        """Returns what speaks against rows, by the normalised values of the columns."""

    @abstractmethod
    def _pair(self, texts: Sequence[str]) -> Pair | Reason:
        """Makes the pair of a row without fault."""


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

    def _faults(self, columns: Sequence[Sequence[str]]) -> dict[int, Reason]:
        target, source = columns
        return length_faults(
            target,
            source,
            min_source_length=self._min_source_length,
            min_target_length=self._min_target_length,
            max_target_length=self._max_target_length,
        )


def rows_of(pairs: Iterable[tuple[str, str]], file: int) -> Iterator[Rows]:
    """Yields pairs that are at hand as the rows of a file.

    Args:
        pairs: articles and their headlines.
        file: the number that the rows have in place of that of their file.

    Raises:
        CorpusError: something is no pair of texts, or there is none.
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
    """Refuses what is no pair of texts.

    Args:
        place: of the pair among others, counted from 1.

    Raises:
        CorpusError: it is none.
    """
    if isinstance(pair, tuple | list) and [*map(type, pair)] == [str, str]:
        return
    raise CorpusError(
        f"pair {place:,} must be a tuple of two texts, article and headline; "
        f"got {pair!r:.60}"
    )


def shown(path: Path) -> str:
    """Returns the path as text; a name may hold bytes that are none."""
    return str(path).encode(errors="replace").decode()
