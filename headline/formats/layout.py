"""How a file is written: what a reader of any part of it must know."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from headline.formats.dialects import Dialect

LONGEST_ROW = 10_000  # lines; only a quote that is never closed gets there

# Encodings in which the byte of "\n" is always a line end, by Python's names.
_BY_LINES = frozenset(
    ("utf-8", "ascii", "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "cp950")
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file is written; it goes with a part of the file to any process.

    Attributes:
        path: of the file, for messages.
        header: the names of the columns, with blank ones at the end; the keys of the
            first JSON object. None of plain text.
        columns: the same, but for the blank ones.
        encoding: of text, and whether nobody has named it.
        newline: how its lines end.
        is_compressed: whether it is gzip.
        dialect: how the columns are written, of CSV and TSV alone.
    """

    path: Path
    header: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    is_detected: bool = True
    newline: str = "\n"
    is_compressed: bool = False
    dialect: Dialect | None = None

    @property
    def undecodable(self) -> str:
        """The problem of a row with bytes that cannot be decoded."""
        return f"not valid {self.encoding}"

    @property
    def encoding_hint(self) -> str:
        """What to do about such rows."""
        if self.is_detected:
            return "name its encoding with --encoding"
        return "leave out --encoding to have it detected"

    @property
    def in_words(self) -> str:
        """How the file is written, for a person."""
        found = "detected" if self.is_detected else "named"
        parts = [f"encoding {self.encoding} ({found})"]
        if self.dialect is not None:
            quotes = "with" if self.dialect.quotes else "without"
            parts.append(f"delimiter {self.dialect.delimiter!r} {quotes} quotes")
        if self.is_compressed:
            parts.append("gzip")
        columns = ", ".join(name[:40] for name in self.columns[:20])
        return f"{', '.join(parts)}; columns: {columns}"

    @property
    def tells_places(self) -> bool:
        """Whether it is known at which byte a line begins."""
        is_plain = self.newline == "\n" and not self.is_compressed
        return is_plain and codecs.lookup(self.encoding).name in _BY_LINES


class Place(NamedTuple):
    """Where a row begins, and what reading must know to go on from there."""

    offset: int  # bytes of the file before it
    number: int  # of the row, see ``Row``
    longest_row: int = LONGEST_ROW  # lines, see ``Lines``
