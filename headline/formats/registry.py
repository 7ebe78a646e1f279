"""The registry of file formats; each has a reader and a writer.

Each module of ``headline.formats.registered`` makes a ``FileFormat`` and registers it.
To add a format, add one module there.
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
    """The output for one row: flat for columns and text, nested for objects."""

    cells: Sequence[str]  # of the new columns; the last ones may be missing
    values: Mapping[str, Any]  # by key
    problem: str | None = None  # why there is no output


Write = Callable[[Row | None, Added], None]  # plain text has no row


class FileFormat(ABC):
    """Reads and writes files of one format.

    ``layout`` examines a file once. With its result, ``rows`` and ``blocks`` read any
    part of the file, in any process. The stream of a part begins at a row, at a place
    from ``places``, and may extend beyond the part. The caller then takes only as many
    rows as it wants, and an open quote at their end is reported as in the whole file.

    Attributes:
        suffixes: suffixes of file names, in lower case and without .gz.
        is_table: whether it has rows of named values; otherwise it is plain text.
        takes_settings: whether a row may set options of the search for its headlines.
    """

    suffixes: tuple[str, ...]
    is_table = True
    takes_settings = False

    @abstractmethod
    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        """Detects the layout of a file from previews of it.

        Raises:
            CorpusError: the file is empty, damaged or of another format, or none of its
                first rows can be read.
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
            start: where the stream begins, if not at the beginning of the file.
            note: gets a line about rows that look suspicious.

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
        """Yields the rows in blocks, with only the given columns."""
        rows = self.rows(stream, layout, start, note)
        while several := list(some(rows)):
            yield Rows([], [[] for _ in columns], several)

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        """Yields the place of each row of a stream; nothing if places are unknown."""
        return iter(())

    def shape(self, layout: Layout) -> tuple[str, ...]:
        """Returns a value that must be equal for files written into one output."""
        return (self.suffixes[0],)

    def is_uneven(self, row: Row, column: str, layout: Layout) -> bool:
        """Tells whether a row lacks a column, or its last one was split at commas."""
        return False

    def mended(self, row: Row, column: str, layout: Layout) -> str | None:
        """Joins a text that was split at its own delimiters; None if it was not."""
        return None

    @abstractmethod
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        columns: Sequence[str],
        keys: Sequence[str],
    ) -> Write:
        """Returns a function that writes rows unchanged, each with its output added.

        Args:
            layout: the layout of the file of the rows.
            columns: the new columns, for tables.
            keys: the new keys, for objects.

        Raises:
            CorpusError: a new column or key exists already.
        """


def some(rows: Iterator[Row]) -> Iterator[Row]:
    """Yields rows until they have at least ``Lines.BLOCK`` characters."""
    characters = 0
    for row in rows:
        yield row
        texts = (value for value in row.values.values() if isinstance(value, str))
        characters += 1 + sum(map(len, texts))
        if characters >= Lines.BLOCK:
            return


def check_new(columns: Sequence[str], new: Sequence[str]) -> None:
    """Checks that new columns do not replace old ones.

    Raises:
        CorpusError: a new column exists already.
    """
    for name in new:
        if name in columns:
            raise CorpusError(
                f"there is a column {name!r} already: give another --headline-column"
            )


_formats: list[FileFormat] = []


def register(format: FileFormat) -> None:
    """Registers a format."""
    _formats.append(format)


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(registered.__path__):
        import_module(f"{registered.__name__}.{module.name}")


def format_of(path: Path) -> FileFormat | None:
    """Returns the format by the suffix of a file, ignoring .gz; None if unknown."""
    _load()
    name = path.name.lower().removesuffix(".gz")
    return next((form for form in _formats if name.endswith(form.suffixes)), None)


def is_text(path: Path) -> bool:
    """Tells whether the name of a file means plain text."""
    format = format_of(path)
    return format is not None and not format.is_table


def table_format_of(path: Path) -> FileFormat:
    """Returns the format of a table.

    Raises:
        CorpusError: the suffix is not that of a table.
    """
    format = format_of(path)
    if format is not None and format.is_table:
        return format
    suffixes = [name for form in _formats if form.is_table for name in form.suffixes]
    raise CorpusError(
        f"{path}: unknown kind of file; its name must end in {', '.join(suffixes)}, "
        "or one of these and .gz; `headline generate` reads .txt too"
    )
