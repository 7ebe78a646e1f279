"""Tables of Arrow as rows, and rows as Parquet.

Parquet files and the folders of Hugging Face ``datasets`` share this. pyarrow reads and
writes both; it is imported only when such a file is opened.
"""

import io
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from headline.errors import CorpusError
from headline.formats.files import InputFile
from headline.formats.layout import Layout, Place
from headline.formats.records import Row, Rows, value_of
from headline.formats.registry import Added, Cell, FileFormat, New, Write, check_new
from headline.formats.writing import BinarySink, binary_sink
from headline.system.packages import optional
from headline.system.progress import Report

BATCH = 1000  # rows that are read together
# Rows are in memory until their row group is written, at one of these sizes.
GROUP_BYTES = 1 << 25
GROUP_ROWS = 100_000

Batch = Any  # pyarrow.RecordBatch
Schema = Any  # pyarrow.Schema


class ArrowTable(NamedTuple):
    """What only formats of Arrow know of a file; see ``Layout.own``."""

    schema: Schema
    codec: str = "snappy"  # the compression inside of a Parquet file that is written


class ArrowFormat(FileFormat):
    """Rows of typed columns; each value that is text, a number or a list can be read.

    Row numbers count from 1.
    """

    is_text = False

    @property
    def writes(self) -> str:
        return ".parquet"

    @abstractmethod
    def batches(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str] | None,
        start: Place | None,
    ) -> Iterator[tuple[int, Batch]]:
        """Yields batches of rows, each with the number of its first row.

        Args:
            columns: the columns to read, perhaps dotted; None for all.
        """

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        for number, batch in self.batches(stream, layout, None, start):
            columns = [*map(_values, batch.columns)]
            for place, values in enumerate(zip(*columns, strict=True)):
                named = dict(zip(batch.schema.names, values, strict=True))
                yield Row(number + place, named, None, origin=(batch, place))

    def blocks(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str],
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Rows]:
        for number, batch in self.batches(stream, layout, columns, start):
            texts = [_column(batch, column) for column in columns]
            yield _block(number, texts, columns)

    def shape(self, layout: Layout) -> tuple[str, ...]:
        schema = layout.own.schema
        return (self.writes, *(f"{field.name}: {field.type}" for field in schema))

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that adds rows, with their types, to a Parquet file."""
        table: ArrowTable = layout.own
        check_new(table.schema.names, new.columns)
        with (
            binary_sink(stream, "Parquet") as sink,
            _RowGroups(sink, table, new) as groups,
        ):
            yield groups.add


def layout_of(path: Path, table: ArrowTable) -> Layout:
    """Returns the layout of a table with a schema.

    Raises:
        CorpusError: two columns have the same name.
    """
    names = tuple(table.schema.names)
    for name in names:
        if names.count(name) > 1:
            raise CorpusError(f"{path} has two columns {name!r}: rename one of them")
    columns = tuple(dict.fromkeys([*names, *_nested(table.schema)]))
    return Layout(path=path, header=names, columns=columns, is_text=False, own=table)


def _nested(fields: Iterable[Any]) -> Iterator[str]:
    """Yields the names of fields, and dotted names for the fields of structs."""
    from pyarrow import types

    for field in fields:
        yield field.name
        if types.is_struct(field.type):
            yield from (f"{field.name}.{inner}" for inner in _nested(field.type))


@contextmanager
def blame_arrow(path: Path) -> Iterator[None]:
    """Turns errors of pyarrow into a CorpusError that names the file."""
    arrow = import_arrow(path)
    try:
        yield
    except (
        *(arrow.ArrowException, EOFError, OSError, ValueError),
        MemoryError,  # a damaged size, that of nearly all memory
    ) as error:
        first = str(error).partition("\n")[0] or "a part of it has no end"
        raise CorpusError(f"{path} is damaged: {first}") from error


def import_arrow(path: Path, module: str = "pyarrow") -> Any:
    """Imports a module of pyarrow, which a file needs.

    Raises:
        HeadlineError: it is not installed.
    """
    return optional(module, "parquet", f"{path}: reading it")


# --- columns to texts -----------------------------------------------------------------


def _column(batch: Batch, name: str) -> list[Any]:
    """Returns the values of a column, or of a field of a struct."""
    if name in batch.schema.names:
        return _values(batch.column(name))
    top = name.partition(".")[0]
    return [value_of({top: value}, name) for value in _values(batch.column(top))]


def _values(column: Any) -> list[Any]:
    """Returns the values of a column as those of Python.

    A value that Python does not have, such as a time in nanoseconds, stays as it is.
    """
    import pyarrow as pa

    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, pa.ArrowException):
        values = [*map(_value, column)]
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [*map(_decoded, values)]
    return values


def _value(scalar: Any) -> Any:
    import pyarrow as pa

    try:
        return scalar.as_py()
    except UnicodeDecodeError:  # the format says UTF-8, but nobody checks it
        return scalar.as_buffer().to_pybytes()
    except (ValueError, pa.ArrowException):
        return scalar


def _decoded(value: bytes | None) -> str | bytes | None:
    """Decodes a text that its writer has not marked as such, as Impala does."""
    with suppress(UnicodeDecodeError):
        return value if value is None else value.decode()
    return value


def _block(number: int, texts: Sequence[list[Any]], columns: Sequence[str]) -> Rows:
    """Makes ``Rows`` of columns; values that are not text come in rows of their own."""
    size = len(texts[0])
    if all(isinstance(value, str) for column in texts for value in column):
        return Rows(range(number, number + size), texts, [])
    plain, others = [], []
    for place, values in enumerate(zip(*texts, strict=True)):
        if all(isinstance(value, str) for value in values):
            plain.append(place)
        else:
            named = dict(zip(columns, values, strict=True))
            others.append(Row(number + place, named, None))
    kept = [[column[place] for place in plain] for column in texts]
    return Rows([number + place for place in plain], kept, others)


# --- rows to Parquet ------------------------------------------------------------------


class _RowGroups:
    """Writes rows of batches and their new cells as the row groups of a file."""

    def __init__(self, sink: BinarySink, table: ArrowTable, new: New) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._sink = sink
        types = [
            pa.float64() if name in new.scores else pa.string() for name in new.columns
        ]
        self._types = types
        fields = [*table.schema, *map(pa.field, new.columns, types)]
        self._schema = pa.schema(fields, _metadata(table.schema, new))
        self._writer = parquet.ParquetWriter(
            sink, self._schema, compression=table.codec
        )
        self._rows: list[tuple[Batch, int, Sequence[Cell]]] = []
        self._batches: list[Batch] = []

    def __enter__(self) -> "_RowGroups":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._pack()
            self._write()
        else:  # or closing the writer would complete the file
            self._sink.is_lost = True
        self._writer.close()

    def add(self, row: Row | None, added: Added) -> None:
        """Adds a row with its new cells."""
        assert row is not None
        self._rows.append((*row.origin, added.cells))
        if len(self._rows) == BATCH:
            self._pack()

    def _pack(self) -> None:
        """Turns the rows into batches, and writes a row group if there are enough."""
        for _, run in groupby(self._rows, key=lambda row: id(row[0])):
            self._batches.append(self._packed([*run]))
        self._rows.clear()
        rows = sum(batch.num_rows for batch in self._batches)
        size = sum(batch.nbytes for batch in self._batches)
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            self._write()

    def _packed(self, rows: Sequence[tuple[Batch, int, Sequence[Cell]]]) -> Batch:
        """Returns rows of one batch with their new columns."""
        import pyarrow as pa

        places = pa.array([place for _, place, _ in rows], pa.int64())
        old = rows[0][0].take(places).columns
        cells = [row[2] for row in rows]
        added = [
            pa.array([some[at] if at < len(some) else None for some in cells], type)
            for at, type in enumerate(self._types)
        ]
        return pa.RecordBatch.from_arrays([*old, *added], schema=self._schema)

    def _write(self) -> None:
        import pyarrow as pa

        if self._batches:
            table = pa.Table.from_batches(self._batches, self._schema)
            self._writer.write_table(table, row_group_size=len(table))
            self._batches.clear()


def _metadata(schema: Schema, new: New) -> dict[bytes, bytes]:
    """Returns the metadata of a schema; that of ``datasets`` with the new columns."""
    metadata = dict(schema.metadata or {})
    with suppress(KeyError, TypeError, ValueError):
        told = json.loads(metadata[b"huggingface"])
        for name in new.columns:
            kind = "float64" if name in new.scores else "string"
            told["info"]["features"][name] = {"dtype": kind, "_type": "Value"}
        metadata[b"huggingface"] = json.dumps(told).encode()
    return metadata
