"""Excel workbooks (.xlsx), read and written with openpyxl.

Reading is a stream of rows. Writing loads the whole workbook, so that its other sheets
and columns stay as they were.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from struct import error as StructError
from typing import Any, NamedTuple, TextIO
from zipfile import BadZipFile
from zlib import error as ZlibError

from headline.errors import CorpusError
from headline.formats.columns import count_known, without_blank
from headline.formats.files import InputFile, blame, need_seeking
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat
from headline.formats.records import Row
from headline.formats.registry import (
    Added,
    Cell,
    FileFormat,
    New,
    Write,
    check_new,
    register,
)
from headline.formats.writing import binary_sink
from headline.system.packages import optional
from headline.system.progress import Report

MAGIC = b"PK\x03\x04"
FIRST_ROWS = 10  # the header is one of these; a title of the table may come before
_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")
# What openpyxl raises for a file that is damaged; broken XML is a SyntaxError.
_DAMAGE = (
    *(AttributeError, BadZipFile, EOFError, LookupError, OSError, RuntimeError),
    *(StructError, SyntaxError, TypeError, ValueError, ZlibError),
)

Values = tuple[Any, ...]


class Sheet(NamedTuple):
    """What only this format knows of a file; see ``Layout.own``."""

    name: str
    header_row: int  # counted from 1, as Excel does


class Excel(FileFormat):
    """The sheet of a workbook whose header has the most known names of columns.

    The number of a row is that of Excel. Blank rows are left out.
    """

    suffixes = (".xlsx", ".xlsm")
    is_text = False

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        need_seeking(file)
        with blame(file.path):
            head = file.preview().read(len(MAGIC))
        if head != MAGIC:
            raise CorpusError(
                f"{file.path} is not an .xlsx file: save it as one in Excel, "
                "or give it the suffix of its format"
            )
        with _opened(file.preview(), file.path) as workbook:
            found = [*_headers(workbook)]
        if not found:
            raise CorpusError(f"{file.path} has no rows")
        wanted = how.wanted_columns
        sheet, header = max(found, key=lambda each: count_known(each[1], wanted))
        if how.note is not None and len({each[0].name for each in found}) > 1:
            how.note(f"{file.path}: reading the sheet {sheet.name!r}")
        return Layout(
            path=file.path,
            header=header,
            columns=without_blank(header),
            is_text=False,
            own=sheet,
        )

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        sheet: Sheet = layout.own
        with _opened(stream, layout.path) as workbook:
            rows = _values(workbook[sheet.name])
            for number, values in enumerate(rows, 1):
                if number > sheet.header_row and any(map(_is_filled, values)):
                    named = dict(zip(layout.columns, values, strict=False))
                    missing = dict.fromkeys(layout.columns[len(values) :])
                    yield Row(
                        number, named | missing, None, origin=(layout.path, values)
                    )

    def shape(self, layout: Layout) -> tuple[str, ...]:
        return (self.writes, *layout.header)

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that keeps the new cells of each row.

        At the end, the cells come into the columns behind those of the sheet. Rows of
        further workbooks come after the rows of the first one.
        """
        assert file is not None
        check_new(layout.header, new.columns)
        additions = _Additions(layout)
        yield additions.add
        with binary_sink(stream, "an Excel workbook") as sink:
            keeps_macros = layout.path.suffix.lower() == ".xlsm"
            with _blamed(layout.path):
                openpyxl = _package(layout.path)
                workbook = openpyxl.load_workbook(file.reader(), keep_vba=keeps_macros)
            additions.write(workbook[layout.own.name], new)
            workbook.save(sink)


def _package(path: Path) -> Any:
    return optional("openpyxl", "excel", f"{path}: reading it")


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """Turns errors of a damaged workbook into a CorpusError; hides warnings.

    openpyxl warns of what it cannot keep, such as extensions of conditional formats.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except _DAMAGE as error:
        first = str(error).partition("\n")[0]
        raise CorpusError(f"{path} is damaged: {first}") from error


@contextmanager
def _opened(stream: io.BufferedReader, path: Path) -> Iterator[Any]:
    """Yields a workbook to read; formulas have the values that Excel has stored."""
    openpyxl = _package(path)
    with _blamed(path):
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        try:
            yield workbook
        finally:
            workbook.close()


def _values(sheet: Any) -> Iterator[Values]:
    sheet.reset_dimensions()  # some programs write wrong ones
    for values in sheet.iter_rows(values_only=True):
        yield tuple(map(_plain, values))


def _plain(value: Any) -> Any:
    """Returns a value without what stands for a carriage return; None for an error."""
    if not isinstance(value, str):
        return value
    return None if value in _ERRORS else value.replace("_x000D_", "")


def _headers(workbook: Any) -> Iterator[tuple[Sheet, tuple[str, ...]]]:
    """Yields each row that may be a header; the likeliest one comes first."""
    for sheet in workbook.worksheets:
        for number, values in enumerate(islice(_values(sheet), FIRST_ROWS), 1):
            if any(map(_is_filled, values)):
                yield Sheet(sheet.title, number), tuple(map(_name, values))


def _name(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _is_filled(value: Any) -> bool:
    return value is not None and value != ""


@dataclass
class _Additions:
    """The new cells of rows, until the workbook is written."""

    layout: Layout
    cells: dict[int, Sequence[Cell]] = field(default_factory=dict)  # by row
    more: list[tuple[Values, Sequence[Cell]]] = field(default_factory=list)

    def add(self, row: Row | None, added: Added) -> None:
        """Keeps the cells of a row; of another workbook also its values."""
        assert row is not None
        path, values = row.origin
        if path == self.layout.path:
            self.cells[row.number] = added.cells
        else:
            self.more.append((values, added.cells))

    def write(self, sheet: Any, new: New) -> None:
        """Writes the cells behind the last column of a sheet that has a value."""
        header = self.layout.own.header_row
        merged = (one for one in sheet.merged_cells.ranges if one.max_row >= header)
        width = max(
            *(cell.column for cell in _filled(sheet)), *(one.max_col for one in merged)
        )
        like = sheet.cell(header, len(self.layout.columns))
        for at, name in enumerate(new.columns, width + 1):
            self._write_header(sheet.cell(header, at, name), like)
        for number, cells in self.cells.items():
            for at, cell in enumerate(cells, width + 1):
                _set(sheet.cell(number, at), cell)
        last = max(cell.row for cell in _filled(sheet))
        for number, (values, cells) in enumerate(self.more, last + 1):
            for at, value in enumerate(values, 1):
                sheet.cell(number, at, value)
            for at, cell in enumerate(cells, width + 1):
                _set(sheet.cell(number, at), cell)

    def _write_header(self, cell: Any, like: Any) -> None:
        """Gives a new header the look of an old one."""
        if like.has_style:
            cell._style = copy(like._style)
        widths = cell.parent.column_dimensions
        widths[cell.column_letter].width = widths[like.column_letter].width


def _set(target: Any, cell: Cell) -> None:
    target.value = cell
    if isinstance(cell, str):
        target.data_type = "s"  # a headline that begins with = is no formula


def _filled(sheet: Any) -> Iterator[Any]:
    for row in sheet.iter_rows():
        yield from (cell for cell in row if _is_filled(cell.value))


register(Excel())
