"""Rows of a table, single or in blocks, and their values as text."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any, NamedTuple

from headline.errors import CorpusError
from headline.formats.layout import Layout

_LOOK_AHEAD = 100  # rows; a file fails if none of these can be read
_SENTENCE = 8  # characters; shorter parts of a list are tokens


class Row(NamedTuple):
    """One record of a table.

    ``number`` counts from 1, as a spreadsheet or an editor does. In CSV and TSV it
    counts records, blank ones too, so the header is row 1 and the first record row 2.
    In JSON Lines it is the line number; other formats tell theirs. If ``problem`` is
    set, ``values`` may be incomplete; text that cannot be split into columns has the
    key ``""``. A short row of CSV lacks its last columns.
    """

    number: int
    values: dict[str, Any]
    problem: str | None
    fields: Sequence[str] = ()  # raw fields of CSV and TSV, with surplus ones
    origin: Any = None  # what the writer of its format needs besides the values


@dataclass
class Rows:
    """Consecutive rows of a table, stored by columns.

    Attributes:
        numbers: the numbers of the readable rows.
        texts: for each wanted column, its texts in the readable rows.
        others: the rows with a problem; when a format yields them, also rows that it
            has not split into columns.
        file: the number of the file, counted from 0.
        position: the number of bytes of all files read so far.
    """

    numbers: Sequence[int]
    texts: Sequence[Sequence[str]]
    others: Sequence[Row]
    file: int = 0
    position: int = 0

    def __len__(self) -> int:
        return len(self.numbers) + len(self.others)


def first_rows(rows: Iterator[Row]) -> list[Row]:
    """Returns the rows up to the first readable one, usually just one row."""
    first = []
    for row in islice(rows, _LOOK_AHEAD):
        first.append(row)
        if row.problem is None:
            break
    return first


def none_readable(layout: Layout, row: Row) -> CorpusError:
    """Returns the error for a file whose first rows are all unreadable.

    Args:
        row: the first row.
    """
    hint = "one JSON object a line, or an array of objects, is wanted"
    if row.problem == layout.undecodable:
        hint = layout.encoding_hint
    return CorpusError(
        f"{layout.path}: none of the first rows can be read; "
        f"row {row.number} is {row.problem}; {hint}"
    )


def value_of(values: Mapping[str, Any], column: str) -> Any:
    """Returns the value of a column; None if there is none.

    A column whose name has dots, such as ``data.body``, may be in a nested object.
    """
    if column in values or "." not in column:
        return values.get(column)
    value: Any = values
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def with_nested(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields the keys of an object, and dotted names for those of nested objects."""
    yield from values
    for name, value in values.items():
        if isinstance(value, Mapping):
            nested = (f"{name}.{inner}" for inner in with_nested(value))
            yield from (dotted for dotted in nested if dotted not in values)


def as_text(value: Any) -> str | None:
    """Returns a JSON value as text.

    ``null``, NaN and the infinities count as missing and give "". The sentences or
    tokens of a list are joined; articles of CNewSum are such lists. Any other value,
    also a list with other values, gives None.
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
    """Joins two sentences or tokens.

    A space separates Latin words and numbers, and a sentence without a full stop from
    the next one.
    """
    last, first = text[-1:], part[:1]
    latin = last.isascii() and first.isascii() and last.isalnum() and first.isalnum()
    unended = len(part) >= _SENTENCE and last.isalnum()
    return f"{text} {part}" if text and (latin or unended) else text + part


def kind_of(value: Any) -> str:
    """Returns the kind of a JSON value, for a message."""
    names = {bool: "true or false", dict: "an object", list: "a list"}
    return names.get(type(value), type(value).__name__)
