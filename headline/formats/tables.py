"""Tables of articles: CSV, TSV and JSON Lines, plain or gzip, read as a stream.

A row that cannot be used never stops the reading: it comes out with a problem.
Memory holds one row.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from headline.errors import CorpusError
from headline.formats.columns import (
    SOURCE_COLUMNS,
    TARGET_COLUMNS,
    same_name,
    without_blank,
)
from headline.formats.dialects import (
    DELIMITERS,
    Dialect,
    delimiter_of,
    detect_delimiter,
    quotes_fit,
    separator_of,
)
from headline.formats.encodings import AUTO
from headline.formats.lines import BUFFER, Lines, Text, blame, decode
from headline.formats.records import (
    Block,
    Content,
    Row,
    as_text,
    delimited,
    json_lines,
    kind_of,
)

_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_TABLES = (*DELIMITERS, *_JSON_SUFFIXES)


@dataclass(frozen=True, kw_only=True)
class CorpusFormat:
    """How to read the files.

    A column of ``None`` is found by its name, see ``SOURCE_COLUMNS`` and
    ``TARGET_COLUMNS``, and so is the delimiter of a CSV file. ``encoding`` is any text
    codec of Python, or ``AUTO``; a byte order mark is dropped. Of a row that cannot be
    read, ``tell`` gets a line with file, row and reason; a ``strict`` reader stops
    there. ``note`` gets a line about what was detected, or looks odd.

    Raises:
        CorpusError: there is no such encoding.
        ConfigError: the delimiter is none.
    """

    encoding: str = AUTO
    delimiter: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    strict: bool = False
    tell: Callable[[str], None] | None = None
    note: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", delimiter_of(self.delimiter))
        if self.encoding == AUTO:
            return
        try:
            sample = io.BytesIO("ab".encode(self.encoding))
            io.TextIOWrapper(sample, self.encoding, "surrogateescape").read()
        except (LookupError, ValueError) as error:
            raise CorpusError(
                f"unknown encoding {self.encoding!r}; try utf-8 or gb18030"
            ) from error

    @property
    def wanted_columns(self) -> list[str]:
        """The names of columns that the user has given."""
        return [name for name in (self.source_column, self.target_column) if name]


class Table:
    """An open file as rows of named values; read its rows, or its blocks, once.

    Attributes:
        columns: the names of the columns, but for blank ones at the end.
        header: of CSV and TSV the same, with the blank ones.
        dialect: how a CSV or TSV file is written; None for JSON Lines.
    """

    def __init__(
        self,
        path: Path,
        content: Content,
        format: CorpusFormat,
        file: BinaryIO,
        dialect: Dialect | None,
    ) -> None:
        self.path = path
        self.header = tuple(content.columns)
        self.columns = self.header if dialect is None else without_blank(self.header)
        self.dialect = dialect
        self._content = content
        self._format = format
        self._file = file

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows, whatever columns they have; see ``rows``."""
        return self.rows(())

    def rows(self, columns: Sequence[str]) -> Iterator[Row]:
        """Yields the rows; one without text in some of the columns has a problem.

        Raises:
            CorpusError: the file is damaged or cannot be read to its end.
        """
        return self._looked_at(self._content.rows, columns)

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """Yields the rows, many at a time, and of most only some columns.

        It takes less time than ``rows``, and waits for more than one row.

        Raises:
            CorpusError: as ``rows`` does.
        """
        for block in self._content.blocks(columns):
            rows = [*self._looked_at(iter(block.rows), columns)]
            yield block._replace(rows=rows)

    def _looked_at(self, rows: Iterator[Row], columns: Sequence[str]) -> Iterator[Row]:
        """Yields rows with their problems, and tells of them.

        Raises:
            CorpusError: there is one, and the format is strict.
        """
        for row in rows:
            problem = row.problem or self._fault(row, columns)
            if problem is not None:
                row = row._replace(problem=problem)
                line = f"{self.path}, row {row.number}: {problem}"
                if self._format.strict:
                    raise CorpusError(f"{line}; without --strict it would be left out")
                if self._format.tell is not None:
                    self._format.tell(line)
            yield row

    def _fault(self, row: Row, columns: Sequence[str]) -> str | None:
        """Returns why a row has no text in one of the columns; None if it has."""
        for column in columns:
            if self.dialect is not None and self._is_uneven(row, column):
                return f"{len(row.fields)} instead of {len(self.columns)} columns"
            value = row.values.get(column)
            if as_text(value) is None:
                return f"{column!r} holds {kind_of(value)}, and no text"
        return None

    def _is_uneven(self, row: Row, column: str) -> bool:
        """Tells whether a row lacks a column, or was cut at the commas of its last."""
        more = row.fields[len(self.columns) :]
        cut = column == self.columns[-1] and any(map(str.strip, more))
        return cut or column not in row.values

    def position(self) -> int:
        """Returns how many bytes of the file, compressed ones of a .gz, are read."""
        try:
            return self._file.tell()
        except (OSError, ValueError):  # a pipe has none, a closed file neither
            return 0


@contextmanager
def open_table(path: Path, format: CorpusFormat) -> Iterator[Table]:
    """Opens a .csv, .tsv, .jsonl, .ndjson or .json (lines) file, or its .gz.

    The columns are the header's, or the keys of the first JSON object. A CSV or TSV
    file with a header alone is a table without rows. For its dialect see ``_dialect``.

    Raises:
        CorpusError: the suffix is another, the file cannot be opened, is empty, damaged
            or no text, or none of its first rows can be read.
    """
    suffix = _suffix(path)
    with ExitStack() as stack:
        with blame(path):
            file = stack.enter_context(path.open("rb", buffering=BUFFER))
            text = decode(path, file, format.encoding, format.note)
            stack.enter_context(text.stream)
        lines, dialect = Lines(text, path, format.note), None
        if suffix in DELIMITERS:
            dialect = _dialect(lines, suffix, format, text.encoding)
            content = delimited(lines, dialect)
        else:
            content = json_lines(lines)
        yield Table(path, content, format, file, dialect)


def _dialect(lines: Lines, suffix: str, format: CorpusFormat, encoding: str) -> Dialect:
    """Finds out how a CSV or TSV file is written, and passes over Excel's ``sep=;``.

    The delimiter is the user's, or what that line says, or fits the header best. With
    commas and semicolons a ``"`` may quote; with others only if it does so all over the
    file.
    """
    separator = separator_of(lines.peek())
    if separator is not None:
        next(lines)
    delimiter = format.delimiter or separator
    if delimiter is None:
        usual, wanted = DELIMITERS[suffix], format.wanted_columns
        delimiter = detect_delimiter(lines.peek(), usual, wanted)
    quotes = delimiter in ",;" or _is_quoted(lines.path, delimiter, encoding)
    return Dialect(delimiter, quotes, separator is not None)


def _is_quoted(path: Path, delimiter: str, encoding: str) -> bool:
    """Reads a table through to see whether it is consistent with quoting."""
    if not path.is_file():
        return False  # a pipe cannot be read twice
    with _text_of(path, encoding) as text:
        # Most have no quote at all, and nothing is faster than to look for one.
        blocks = iter(partial(text.stream.read, BUFFER), "")
        if not any('"' in block for block in blocks):
            return False
    with _text_of(path, encoding) as text:
        lines = Lines(text, path)
        if separator_of(lines.peek()) is not None:
            next(lines)
        return quotes_fit(lines, delimiter)


@contextmanager
def _text_of(path: Path, encoding: str) -> Iterator[Text]:
    with blame(path), path.open("rb", buffering=BUFFER) as file:
        text = decode(path, file, encoding)
        with text.stream:
            yield text


def check_can_be_read_again(path: Path) -> None:
    """Looks whether a table is a file, and no pipe, which can be read only once.

    Raises:
        CorpusError: it is none.
    """
    if path.exists() and not path.is_file():
        raise CorpusError(f"{path} is no file that can be read twice: save it as one")


def find_column(
    table: Table, wanted: str | None, candidates: Sequence[str], what: str
) -> str:
    """Returns the name of the wanted column, or else of the first candidate there.

    Case, width, spaces, hyphens and underscores do not count. ``what``, ``source`` or
    ``target``, is the option that the error points at.

    Raises:
        CorpusError: no column, or more than one, has the name.
    """
    option = f"name it with --{what}-column"
    for name in candidates if wanted is None else (wanted,):
        found = [column for column in table.columns if same_name(column, name)]
        if wanted in found and found.count(wanted) == 1:
            return wanted  # written exactly so, whatever else differs
        if len(found) == 1:
            return found[0]
        if found:
            raise CorpusError(
                f"{table.path}: more than one column is called {name!r}; {option}"
            )
    sought = f"{what} column" if wanted is None else f"column {wanted!r}"
    if table.dialect is not None and len(table.columns) == 1:
        option += ", or what separates the columns with --delimiter"
    raise CorpusError(
        f"{table.path}: no {sought} among {_listed(table.columns)}; {option}"
    )


def find_pair_columns(table: Table, format: CorpusFormat) -> tuple[str, str]:
    """Returns the names of the source's and the target's column.

    Raises:
        CorpusError: one is not found, or both are the same.
    """
    source = find_column(table, format.source_column, SOURCE_COLUMNS, "source")
    target = find_column(table, format.target_column, TARGET_COLUMNS, "target")
    if source == target:
        raise CorpusError(f"{table.path}: {source!r} is both source and target")
    return source, target


def _listed(columns: Sequence[str]) -> str:
    """Returns the first columns in quotes, short enough for a message."""
    shown = [repr(column[:40]) for column in columns[:10]]
    return ", ".join(shown + ["..."] * (len(columns) > 10))


def total_bytes(files: Iterable[Path]) -> int:
    """Returns the size of the files on disk.

    Raises:
        CorpusError: a file is missing or cannot be looked at.
    """
    total = 0
    for path in files:
        with blame(path):
            total += path.stat().st_size
    return total


def _suffix(path: Path) -> str:
    """Returns the suffix that says the kind of table, without .gz."""
    name = path.name.lower().removesuffix(".gz")
    for suffix in _TABLES:
        if name.endswith(suffix):
            return suffix
    raise CorpusError(
        f"{path}: unknown kind of file; its name must end in {', '.join(_TABLES)}, "
        "or one of these and .gz; `headline generate` reads .txt too"
    )
