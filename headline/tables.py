"""Tables of articles: CSV, TSV and JSON Lines, plain or .gz, read as a stream.

A row that cannot be used never stops the reading: it comes out with a problem.
Memory holds one row.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO, cast

from headline.errors import CorpusError

SOURCE_COLUMNS = ("content", "article", "text", "正文", "body", "内容", "內容")
TARGET_COLUMNS = ("title", "headline", "标题", "標題", "题目", "題目", "summary")

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
_BUFFER = 1 << 16  # bytes; also what the kind of line ends is told from
_BLOCK = 1 << 17  # characters that are read together
_LOOK_AHEAD = 100  # rows; if none of the first ones can be read, none will be
_LONGEST_FIELD = 2**31 - 1  # characters; a C long on every platform
_LONGEST_ROW = 10_000  # lines; only a quote that is never closed gets there


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


class Row(NamedTuple):
    """One record of a table.

    ``number`` counts from 1 as a spreadsheet or an editor does. In CSV and TSV it
    counts records, blank ones too, so the header is row 1 and the first record row 2;
    in JSON Lines it is the line. When ``problem`` is set, ``values`` may be partial;
    what cannot be cut into columns stands under the name ``""``.
    """

    number: int
    values: dict[str, Any]
    problem: str | None


class Block(NamedTuple):
    """Rows behind one another: columns where nothing is the matter, else rows."""

    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]  # of the rows with these numbers
    rows: Sequence[Row]  # that have a problem, or were not read as columns


class _Content(NamedTuple):
    """What a file holds, which can be read in one way or in the other."""

    columns: Sequence[str]
    rows: Iterator[Row]
    blocks: Callable[[Sequence[str]], Iterator[Block]]


class Table:
    """An open file as rows of named values; iterate over it, or its blocks, once."""

    def __init__(
        self, path: Path, content: _Content, format: CorpusFormat, file: BinaryIO
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
        with _blame(path):
            file = stack.enter_context(path.open("rb", buffering=_BUFFER))
            stream, newline = _decode(path, file, format.encoding)
            stack.enter_context(stream)
        lines = _Lines(stream, newline, path, format.encoding)
        if suffix in _DELIMITERS:
            content = _delimited(lines, _DELIMITERS[suffix])
        else:
            content = _json_lines(lines)
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
        with _blame(path):
            total += path.stat().st_size
    return total


@contextmanager
def _blame(path: Path) -> Iterator[None]:
    """Turns what goes wrong in reading the file into one line that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeError as error:  # some codecs cannot go on after a wrong byte
        raise CorpusError(
            f"cannot decode {path}: {error}; name its encoding with --encoding"
        ) from error


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


# --- lines ----------------------------------------------------------------------------


def _decode(path: Path, file: BinaryIO, encoding: str) -> tuple[TextIO, str]:
    """Returns the text of the file, cut into lines where its lines end, and how."""
    is_gzip = path.name.lower().endswith(".gz")
    stream = cast(io.BufferedReader, gzip.GzipFile(fileobj=file) if is_gzip else file)
    head = stream.peek(_BUFFER).decode(encoding, "replace")
    # A bare CR ends the lines only of a file that knows no other line end; elsewhere
    # it is text. The last character may be the first half of a CR LF.
    newline = "\r" if "\r" in head[:-1] and "\n" not in head else "\n"
    return io.TextIOWrapper(stream, encoding, "surrogateescape", newline), newline


def _read_lines(stream: TextIO, path: Path) -> Iterator[str]:
    with _blame(path):
        first = stream.readline().removeprefix("\ufeff")
        if first:
            yield first
        yield from stream


class _Lines:
    """The lines of a stream, each with "\\n" as its only line end.

    It knows what a parser above it cannot: whether a byte of the row could not be
    decoded, and whether the file ended before the row did.
    """

    def __init__(self, stream: TextIO, newline: str, path: Path, encoding: str) -> None:
        self.path = path
        self.undecodable = f"not valid {encoding}"  # as a row's problem
        self.encoding_hint = (
            f"try --encoding {'utf-8' if encoding == 'gb18030' else 'gb18030'}"
        )
        self._stream, self._newline = stream, newline
        self._lines = _read_lines(stream, path)
        self.ahead = _lines_of("")  # what comes before the rest of the stream
        self.start_row()

    def start_row(self) -> None:
        """Forgets the row before; ``problem`` is about the lines from here on."""
        self._in_row = 0
        self._decoded = True
        self._ended = False

    def problem(self) -> str | None:
        """Returns what is wrong with the row that was just completed."""
        if not self._decoded:
            return self.undecodable
        # Asked for one line more than there is: the row was still open.
        return "a quote is not closed before the end" if self._ended else None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.readline() or next(self._lines, None)
        if line is None:
            self._ended = True
            raise StopIteration
        self._in_row += 1
        if self._in_row > _LONGEST_ROW:  # an open quote must not swallow the file
            raise csv.Error(f"a quote is not closed within {_LONGEST_ROW} lines")
        if not _is_decoded(line):
            self._decoded = False
        return _with_plain_end(line) if "\r" in line else line

    def look_ahead(self) -> str | None:
        """Returns many lines, which still come next; None if it can tell of none.

        Then one of them could not be decoded, or a bare CR ends them, or they are so
        short that a row may have more of them than one is to have.
        """
        if self._newline != "\n":
            return None
        with _blame(self.path):
            text = self._stream.read(_BLOCK) + self._stream.readline()
        if "\r" in text:
            text = _with_plain_ends(text)
        text = self.ahead.read() + text
        self.ahead = _lines_of(text)
        is_short = text.count("\n") >= _LONGEST_ROW and '"' in text
        return None if is_short or not _is_decoded(text) else text


def _lines_of(text: str) -> io.StringIO:
    return io.StringIO(text, "\n")


def _with_plain_ends(text: str) -> str:
    """Does with many lines at once what is done with each, in less time."""
    plain = text.replace("\r\n", "\n")
    if "\r" in plain:
        plain = "".join(map(_with_plain_end, _lines_of(text)))
    return plain


def _with_plain_end(line: str) -> str:
    if "\r" not in line:
        return line
    body = line.rstrip("\r\n")
    return body.replace("\n", " ").replace("\r", " ") + "\n"


def _is_decoded(text: str) -> bool:
    try:
        text.encode()  # the fastest way to find what surrogateescape has left
    except UnicodeEncodeError:
        return False
    return True


# --- rows -----------------------------------------------------------------------------


def _delimited(lines: _Lines, delimiter: str) -> _Content:
    """Returns what a CSV or TSV file holds."""
    records = _Records(lines, delimiter)
    _, columns, problem = next(records, (0, [], "the file is empty"))
    if problem is not None:
        hint = f"; {lines.encoding_hint}" if problem == lines.undecodable else ""
        raise CorpusError(f"{lines.path} has no header: {problem}{hint}")
    rows = (_row(columns, *record) for record in records)
    first = _first_rows(rows)
    if first and all(row.problem == lines.undecodable for row in first):
        raise _nothing_readable(lines, first[0])

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        yield Block((), [() for _ in names], first)
        while True:
            number, several = records.take()
            if several:
                yield _block(columns, number, several, names)
            elif one_by_one := [*_some(rows)]:
                yield Block((), [() for _ in names], one_by_one)
            else:
                return

    return _Content(columns, chain(first, rows), blocks)


class _Records:
    """Iterates over number, fields and problem of each record that is not blank."""

    def __init__(self, lines: _Lines, delimiter: str) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self._lines = lines
        self._delimiter = delimiter
        self._reader = self._parse(lines)
        self._number = 0  # of the last one

    def __iter__(self) -> Iterator[tuple[int, list[str], str | None]]:
        return self

    def __next__(self) -> tuple[int, list[str], str | None]:
        while True:
            self._lines.start_row()
            self._number += 1
            fields: list[str] = []
            problem = None
            try:
                fields = next(self._reader)
            except csv.Error as error:
                problem = str(error)
            if fields or problem:
                return self._number, fields, problem or self._lines.problem()

    def take(self) -> tuple[int, list[list[str]]]:
        """Takes many records without a problem at once, the blank ones among them.

        There are none where the next has to be read on its own: perhaps it has a
        problem, or it goes on past the lines that were looked at.

        Returns:
            the number of the first, and their fields.
        """
        number, text = self._number + 1, self._lines.look_ahead()
        if text is None:
            return number, []
        # A line of two fields at the end: in a quote that is open, it would be part
        # of one.
        end = self._delimiter.join("\0\0")
        try:
            records = [*self._parse(chain(_lines_of(text), [end]))]
        except csv.Error:
            return number, []
        rest = len(text) if records.pop() == ["\0", "\0"] else self._last_begin(text)
        self._lines.ahead.seek(rest)
        self._number += len(records)
        return number, records

    def _parse(self, lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter)

    def _last_begin(self, text: str) -> int:
        """Returns the place in the text where the last record begins."""
        begin = end = 0
        lines = _lines_of(text)
        for _ in self._parse(lines):
            begin, end = end, lines.tell()
        return begin


def _block(
    columns: Sequence[str], number: int, records: list[list[str]], names: Sequence[str]
) -> Block:
    """Makes a block of records; of columns that are called alike, the last counts."""
    numbers: Sequence[int] = range(number, number + len(records))
    problems: list[Row] = []
    if set(map(len, records)) != {len(columns)}:
        numbered = [*zip(numbers, records, strict=True)]
        rows = [_row([*columns], at, fields, None) for at, fields in numbered if fields]
        problems = [row for row in rows if row.problem is not None]
        fitting = [pair for pair in numbered if len(pair[1]) == len(columns)]
        numbers = [at for at, _ in fitting]
        records = [fields for _, fields in fitting]
    by_name = dict(zip(columns, zip(*records, strict=True), strict=False))
    return Block(numbers, [by_name.get(name, ()) for name in names], problems)


def _row(
    columns: list[str], number: int, fields: list[str], problem: str | None
) -> Row:
    if problem is None and len(fields) != len(columns):
        problem = f"{len(fields)} instead of {len(columns)} columns"
    return Row(number, dict(zip(columns, fields, strict=False)), problem)


def _json_lines(lines: _Lines) -> _Content:
    """Returns what a JSON Lines file holds; an object may lack columns of the first."""
    rows = _json_rows(lines)
    first = _first_rows(rows)
    if not first:
        raise CorpusError(f"{lines.path} has no rows")
    if first[-1].problem is not None:
        raise _nothing_readable(lines, first[0])
    all_rows = chain(first, rows)

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        while several := [*_some(all_rows)]:
            yield Block((), [() for _ in names], several)

    return _Content(list(first[-1].values), all_rows, blocks)


def _some(rows: Iterator[Row]) -> Iterator[Row]:
    """Yields rows until they have enough characters for a block."""
    characters = 0
    for row in rows:
        yield row
        texts = (value for value in row.values.values() if isinstance(value, str))
        characters += 1 + sum(map(len, texts))
        if characters >= _BLOCK:
            return


def _json_rows(lines: _Lines) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.isspace():
            values, problem = _parse(line)
            yield Row(number, values, lines.problem() or problem)
        lines.start_row()


def _parse(line: str) -> tuple[dict[str, Any], str | None]:
    try:
        value = json.loads(line, strict=False)
    except (ValueError, RecursionError):
        return {"": line}, "not valid JSON"
    if not isinstance(value, dict):
        return {"": line}, "not a JSON object"
    return value, None


def _first_rows(rows: Iterator[Row]) -> list[Row]:
    """Takes the rows up to the first readable one, which nearly always is the first."""
    first = []
    for row in islice(rows, _LOOK_AHEAD):
        first.append(row)
        if row.problem is None:
            break
    return first


def _nothing_readable(lines: _Lines, row: Row) -> CorpusError:
    hint = (
        lines.encoding_hint
        if row.problem == lines.undecodable
        else "one JSON object a line is wanted"
    )
    return CorpusError(
        f"{lines.path}: none of the first rows can be read; "
        f"row {row.number} is {row.problem}; {hint}"
    )


def as_text(value: Any) -> str | None:
    """Returns a JSON value as text: null is empty, a list or an object is none."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else None
