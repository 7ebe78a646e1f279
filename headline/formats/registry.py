"""The formats: one reader and one writer for each.

A module of ``headline.formats.registered`` makes a ``FileFormat`` and registers it: to
add a format is to put one file there.
"""

import io
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from headline.errors import CorpusError
from headline.formats import registered
from headline.formats.files import InputFile
from headline.formats.layout import Layout, Place
from headline.formats.lines import Lines
from headline.formats.options import CorpusFormat
from headline.formats.records import Row, Rows
from headline.system.progress import Report


class Added(NamedTuple):
    """What a row gets: flat for columns and text, nested for objects."""

    cells: Sequence[str]  # of the new columns, perhaps not of the last ones
    values: Mapping[str, Any]  # by key
    problem: str | None = None  # why there is nothing


Write = Callable[[Row | None, Added], None]  # of plain text, there is no row


class FileFormat(ABC):
    """How files of one format are read and written.

    ``layout`` looks at a file once; with what it returns, ``rows`` and ``blocks`` read
    any part of it, in any process. The stream of a part begins with a row, whose place
    ``places`` has told. It may end with any other, or go on: then as many rows are
    taken as are wanted, and a quote that is open at their end is told of as in the
    whole.

    Attributes:
        suffixes: of names, in small letters and without .gz.
        is_table: whether it has rows of named values; otherwise it is plain text.
        takes_settings: whether a row may say how to search for its headlines.
    """

    suffixes: tuple[str, ...]
    is_table = True
    takes_settings = False

    @abstractmethod
    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        """Finds out how a file is written, by previews of it.

        Raises:
            CorpusError: it is empty, damaged or of another format, or none of its first
                rows can be read.
        """

    @abstractmethod
    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        """Yields the rows of a stream, which stays open.

        Args:
            stream: the bytes of the file.
            start: where the stream begins, if it does not begin with the file.
            note: gets a line about rows that look odd.

        Raises:
            CorpusError: the stream is damaged or cannot be read to its end.
        """

    def blocks(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str],
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Rows]:
        """Yields the rows many at a time, for whoever needs some columns alone."""
        rows = self.rows(stream, layout, start, note)
        while several := list(some(rows)):
            yield Rows([], [[] for _ in columns], several)

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        """Yields where each row of a stream begins; nothing where that is unknown."""
        return iter(())

    def shape(self, layout: Layout) -> tuple[str, ...]:
        """Returns what files must share to be written into one output."""
        return (self.suffixes[0],)

    def is_uneven(self, row: Row, column: str, layout: Layout) -> bool:
        """Tells whether a row lacks a column, or was cut at the commas of its last."""
        return False

    def mended(self, row: Row, column: str, layout: Layout) -> str | None:
        """Returns a text that its own row was cut at, put together; None if not."""
        return None

    @abstractmethod
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        columns: Sequence[str],
        keys: Sequence[str],
    ) -> Write:
        """Returns what writes rows as they were, each with what it gets.

        Args:
            layout: of the file that the rows are of.
            columns: the new ones, of tables.
            keys: the new ones, of objects.

        Raises:
            CorpusError: there is such a column already.
        """


def some(rows: Iterator[Row]) -> Iterator[Row]:
    """Yields rows until they have enough characters for a block."""
    characters = 0
    for row in rows:
        yield row
        texts = (value for value in row.values.values() if isinstance(value, str))
        characters += 1 + sum(map(len, texts))
        if characters >= Lines.BLOCK:
            return


def check_new(columns: Sequence[str], new: Sequence[str]) -> None:
    """Refuses to write over a column.

    Raises:
        CorpusError: one of the new ones is there already.
    """
    for name in new:
        if name in columns:
            raise CorpusError(
                f"there is a column {name!r} already: give another --headline-column"
            )


_formats: list[FileFormat] = []


def register(format: FileFormat) -> None:
    """Makes a format known."""
    _formats.append(format)


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(registered.__path__):
        import_module(f"{registered.__name__}.{module.name}")


def format_of(path: Path) -> FileFormat | None:
    """Returns the format that a file's name says, be it .gz or not; None if none."""
    _load()
    name = path.name.lower().removesuffix(".gz")
    return next((form for form in _formats if name.endswith(form.suffixes)), None)


def is_text(path: Path) -> bool:
    """Tells whether a file is plain text by its name."""
    format = format_of(path)
    return format is not None and not format.is_table


def table_format_of(path: Path) -> FileFormat:
    """Returns the format of a table.

    Raises:
        CorpusError: the name says no table.
    """
    format = format_of(path)
    if format is not None and format.is_table:
        return format
    suffixes = [name for form in _formats if form.is_table for name in form.suffixes]
    raise CorpusError(
        f"{path}: unknown kind of file; its name must end in {', '.join(suffixes)}, "
        "or one of these and .gz; `headline generate` reads .txt too"
    )
