"""Parquet files, read by row groups with pyarrow."""

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from headline.errors import CorpusError
from headline.formats.arrow import (
    BATCH,
    ArrowFormat,
    ArrowTable,
    Batch,
    blame_arrow,
    import_arrow,
    layout_of,
)
from headline.formats.files import InputFile, blame, need_seeking
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat
from headline.formats.registry import register

MAGIC = b"PAR1"
# Of a column at once; without it, all its pages of a row group would be in memory.
PAGES = 1 << 20


class Parquet(ArrowFormat):
    """Typed columns in row groups. The file must be one in which one can seek."""

    suffixes = (".parquet", ".pq")

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        need_seeking(file)
        with blame(file.path):
            head = file.preview().read(len(MAGIC))
        if head != MAGIC:
            raise CorpusError(
                f"{file.path} is not a Parquet file: give it the suffix of its format"
            )
        with blame_arrow(file.path):
            table = _opened(file.preview(), file.path)
            if not table.metadata.num_rows:
                raise CorpusError(f"{file.path} has no rows")
            return layout_of(file.path, ArrowTable(table.schema_arrow, _codec(table)))

    def batches(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        columns: Sequence[str] | None,
        start: Place | None,
    ) -> Iterator[tuple[int, Batch]]:
        first = 1 if start is None else start.number
        with blame_arrow(layout.path):
            table = _opened(stream, layout.path)
            size = stream.seek(0, io.SEEK_END)
            number, groups = _groups_from(table.metadata, first)
            found = table.iter_batches(
                BATCH,
                groups,
                None if columns is None else [*columns],
                use_threads=False,
            )
            for batch in found:
                skipped = min(max(0, first - number), batch.num_rows)
                number += batch.num_rows
                # pyarrow jumps about in the file. This place is for the progress.
                stream.seek(size * (number - 1) // table.metadata.num_rows)
                if rest := batch.num_rows - skipped:
                    yield number - rest, batch.slice(skipped)

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        first = 1 if start is None else start.number
        with blame_arrow(layout.path):
            rows = _opened(stream, layout.path).metadata.num_rows
        yield from (Place(0, number) for number in range(first, rows + 1))


def _opened(stream: io.BufferedReader, path: Any) -> Any:
    parquet = import_arrow(path, "pyarrow.parquet")
    return parquet.ParquetFile(stream, buffer_size=PAGES, pre_buffer=False)


def _groups_from(metadata: Any, first: int) -> tuple[int, list[int]]:
    """Returns the row groups from that of a row on, and the number of their first row.

    Args:
        first: the number of the row.
    """
    number = 1
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if first < number + rows:
            return number, [*range(group, metadata.num_row_groups)]
        number += rows
    return number, []


def _codec(table: Any) -> str:
    """Returns the compression of the file, if pyarrow can write it."""
    import pyarrow as pa

    with suppress(ValueError, IndexError):
        codec = table.metadata.row_group(0).column(0).compression.lower()
        if codec == "uncompressed":
            return "none"
        if pa.Codec.is_available(codec):
            return str(codec)
    return "snappy"


register(Parquet())
