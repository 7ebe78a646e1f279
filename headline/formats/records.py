"""The rows of a table, one by one or many at a time, and their values as text."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any, NamedTuple

from headline.errors import CorpusError
from headline.formats.layout import Layout

_LOOK_AHEAD = 100  # rows; if none of the first ones can be read, none will be
_SENTENCE = 8  # characters; shorter parts of a list are tokens


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


@dataclass
class Rows:
    """Some rows of a table, behind one another.

    Attributes:
        numbers: of the rows that can be read.
        texts: of each column asked for, of those rows.
        others: the rows with a problem; as a format yields them, also rows that were
            not read by columns.
        file: which of several files they are of, counted from 0.
        position: how many bytes of all files are read.
    """

    numbers: Sequence[int]
    texts: Sequence[Sequence[str]]
    others: Sequence[Row]
    file: int = 0
    position: int = 0

    def __len__(self) -> int:
        return len(self.numbers) + len(self.others)


def first_rows(rows: Iterator[Row]) -> list[Row]:
    """Takes the rows up to the first readable one, which nearly always is the first."""
    first = []
    for row in islice(rows, _LOOK_AHEAD):
        first.append(row)
        if row.problem is None:
            break
    return first


def none_readable(layout: Layout, row: Row) -> CorpusError:
    """Returns the error of a file none of whose first rows can be read.

    Args:
        row: the first.
    """
    hint = "one JSON object a line is wanted"
    if row.problem == layout.undecodable:
        hint = layout.encoding_hint
    elif str(row.values.get("", "")).startswith("["):
        hint = f"it looks like a JSON array, but {hint}"
    return CorpusError(
        f"{layout.path}: none of the first rows can be read; "
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
