"""Which rows of which file are which part.

Files are cut before a record, as often as ``rows`` says. A file whose records have no
known places, such as a .gz, is one part. The number of processes has no influence.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headline.data.corpus import RowReader
from headline.errors import CorpusError
from headline.formats.layout import Place
from headline.formats.records import Row, Rows

ROWS = 100_000  # of a part
PARTS_OF_BUCKET = 8  # the keys of about so many parts are compared in one task


@dataclass(frozen=True)
class Part:
    """Consecutive rows of one file.

    Attributes:
        index: its place among all parts, counted from 0; the order of the rows.
        is_pairs: whether the file has headlines.
        file: the number of the file, counted from 0 among those of its kind.
        start: the place of the first row; None: the beginning of the file.
        end: the number of the row after the last one; None: the end of the file.
    """

    index: int
    is_pairs: bool
    file: int
    start: Place | None
    end: int | None


@dataclass(frozen=True)
class Plan:
    """All parts, in order.

    Attributes:
        rows: the number of rows of the files with headlines.
    """

    parts: Sequence[Part]
    rows: int

    @property
    def buckets(self) -> int:
        """The number of buckets into which keys are divided."""
        return -(-len(self.parts) // PARTS_OF_BUCKET)


def cut(reader: RowReader, file: int, rows: int) -> dict[str, Any]:
    """Finds where the parts of a file begin; the result is ready for JSON.

    Raises:
        CorpusError: the file cannot be read, lacks a column or has no rows.
    """
    starts: list[Place] = []
    with reader.opened(file) as (table, columns):
        count = 0
        for count, place in enumerate(table.places(), 1):
            if count % rows == 1 or rows == 1:
                starts.append(place)
        if not starts:
            count = sum(map(len, table.blocks(columns)))
        if not count:
            raise CorpusError(f"{table.path} has no rows")
    return {"rows": count, "starts": starts}


def plan_of(pairs: Sequence[dict[str, Any]], alone: Sequence[dict[str, Any]]) -> Plan:
    """Makes the plan of what ``cut`` found in files with and without headlines."""
    parts: list[Part] = []
    for is_pairs, files in ((True, pairs), (False, alone)):
        for file, found in enumerate(files):
            places = [Place(*place) for place in found["starts"]]
            starts: list[Place | None] = [*places] or [None]
            ends = [*(place.number for place in places[1:]), None]
            for start, end in zip(starts, ends, strict=True):
                parts.append(Part(len(parts), is_pairs, file, start, end))
    return Plan(parts, sum(found["rows"] for found in pairs))


def read_part(reader: RowReader, part: Part) -> Iterator[Rows]:
    """Yields the rows of a part in blocks.

    Raises:
        CorpusError: the file cannot be read.
    """
    with reader.opened(part.file) as (table, columns):
        for rows in table.blocks(columns, part.start):
            rows.file = part.file
            is_last = part.end is not None and _last(rows) >= part.end
            yield _before(rows, part.end) if is_last else rows
            if is_last:
                return


def _last(rows: Rows) -> int:
    ends = [rows.numbers[-1]] if rows.numbers else []
    return max(ends + [row.number for row in rows.others[-1:]], default=0)


def _before(rows: Rows, end: int | None) -> Rows:
    """Leaves out the rows from a number on."""
    assert end is not None
    count = sum(number < end for number in rows.numbers)
    others: Sequence[Row] = [row for row in rows.others if row.number < end]
    texts = [column[:count] for column in rows.texts]
    return replace(rows, numbers=rows.numbers[:count], texts=texts, others=others)


def stamp(path: Path) -> list[Any]:
    """Returns what tells whether a file has changed: its size and time.

    Raises:
        CorpusError: it cannot be read.
    """
    from headline.formats.files import blame
    from headline.formats.tables import total_bytes

    with blame(path):
        return [str(path), total_bytes([path]), int(path.stat().st_mtime)]
