"""Options for reading files: encoding, delimiter, columns."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from headline.errors import CorpusError
from headline.formats.dialects import delimiter_of
from headline.formats.encodings import AUTO


@dataclass(frozen=True, kw_only=True)
class CorpusFormat:
    """Options for reading files.

    Attributes:
        encoding: any text codec of Python, or ``AUTO``; a byte order mark is dropped.
        delimiter: the delimiter of CSV files; None: detected from the header.
        source_column: None: found by its name, see ``SOURCE_COLUMNS``.
        target_column: None: found by its name, see ``TARGET_COLUMNS``.
        strict: stop at a row that cannot be read.
        tell: gets a line with file, row and reason for each row that cannot be read.
        note: gets a line about what was detected or looks suspicious.
        detail: gets a line about the layout of each table.

    Raises:
        CorpusError: the encoding is unknown.
        ConfigError: the delimiter is not valid.
    """

    encoding: str = AUTO
    delimiter: str | None = None
    source_column: str | None = None
    target_column: str | None = None
    strict: bool = False
    tell: Callable[[str], None] | None = None
    note: Callable[[str], None] | None = None
    detail: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", delimiter_of(self.delimiter))
        if self.encoding == AUTO:
            return
        try:
            sample = io.BytesIO("ab".encode(self.encoding))
            io.TextIOWrapper(sample, self.encoding, "surrogateescape").read()
        except (LookupError, ValueError) as error:
            raise CorpusError(
                f"unknown encoding {self.encoding!r}; try utf-8 or gb18030"
            ) from error

    @property
    def wanted_columns(self) -> list[str]:
        """The column names that the user has given."""
        return [name for name in (self.source_column, self.target_column) if name]
