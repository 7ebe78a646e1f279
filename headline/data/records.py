"""The rows of CSV, TSV and JSON Lines, one by one or many at a time."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

from headline.data.lines import Lines, lines_of
from headline.errors import CorpusError

_LOOK_AHEAD = 100  # rows; if none of the first ones can be read, none will be
_LONGEST_FIELD = 2**31 - 1  # characters; a C long on every platform


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


class Content(NamedTuple):
    """What a file holds, which can be read in one way or in the other."""

    columns: Sequence[str]
    rows: Iterator[Row]
    blocks: Callable[[Sequence[str]], Iterator[Block]]


def delimited(lines: Lines, delimiter: str) -> Content:
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
            elif one_by_one := [*_some(rows, lines.BLOCK)]:
                yield Block((), [() for _ in names], one_by_one)
            else:
                return

    return Content(columns, chain(first, rows), blocks)


class _Records:
    """Iterates over number, fields and problem of each record that is not blank."""

    def __init__(self, lines: Lines, delimiter: str) -> None:
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
            records = [*self._parse(chain(lines_of(text), [end]))]
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
        lines = lines_of(text)
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


def _nothing_readable(lines: Lines, row: Row) -> CorpusError:
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
