"""Dialects of tables: their delimiter, and whether they quote fields.

CSV (RFC 4180) quotes fields. Files called TSV usually do not: there, a ``"`` at the
beginning of a field belongs to the text. If it were read as a quote of the format, it
would swallow all rows up to the next ``"``.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from headline.errors import ConfigError
from headline.formats.columns import count_known

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_CHOICES = (",", "\t", ";", "|")
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_MANY_LINES = 100  # of one row; a long quoted article may have some
_SEPARATOR = re.compile(r'"?sep=(.)"?\n?', re.IGNORECASE)

Fields = Sequence[str]


@dataclass(frozen=True)
class Dialect:
    """How the columns of a table are written."""

    delimiter: str
    quotes: bool = True  # whether " begins a quoted field
    separator_line: bool = False  # Excel's ``sep=;`` comes before the header

    def parse(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Parses lines into records of fields with Python's ``csv``."""
        if self.quotes:
            return csv.reader(lines, delimiter=self.delimiter)
        return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)


def delimiter_of(written: str) -> str:
    """Returns the character that ``--delimiter`` means.

    Raises:
        ConfigError: it is not a valid delimiter.
    """
    delimiter = _NAMES.get(written.lower(), written)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        choices = ", ".join(_NAMES)
        message = f"must be one character, or one of {choices}; got {written!r}"
        raise ConfigError(message, "delimiter")
    return delimiter


def separator_of(line: str) -> str | None:
    """Returns the delimiter if the line is like Excel's ``sep=;``; else None."""
    match = _SEPARATOR.fullmatch(line)
    return match and match[1]


def detect_delimiter(header: str, usual: str, wanted: Fields) -> str:
    """Returns the delimiter that gives a header the most known column names.

    If no delimiter gives a known name, it is the usual one, or, if that does not split
    the header, the one that gives the most columns.

    Args:
        wanted: column names that the user has given.
    """
    choices = (usual, *(choice for choice in _CHOICES if choice != usual))
    names = {choice: _first_record(header, choice) for choice in choices}
    known = {choice: count_known(names[choice], wanted) for choice in choices}
    best = max(choices, key=known.__getitem__)
    if known[best] or len(names[usual]) > 1:
        return best
    return max(choices, key=lambda choice: len(names[choice]))


def _first_record(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def quotes_fit(
    lines: Iterable[str], delimiter: str, start_row: Callable[[], None]
) -> bool:
    """Tells whether the whole table is consistent with quoting.

    Each field that begins with a quote must end with one, with the quotes inside
    doubled, and no field may contain text that looks like rows of the table.

    Args:
        start_row: called after each record; see ``Lines.start_row``.
    """
    width = 0
    try:
        for record in csv.reader(lines, delimiter=delimiter, strict=True):
            start_row()
            width = width or len(record)
            if holds_rows(record, width, delimiter):
                return False
    except csv.Error:
        return False
    return True


def holds_rows(record: Fields, width: int, delimiter: str) -> bool:
    """Tells whether a record of several lines looks like several rows.

    It does if its first and last line, read without quotes, have as many fields as the
    header, such as ``a,"b`` and ``c,"d`` in a table with two columns.
    """
    parted = [place for place, field in enumerate(record) if "\n" in field]
    if not parted or width < 2:
        return False
    first, last = parted[0], parted[-1]
    before = record[first].split("\n", 1)[0].count(delimiter) + first + 1
    behind = record[last].rsplit("\n", 1)[1].count(delimiter) + len(record) - last
    return before == width == behind


def suspicion(record: Fields, width: int, delimiter: str) -> str | None:
    """Returns a description of suspicious line ends in a record, or None."""
    lines = 1 + sum(field.count("\n") for field in record)
    if holds_rows(record, width, delimiter):
        return f"a quoted field spans {lines} lines that look like rows of their own"
    return f"a quoted field spans {lines} lines" if lines > _MANY_LINES else None
