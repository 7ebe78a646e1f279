"""Tables of articles: CSV, TSV and JSON Lines, plain or .gz, read as a stream.

A row that cannot be used never stops the reading: it comes out with a problem.
Memory holds one row.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headline.data.lines import BUFFER, Lines, blame, decode
from headline.data.records import Block, Content, Row, delimited, json_lines
from headline.errors import CorpusError

SOURCE_COLUMNS = ("content", "article", "text", "正文", "body", "内容", "內容")
TARGET_COLUMNS = ("title", "headline", "标题", "標題", "题目", "題目", "summary")

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, kw_only=True)
class CorpusFormat:
    """How to read the files.

    A column of ``None`` is found by its name, see ``SOURCE_COLUMNS`` and
    ``TARGET_COLUMNS``. ``encoding`` is any text codec of Python; a byte order mark is
    dropped. Of a row that cannot be read, ``tell`` gets a line with file, row and
    reason; a ``strict`` reader stops there.

    Raises:
        CorpusError: there is no such encoding.
    """

    encoding: str = "utf-8"
    source_column: str | None = None
    target_column: str | None = None
    strict: bool = False
    tell: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        try:
            sample = io.BytesIO("ab".encode(self.encoding))
            io.TextIOWrapper(sample, self.encoding, "surrogateescape").read()
        except (LookupError, ValueError) as error:
            raise CorpusError(
                f"unknown encoding {self.encoding!r}; try utf-8 or gb18030"
            ) from error


class Table:
    """An open file as rows of named values; iterate over it, or its blocks, once."""

    def __init__(
        self, path: Path, content: Content, format: CorpusFormat, file: BinaryIO
    ) -> None:
        self.path = path
        self.columns = tuple(content.columns)
        self._content = content
        self._format = format
        self._file = file

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows.

        Raises:
            CorpusError: the file is damaged or cannot be read to its end.
        """
        return _looked_at(self.path, self._content.rows, self._format)

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """Yields the rows, many at a time, and of most only some columns.

        It takes less time than to iterate, and waits for more than one row.

        Raises:
            CorpusError: as iterating does.
        """
        for block in self._content.blocks(columns):
            rows = [*_looked_at(self.path, iter(block.rows), self._format)]
            yield block._replace(rows=rows)

    def position(self) -> int:
        """Returns how many bytes of the file, compressed ones of a .gz, are read."""
        try:
            return self._file.tell()
        except (OSError, ValueError):  # a pipe has none, a closed file neither
            return 0


@contextmanager
def open_table(path: Path, format: CorpusFormat) -> Iterator[Table]:
    """Opens a .csv, .tsv, .jsonl, .ndjson or .json (lines) file, or its .gz.

    The columns are the header's, or the keys of the first JSON object. TSV quotes as
    CSV does. A CSV or TSV file with a header alone is a table without rows.

    Raises:
        CorpusError: the suffix is another, the file cannot be opened, is empty or
            damaged, or none of its first rows can be read.
    """
    suffix = _suffix(path)
    with ExitStack() as stack:
        with blame(path):
            file = stack.enter_context(path.open("rb", buffering=BUFFER))
            stream, newline = decode(path, file, format.encoding)
            stack.enter_context(stream)
        lines = Lines(stream, newline, path, format.encoding)
        if suffix in _DELIMITERS:
            content = delimited(lines, _DELIMITERS[suffix])
        else:
            content = json_lines(lines)
        yield Table(path, content, format, file)


def _looked_at(path: Path, rows: Iterator[Row], format: CorpusFormat) -> Iterator[Row]:
    """Yields the rows, and tells of those that cannot be read.

    Raises:
        CorpusError: there is one, and the format is strict.
    """
    for row in rows:
        if row.problem is not None:
            line = f"{path}, row {row.number}: {row.problem}"
            if format.strict:
                raise CorpusError(f"{line}; without --strict it would be left out")
            if format.tell is not None:
                format.tell(line)
        yield row


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

    Case and surrounding spaces do not count. ``what``, ``source`` or ``target``, is
    the option that the error points at.

    Raises:
        CorpusError: no column, or more than one, has the name.
    """
    for name in candidates if wanted is None else (wanted,):
        found = [column for column in table.columns if _same_name(column, name)]
        if wanted in found and found.count(wanted) == 1:
            return wanted  # written exactly so, whatever else differs in case
        if len(found) == 1:
            return found[0]
        if found:
            raise CorpusError(f"{table.path}: more than one column is called {name!r}")
    sought = f"{what} column" if wanted is None else f"column {wanted!r}"
    raise CorpusError(
        f"{table.path}: no {sought} among {_listed(table.columns)}; "
        f"name it with --{what}-column"
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


def _same_name(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


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
    """Returns the suffix that tells the kind of table, without .gz."""
    name = path.name.lower().removesuffix(".gz")
    known = (*_DELIMITERS, *_JSON_SUFFIXES)
    for suffix in known:
        if name.endswith(suffix):
            return suffix
    raise CorpusError(
        f"{path}: unknown kind of file; its name must end in {', '.join(known)}, "
        "or one of these and .gz"
    )
