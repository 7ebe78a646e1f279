"""The layout of a file: everything that a reader of any part of it needs."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from headline.formats.dialects import Dialect
from headline.system.compression import Compression

LONGEST_ROW = 10_000  # lines; only a quote that is never closed reaches this

# Encodings in which the byte of "\n" is always a line end, by Python's names.
_BY_LINES = frozenset(
    ("utf-8", "ascii", "gb18030", "gbk", "gb2312", "big5", "big5hkscs", "cp950")
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The layout of a file; it is sent with a part of the file to another process.

    Attributes:
        path: the path of the file, for messages.
        header: the names of the columns, with blank ones at the end; for JSON the keys
            of the first object; empty for plain text.
        columns: the same without blank names at the end, and with dotted names such as
            ``data.body`` for the values of nested objects.
        encoding: the encoding of the text.
        is_detected: whether the encoding was detected, not given by the user.
        newline: the line end.
        compression: how the file is compressed; None if it is not.
        dialect: the dialect of CSV and TSV; None for other formats.
        is_text: whether the file is text, which has an encoding.
        own: what only its format knows, such as an Arrow schema.
    """

    path: Path
    header: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    is_detected: bool = True
    newline: str = "\n"
    compression: Compression | None = None
    dialect: Dialect | None = None
    is_text: bool = True
    own: Any = None

    @property
    def undecodable(self) -> str:
        """The problem of a row with bytes that cannot be decoded."""
        return f"not valid {self.encoding}"

    @property
    def encoding_hint(self) -> str:
        """Advice to a user about undecodable rows."""
        if self.is_detected:
            return "name its encoding with --encoding"
        return "leave out --encoding to have it detected"

    @property
    def in_words(self) -> str:
        """The layout in words, for a message."""
        found = "detected" if self.is_detected else "named"
        parts = [f"encoding {self.encoding} ({found})"] if self.is_text else []
        if self.dialect is not None:
            parts.append(f"delimiter {self.dialect.delimiter!r}")
            parts.append(
                "fields may be quoted" if self.dialect.quotes else "no quoting"
            )
        if self.compression is not None:
            parts.append(self.compression.name)
        columns = ", ".join(name[:40] for name in self.columns[:20])
        return "; ".join([", ".join(parts)] * bool(parts) + [f"columns: {columns}"])

    @property
    def tells_places(self) -> bool:
        """Whether the byte offset of each line is known."""
        is_plain = self.newline == "\n" and self.compression is None
        return is_plain and codecs.lookup(self.encoding).name in _BY_LINES


class Place(NamedTuple):
    """The place where a row begins, with the state needed to read on from there.

    In a format whose rows have no place in the bytes of the file, such as Parquet, the
    offset is 0, and the number alone tells the place.
    """

    offset: int  # bytes of the file before the row
    number: int  # number of the row, see ``Row``
    longest_row: int = LONGEST_ROW  # lines, see ``Lines``
