"""The rows of CSV, TSV and JSON Lines, one by one or many at a time."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain, islice
from typing import Any, NamedTuple

from headline.errors import CorpusError
from headline.formats.columns import without_blank
from headline.formats.dialects import Dialect, suspicion
from headline.formats.lines import Lines, OpenQuote, lines_of

_LOOK_AHEAD = 100  # rows; if none of the first ones can be read, none will be
_SENTENCE = 8  # characters; shorter parts of a list are tokens
_MOST_DIGITS = 4000
_LONGEST_FIELD = 2**31 - 1  # characters; a C long on every platform


class Row(NamedTuple):
    """One record of a table.

    ``number`` counts from 1 as a spreadsheet or an editor does. In CSV and TSV it
    counts records, blank ones too, so the header is row 1 and the first record row 2;
    in JSON Lines it is the line. When ``problem`` is set, ``values`` may be partial;
    what cannot be cut into columns stands under the name ``""``. A short row of CSV
    lacks its last columns.
    """

    number: int
    values: dict[str, Any]
    problem: str | None
    fields: Sequence[str] = ()  # of CSV and TSV: as they stand there, surplus ones too


class Block(NamedTuple):
    """Rows behind one another: columns where nothing is the matter, else rows."""

    numbers: Sequence[int]
    columns: Sequence[Sequence[str]]  # of the rows with these numbers
    rows: Sequence[Row]  # that have a problem, or were not read as columns


class Content(NamedTuple):
    """What a file holds, which can be read in one way or in the other."""

    columns: Sequence[str]  # of CSV and TSV: blank names at the end too
    rows: Iterator[Row]
    blocks: Callable[[Sequence[str]], Iterator[Block]]


def delimited(lines: Lines, dialect: Dialect) -> Content:
    """Returns what a CSV or TSV file holds."""
    records = _Records(lines, dialect)
    _, columns, problem = next(records, (0, [], "the file is empty"))
    if problem is not None:
        hint = f"; {lines.encoding_hint}" if problem == lines.undecodable else ""
        raise CorpusError(f"{lines.path} has no header: {problem}{hint}")
    records.width = len(columns)
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
            elif one_by_one := [*_some(rows, lines.BLOCK)]:
                yield Block((), [() for _ in names], one_by_one)
            else:
                return

    return Content(columns, chain(first, rows), blocks)


class _Records:
    """Iterates over number, fields and problem of each record that is not blank."""

    def __init__(self, lines: Lines, dialect: Dialect) -> None:
        csv.field_size_limit(_LONGEST_FIELD)
        self.width = 0  # columns of the header, once it is read
        self._lines = lines
        self._dialect = dialect
        self._reader = dialect.parse(lines)
        self._number = 0  # of the last one

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
        """Gives up the row at its first line, so that an open quote costs no other.

        Returns:
            the fields of that line.
        """
        first = self._lines.take_back()
        self._reader = self._dialect.parse(self._lines)
        return next(replace(self._dialect, quotes=False).parse([first]), [])

    def _look_for_rows(self, number: int, fields: list[str]) -> None:
        """Says where a quoted field seems to have swallowed rows."""
        odd = suspicion(fields, self.width, self._dialect.delimiter)
        if odd and self._lines.note is not None:
            where = f"{self._lines.path}, row {number}"
            self._lines.note(f"{where}: {odd}; look whether a quote is missing")

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
) -> Block:
    """Makes a block of records; of columns that are called alike, the last counts."""
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
    return Block(numbers, [by_name.get(name, ()) for name in names], uneven)


def _row(
    columns: Sequence[str], number: int, fields: list[str], problem: str | None
) -> Row:
    if problem is None and any(map(str.strip, fields[len(columns) :])):
        problem = f"{len(fields)} instead of {len(columns)} columns"
    return Row(number, dict(zip(columns, fields, strict=False)), problem, fields)


def json_lines(lines: Lines) -> Content:
    """Returns what a JSON Lines file holds; an object may lack columns of the first."""
    rows = _json_rows(lines)
    first = _first_rows(rows)
    if not first:
        raise CorpusError(f"{lines.path} has no rows")
    if first[-1].problem is not None:
        raise _nothing_readable(lines, first[0])
    all_rows = chain(first, rows)

    def blocks(names: Sequence[str]) -> Iterator[Block]:
        while several := [*_some(all_rows, lines.BLOCK)]:
            yield Block((), [() for _ in names], several)

    return Content(list(first[-1].values), all_rows, blocks)


def _some(rows: Iterator[Row], block: int) -> Iterator[Row]:
    """Yields rows until they have enough characters for a block."""
    characters = 0
    for row in rows:
        yield row
        texts = (value for value in row.values.values() if isinstance(value, str))
        characters += 1 + sum(map(len, texts))
        if characters >= block:
            return


def _json_rows(lines: Lines) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.isspace():
            values, problem = _parse(line)
            yield Row(number, values, lines.problem() or problem)
        lines.start_row()


def _parse(line: str) -> tuple[dict[str, Any], str | None]:
    try:
        value = _loads(line)
    except (ValueError, RecursionError):
        return {"": line}, "not valid JSON"
    if not isinstance(value, dict):
        return {"": line}, "not a JSON object"
    return value, None


def _loads(line: str) -> Any:
    try:
        return json.loads(line, strict=False)
    except ValueError:
        # Python refuses to make a number of so many digits, and they stay as they are.
        return json.loads(line, strict=False, parse_int=_number)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def _first_rows(rows: Iterator[Row]) -> list[Row]:
    """Takes the rows up to the first readable one, which nearly always is the first."""
    first = []
    for row in islice(rows, _LOOK_AHEAD):
        first.append(row)
        if row.problem is None:
            break
    return first


def _nothing_readable(lines: Lines, row: Row) -> CorpusError:
    hint = "one JSON object a line is wanted"
    if row.problem == lines.undecodable:
        hint = lines.encoding_hint
    elif str(row.values.get("", "")).startswith("["):
        hint = f"it looks like a JSON array, but {hint}"
    return CorpusError(
        f"{lines.path}: none of the first rows can be read; "
        f"row {row.number} is {row.problem}; {hint}"
    )


def as_text(value: Any) -> str | None:
    """Returns a JSON value as text.

    ``null`` and the numbers that JSON does not know, NaN and the infinities, are
    missing: empty. Sentences or tokens in a list are put together, as CNewSum has its
    articles. Anything else, a list with other values too, is no text: None.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, list):
        parts = [as_text(part) if _may_be_part(part) else None for part in value]
        known = [part for part in parts if part is not None]
        return reduce(_joined, known, "") if len(known) == len(parts) else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else None


def _may_be_part(value: Any) -> bool:
    return value is None or isinstance(value, str | list)


def _joined(text: str, part: str) -> str:
    """Puts two sentences or tokens behind one another.

    A space keeps Latin words and numbers apart, and a sentence without its full stop
    from the next.
    """
    last, first = text[-1:], part[:1]
    latin = last.isascii() and first.isascii() and last.isalnum() and first.isalnum()
    unended = len(part) >= _SENTENCE and last.isalnum()
    return f"{text} {part}" if text and (latin or unended) else text + part


def kind_of(value: Any) -> str:
    """Returns what a JSON value is, for a message."""
    names = {bool: "true or false", dict: "an object", list: "a list of other values"}
    return names.get(type(value), type(value).__name__)
