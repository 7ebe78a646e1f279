"""The registry of file formats; each has a reader and a writer.

Each module of ``headline.formats.registered`` makes a ``FileFormat`` and registers it.
To add a format, add one module there.
"""

import io
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from headline.errors import CorpusError
from headline.formats import registered
from headline.formats.files import BUFFER, InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.lines import Lines, unpacked
from headline.formats.options import CorpusFormat
from headline.formats.records import Row, Rows
from headline.system.compression import COMPRESSIONS, named_compression, plain_name
from headline.system.progress import Report

Cell = str | float | None


class New(NamedTuple):
    """The names of what is added to each row."""

    columns: Sequence[str]  # for tables
    keys: Sequence[str]  # for objects
    scores: Sequence[str] = ()  # the columns that hold numbers


class Added(NamedTuple):
    """The output for one row: flat for columns and text, nested for objects."""

    cells: Sequence[Cell]  # of the new columns; the last ones may be missing
    values: Mapping[str, Any]  # by key
    problem: str | None = None  # why there is no output
    text: str | None = None  # as plain text; None: the cells, with tabs between them


Write = Callable[[Row | None, Added], None]  # plain text has no row


class FileFormat(ABC):
    """Reads and writes files of one format.

    ``layout`` examines a file once. With its result, ``rows`` and ``blocks`` read any
    part of the file, in any process. The stream of a part begins at a row, at a place
    from ``places``, and may extend beyond the part. The caller then takes only as many
    rows as it wants, and an open quote at their end is reported as in the whole file.

    Attributes:
        suffixes: suffixes of file names, in lower case and without .gz. Folders of
            files have none.
        is_table: whether it has rows of named values; otherwise it is plain text.
        is_text: whether its files are text, which has an encoding.
        is_folder: whether it is a folder of files.
        takes_settings: whether a row may set options of the search for its headlines.
        writes: the suffix of what ``writer`` writes.
    """

    suffixes: tuple[str, ...] = ()
    is_table = True
    is_text = True
    is_folder = False
    takes_settings = False

    @property
    def writes(self) -> str:
        return self.suffixes[0]

    def holds(self, folder: Path) -> bool:
        """Tells whether a folder has this format."""
        return False

    def replaces(self, named: "FileFormat", head: bytes) -> bool:
        """Tells whether a file has this format, though its suffix is that of another.

        Args:
            named: the format of the suffix.
            head: the first bytes of the file, decompressed.
        """
        return False

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
        return (self.writes,)

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
        new: New,
        file: InputFile | None = None,
    ) -> AbstractContextManager[Write]:
        """Yields a function that writes rows unchanged, each with its output added.

        The output is complete once the context has been left without an error.

        Args:
            stream: the output; formats that are not text write into its ``buffer``.
            layout: the layout of the file of the rows.
            file: the file of the rows, for formats that copy more of it than its rows.

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
    """Returns the format of a folder, or by the suffix of a file; None if unknown.

    A suffix of compression, such as .gz, is ignored.
    """
    _load()
    if path.is_dir():
        folders = (form for form in _formats if form.is_folder)
        return next((form for form in folders if form.holds(path)), None)
    name = plain_name(path)
    return next((form for form in _formats if name.endswith(form.suffixes)), None)


def check_output_name(files: Sequence[Path], output: Path) -> None:
    """Refuses a name of an output that would mislead programs that open it.

    The output has the format of the files, or is text without files.

    Raises:
        CorpusError: one of both is not text, and the suffix is that of another format.
    """
    reads, named = format_of(files[0]) if files else None, format_of(output)
    writes = ".txt" if reads is None else reads.writes
    wanted = format_of(Path(f"x{writes}"))
    assert wanted is not None
    is_packed = not wanted.is_text and named_compression(output) is not None
    differs = named is not None and named is not wanted
    are_text = wanted.is_text and (named is None or named.is_text)
    if is_packed or (differs and not are_text):
        source = files[0] if files else "stdin"
        raise CorpusError(
            f"cannot write {output}: what comes of {source} is a {writes} file; "
            f"give -o a name that ends in {writes}"
        )


def is_text(path: Path) -> bool:
    """Tells whether the name of a file means plain text."""
    format = format_of(path)
    return format is not None and not format.is_table


def content_format_of(file: InputFile) -> FileFormat | None:
    """Returns the format of an open file or a folder; None if its suffix is unknown.

    The content decides between formats with the same suffix, such as JSON Lines and a
    JSON array.

    Raises:
        CorpusError: the file is damaged.
    """
    named = format_of(file.path)
    if named is None or named.is_folder:
        return named
    with blame(file.path):
        head = unpacked(file.preview(), str(file.path)).peek(BUFFER)
    return next((form for form in _formats if form.replaces(named, head)), named)


def table_format_of(path: Path, file: InputFile | None = None) -> FileFormat:
    """Returns the format of a table, by its content if its file is open.

    Raises:
        CorpusError: the suffix, or the folder, is not that of a table.
    """
    format = format_of(path) if file is None else content_format_of(file)
    if format is not None and format.is_table:
        return format
    if path.is_dir():
        raise CorpusError(
            f"{path} is a folder without .txt files; a folder may also be one that "
            "Hugging Face `datasets` saved; else name the files in it"
        )
    suffixes = [name for form in _formats if form.is_table for name in form.suffixes]
    packed = ", ".join(kind.suffix for kind in COMPRESSIONS)
    raise CorpusError(
        f"{path}: unknown kind of file; its name must end in {', '.join(suffixes)}, "
        f"or one of these and {packed}; `headline generate` reads .txt too"
    )
