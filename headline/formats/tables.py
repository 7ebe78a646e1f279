"""Tables of articles in any format of the registry, read as a stream.

Unless the reader is strict, a bad row does not stop it: the row comes with a problem.
Memory holds one row.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from headline.errors import CorpusError
from headline.formats.columns import SOURCE_COLUMNS, TARGET_COLUMNS, same_name
from headline.formats.files import InputFile, blame, open_input_file
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat as CorpusFormat
from headline.formats.records import Row, Rows, as_text, kind_of, value_of
from headline.formats.registry import FileFormat, table_format_of


class Table:
    """An open file as rows of named values; it can be read several times.

    A pipe can be read only once.

    Attributes:
        file: the open file.
        format: the format of the file.
        layout: the layout of the file.

    Raises:
        CorpusError: see ``open_table``.
    """

    def __init__(
        self,
        path: Path,
        how: CorpusFormat,
        layout: Layout | None = None,
        file: InputFile | None = None,
    ) -> None:
        self.path = path
        self._how = how
        self.file = file or open_input_file(path)
        self._stream = self.file.preview()
        try:
            self.format: FileFormat = table_format_of(path, self.file)
            self.layout = layout or self.format.layout(self.file, how)
            if layout is None and how.detail is not None:
                how.detail(f"{path}: {self.layout.in_words}")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; reading the table again opens it again."""
        self._stream.close()
        self.file.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, without blank ones at the end."""
        return self.layout.columns

    def __iter__(self) -> Iterator[Row]:
        """Yields the rows, whatever columns they have; see ``rows``."""
        return self.rows(())

    def rows(
        self, columns: Sequence[str], start: Place | None = None, tells: bool = True
    ) -> Iterator[Row]:
        """Yields the rows; a row without text in one of the columns has a problem.

        Args:
            start: the place of the first row, if it is not the first of the file.
            tells: whether to report rows with a problem.

        Raises:
            CorpusError: the file is damaged or cannot be read to its end.
        """
        stream = self._read_from(start)
        rows = self.format.rows(stream, self.layout, start, self._how.note)
        return self._looked_at(rows, columns, tells)

    def blocks(
        self, columns: Sequence[str], start: Place | None = None
    ) -> Iterator[Rows]:
        """Yields the rows in blocks, with only some columns.

        This is faster than ``rows``, but waits until it has several rows.

        Raises:
            CorpusError: as for ``rows``.
        """
        stream, note = self._read_from(start), self._how.note
        for rows in self.format.blocks(stream, self.layout, columns, start, note):
            others = self._looked_at(iter(rows.others), columns)
            yield _by_columns(rows, [*others], columns)

    def places(self) -> Iterator[Place]:
        """Yields the place of each row; nothing if places are unknown, as in a .gz.

        Raises:
            CorpusError: as for ``rows``.
        """
        return self.format.places(self._read_from(None), self.layout)

    def position(self) -> int:
        """Returns the number of bytes read from the file, compressed for a .gz."""
        try:
            return self._stream.tell()
        except (OSError, ValueError):  # a pipe has none, a closed file neither
            return 0

    def _read_from(self, start: Place | None) -> BufferedReader:
        self._stream = self.file.reader(0 if start is None else start.offset)
        return self._stream

    def _looked_at(
        self, rows: Iterator[Row], columns: Sequence[str], tells: bool = True
    ) -> Iterator[Row]:
        """Yields rows with their problems, and reports the problems.

        Raises:
            CorpusError: a row has a problem and the reader is strict.
        """
        for row in rows:
            problem = row.problem or self._fault(row, columns)
            if problem is not None:
                row = row._replace(problem=problem)
                line = f"{self.path}, row {row.number}: {problem}"
                if self._how.strict:
                    raise CorpusError(f"{line}; without --strict, the row is skipped")
                if tells and self._how.tell is not None:
                    self._how.tell(line)
            yield row

    def _fault(self, row: Row, columns: Sequence[str]) -> str | None:
        """Returns why a row lacks text in one of the columns; None if it does not."""
        for column in columns:
            if self.format.is_uneven(row, column, self.layout):
                return f"{len(row.fields)} instead of {len(self.columns)} columns"
            value = value_of(row.values, column)
            if as_text(value) is None:
                return f"{column!r} must be text or a list of texts; {_got(value)}"
        return None


def _got(value: Any) -> str:
    other = " with values that are no text" if isinstance(value, list) else ""
    return f"got {kind_of(value)}{other}"


def _by_columns(rows: Rows, others: Sequence[Row], columns: Sequence[str]) -> Rows:
    """Merges the other rows without a problem into the columns, in order of number."""
    fine = [row for row in others if row.problem is None]
    faulty = [row for row in others if row.problem is not None]
    if not fine:
        return Rows(rows.numbers, rows.texts, faulty)
    numbers = [*rows.numbers, *(row.number for row in fine)]
    texts = [
        [*column, *(as_text(value_of(row.values, name)) or "" for row in fine)]
        for column, name in zip(rows.texts, columns, strict=True)
    ]
    if not rows.numbers:
        return Rows(numbers, texts, faulty)
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    texts = [[column[at] for at in order] for column in texts]
    return Rows([numbers[at] for at in order], texts, faulty)


def open_table(
    path: Path,
    how: CorpusFormat,
    layout: Layout | None = None,
    file: InputFile | None = None,
) -> Table:
    """Opens a file, or a folder of files, in the format that its name stands for.

    It is opened once, however often it is read.

    Args:
        layout: the layout of the file, if it is known.
        file: the file, if it is open.

    Raises:
        CorpusError: the suffix is unknown; the file cannot be opened, is empty, damaged
            or not text; or none of its first rows can be read.
    """
    return Table(path, how, layout, file)


def find_column(
    table: Table, wanted: str | None, candidates: Sequence[str], what: str
) -> str:
    """Returns the name of the wanted column, else of the first candidate in the table.

    Case, width, spaces, hyphens and underscores are ignored. ``what`` is ``source`` or
    ``target``, for the option that the error names.

    Raises:
        CorpusError: no column, or more than one, has the name.
    """
    option = f"name it with --{what}-column"
    for name in candidates if wanted is None else (wanted,):
        found = [column for column in table.columns if same_name(column, name)]
        if wanted in found and found.count(wanted) == 1:
            return wanted  # an exact match wins over similar names
        if len(found) == 1:
            return found[0]
        if found:
            raise CorpusError(
                f"{table.path}: more than one column is called {name!r}; {option}"
            )
    sought = f"{what} column" if wanted is None else f"column {wanted!r}"
    if table.layout.dialect is not None and len(table.columns) == 1:
        option += ", or what separates the columns with --delimiter"
    raise CorpusError(
        f"{table.path}: no {sought} among {_listed(table.columns)}; {option}"
    )


def find_pair_columns(table: Table, format: CorpusFormat) -> tuple[str, str]:
    """Returns the names of the source column and the target column.

    Raises:
        CorpusError: a column is not found, or both are the same.
    """
    source = find_column(table, format.source_column, SOURCE_COLUMNS, "source")
    target = find_column(table, format.target_column, TARGET_COLUMNS, "target")
    if source == target:
        raise CorpusError(
            f"{table.path}: the articles and the headlines cannot both be in column "
            f"{source!r}; name two with --source-column and --target-column"
        )
    return source, target


def _listed(columns: Sequence[str]) -> str:
    """Returns the first columns in quotes, short enough for a message."""
    shown = [repr(column[:40]) for column in columns[:10]]
    return ", ".join(shown + ["..."] * (len(columns) > 10))


def total_bytes(files: Iterable[Path]) -> int:
    """Returns the size of the files on disk, and of all files in the folders.

    Raises:
        CorpusError: a file is missing or cannot be accessed.
    """
    total = 0
    for path in files:
        with blame(path):
            total += _bytes_of(path)
    return total


def _bytes_of(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    found = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sum(each.stat().st_size for each in found if each.is_file())
