"""CSV and TSV: detecting their dialect, reading and writing their rows."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TextIO

from headline.errors import CorpusError
from headline.formats.columns import without_blank
from headline.formats.dialects import (
    Dialect,
    detect_delimiter,
    quotes_fit,
    separator_of,
    suspicion,
)
from headline.formats.files import BUFFER, InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.lines import (
    Lines,
    OpenQuote,
    lines_of,
    open_lines,
    open_text,
    text_layout,
)
from headline.formats.options import CorpusFormat
from headline.formats.records import Row, Rows, first_rows, none_readable
from headline.formats.registry import (
    Added,
    FileFormat,
    New,
    Write,
    check_new,
    register,
    some,
)
from headline.formats.writing import cell_text, clean
from headline.system.progress import Report

_LONGEST_FIELD = 2**31 - 1  # characters; a C long on every platform


class Delimited(FileFormat):
    """Tables of text.

    The header names the columns. A file with only a header has no rows.

    Args:
        suffix: the suffix of the files.
        usual: the usual delimiter of the columns.
    """

    def __init__(self, suffix: str, usual: str) -> None:
        self.suffixes = (suffix,)
        self._usual = usual

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        text = text_layout(file, how.encoding, how.note)
        with open_lines(file.preview(), text, note=how.note) as lines:
            dialect = self._dialect(lines, file, how)
            records = _Records(lines, dialect)
            _, header, problem = next(records, (0, [], "the file is empty"))
            if problem is not None:
                undecodable = problem == text.undecodable
                hint = f"; {text.encoding_hint}" if undecodable else ""
                raise CorpusError(f"{file.path} has no header: {problem}{hint}")
            records.width = len(header)
            first = first_rows(_row(header, *record) for record in records)
        if first and all(row.problem == text.undecodable for row in first):
            raise none_readable(text, first[0])
        return replace(
            text, header=tuple(header), columns=without_blank(header), dialect=dialect
        )

    def _dialect(self, lines: Lines, file: InputFile, how: CorpusFormat) -> Dialect:
        """Detects the dialect of a file, and skips Excel's line ``sep=;``.

        The delimiter is the user's, else that of the ``sep`` line, else the best fit
        for the header. With commas and semicolons, ``"`` always quotes; with other
        delimiters only if the whole file is consistent with quoting.
        """
        separator = separator_of(lines.peek())
        if separator is not None:
            next(lines)
        delimiter = how.delimiter or separator
        if delimiter is None:
            wanted = how.wanted_columns
            delimiter = detect_delimiter(lines.peek(), self._usual, wanted)
        quotes = delimiter in ",;" or _is_quoted(file, lines.layout, delimiter)
        return Dialect(delimiter, quotes, separator is not None)

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        with open_lines(stream, layout, start, note) as lines:
            for record in _records(lines, start):
                yield _row(layout.header, *record)

    def blocks(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str],
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Rows]:
        with open_lines(stream, layout, start, note) as lines:
            records = _records(lines, start)
            rows = (_row(layout.header, *record) for record in records)
            while True:
                number, several = records.take()
                if several:
                    yield _block(layout.header, number, several, columns)
                elif one_by_one := [*some(rows)]:
                    yield Rows((), [() for _ in columns], one_by_one)
                else:
                    return

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        if layout.tells_places:
            with open_lines(stream, layout, start, tells_places=True) as lines:
                for number, *_ in _records(lines, start):
                    yield lines.place(number)

    def shape(self, layout: Layout) -> tuple[str, ...]:
        return ("table", *layout.header)

    def is_uneven(self, row: Row, column: str, layout: Layout) -> bool:
        more = row.fields[len(layout.columns) :]
        cut = column == layout.columns[-1] and any(map(str.strip, more))
        return cut or column not in row.values

    def mended(self, row: Row, column: str, layout: Layout) -> str | None:
        """Joins an article that was split at its own commas; None if it was not.

        Such an article is in the last column, and its row has more fields than the
        header.
        """
        last = len(layout.columns) - 1
        is_cut = row.problem and len(row.fields) > len(layout.columns)
        if not is_cut or column != layout.columns[last]:
            return None
        assert layout.dialect is not None
        return layout.dialect.delimiter.join(without_blank(row.fields[last:]))

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that writes rows with the new columns after the old ones.

        Fields beyond the header come at the end of a row.
        """
        assert layout.dialect is not None
        width = len(layout.header)
        check_new(layout.header, new.columns)
        if layout.dialect.separator_line:
            stream.write(f"sep={layout.dialect.delimiter}\n")
        write_row = row_writer(stream, layout.dialect)
        write_row([*map(clean, layout.header), *new.columns])

        def write(row: Row | None, added: Added) -> None:
            assert row is not None
            fields = [clean(field) for field in row.fields]
            before, behind = fields[:width], fields[width:]
            cells = [*map(cell_text, added.cells)]
            gaps = [""] * (width - len(before)), [""] * (len(new.columns) - len(cells))
            write_row([*before, *gaps[0], *cells, *gaps[1], *behind])

        yield write


def row_writer(stream: TextIO, dialect: Dialect) -> Callable[[list[str]], object]:
    """Returns a function that writes a row in the dialect."""
    if not dialect.quotes:
        # Fields that were read without quotes have no delimiters or line ends.
        return lambda row: stream.write(dialect.delimiter.join(row) + "\n")
    writer = csv.writer(stream, delimiter=dialect.delimiter, lineterminator="\n")
    return writer.writerow


def _is_quoted(file: InputFile, text: Layout, delimiter: str) -> bool:
    """Reads the whole table to check that it is consistent with quoting."""
    if not file.is_regular:
        return False  # a pipe cannot be read twice
    # Most files have no quote at all, which is fast to check.
    if not _has_quote(file, text):
        return False
    with open_lines(file.preview(), text) as lines:
        if separator_of(lines.peek()) is not None:
            next(lines)
        return quotes_fit(lines, delimiter, lines.start_row)


def _has_quote(file: InputFile, text: Layout) -> bool:
    with blame(file.path), open_text(file.preview(), text) as stream:
        blocks = iter(partial(stream.read, BUFFER), "")
        return any('"' in block for block in blocks)


def _records(lines: Lines, start: Place | None) -> "_Records":
    """Returns the records after the header, or from a place on."""
    dialect = lines.layout.dialect
    assert dialect is not None
    note, lines.note = lines.note, None
    if start is None and dialect.separator_line:
        next(lines)
    records = _Records(lines, dialect, 1 if start is None else start.number)
    if start is None:
        next(records, None)  # the header
    records.width = len(lines.layout.header)
    lines.note = note
    return records


class _Records:
    """Iterates over number, fields and problem of each record that is not blank.

    Args:
        number: the number of the first record.
    """

    def __init__(self, lines: Lines, dialect: Dialect, number: int = 1) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self.width = 0  # columns of the header, once it is read
        self._lines = lines
        self._dialect = dialect
        self._reader = dialect.parse(lines)
        self._number = number - 1  # of the record before

    def __iter__(self) -> Iterator[tuple[int, list[str], str | None]]:
        return self

    def __next__(self) -> tuple[int, list[str], str | None]:
        while True:
            self._lines.start_row()
            self._number += 1
            fields: list[str] = []
            problem, is_open = None, False
            try:
                fields = next(self._reader)
            except csv.Error as error:
                problem, is_open = str(error), isinstance(error, OpenQuote)
            if fields or problem:
                return self._number, *self._looked_at(fields, problem, is_open)

    def _looked_at(
        self, fields: list[str], problem: str | None, is_open: bool
    ) -> tuple[list[str], str | None]:
        """Returns the fields and the problem of the record that was just read."""
        problem = problem or self._lines.problem()
        if self._lines.lines_of_row > 1:
            if is_open or self._lines.has_ended:
                fields = self._leave_open_row()
            elif problem is None:
                self._look_for_rows(self._number, fields)
        return fields, problem

    def _leave_open_row(self) -> list[str]:
        """Ends the row after its first line, so that an open quote costs one row only.

        Returns:
            the fields of the first line.
        """
        first = self._lines.take_back()
        self._reader = self._dialect.parse(self._lines)
        return next(replace(self._dialect, quotes=False).parse([first]), [])

    def _look_for_rows(self, number: int, fields: list[str]) -> None:
        """Notes where a quoted field seems to have swallowed rows."""
        odd = suspicion(fields, self.width, self._dialect.delimiter)
        if odd and self._lines.note is not None:
            where = f"{self._lines.layout.path}, row {number}"
            self._lines.note(f"{where}: {odd}; look whether a quote is missing")

    def take(self) -> tuple[int, list[list[str]]]:
        """Takes many records without a problem at once, blank ones included.

        The list is empty if the next record must be read on its own, because it may
        have a problem or go on beyond the lines that were read ahead.

        Returns:
            the number of the first record, and the fields of all.
        """
        number, text = self._number + 1, self._lines.look_ahead()
        if text is None:
            return number, []
        # Add a marker line of two fields: if a quote is still open there, the marker
        # becomes part of a quoted field.
        end = self._dialect.delimiter.join("\0\0")
        try:
            records = [*self._dialect.parse(chain(lines_of(text), [end]))]
        except csv.Error:
            return number, []
        rest = len(text) if records.pop() == ["\0", "\0"] else self._last_begin(text)
        self._lines.ahead.seek(rest)
        self._number += len(records)
        if self._lines.note is not None and text.count("\n", 0, rest) > len(records):
            for place, record in enumerate(records):
                if any("\n" in field for field in record):
                    self._look_for_rows(number + place, record)
        return number, records

    def _last_begin(self, text: str) -> int:
        """Returns the place in the text where the last record begins."""
        begin = end = 0
        lines = lines_of(text)
        for _ in self._dialect.parse(lines):
            begin, end = end, lines.tell()
        return begin


def _block(
    columns: Sequence[str], number: int, records: list[list[str]], names: Sequence[str]
) -> Rows:
    """Makes ``Rows`` of records; of columns with the same name the last one counts."""
    numbers: Sequence[int] = range(number, number + len(records))
    uneven: list[Row] = []
    named = len(without_blank(columns))

    def fits(fields: list[str]) -> bool:
        return len(fields) == len(columns) and not any(map(str.strip, fields[named:]))

    if named < len(columns) or set(map(len, records)) != {len(columns)}:
        numbered = [*zip(numbers, records, strict=True)]
        others = [pair for pair in numbered if not fits(pair[1])]
        uneven = [_row(columns, at, fields, None) for at, fields in others if fields]
        fitting = [pair for pair in numbered if fits(pair[1])]
        numbers = [at for at, _ in fitting]
        records = [fields for _, fields in fitting]
    by_name = dict(zip(columns, zip(*records, strict=True), strict=False))
    return Rows(numbers, [by_name.get(name, ()) for name in names], uneven)


def _row(
    columns: Sequence[str], number: int, fields: list[str], problem: str | None
) -> Row:
    if problem is None and any(map(str.strip, fields[len(columns) :])):
        problem = f"{len(fields)} instead of {len(columns)} columns"
    return Row(number, dict(zip(columns, fields, strict=False)), problem, fields)


CSV = Delimited(".csv", ",")
register(CSV)
register(Delimited(".tsv", "\t"))
