"""One corpus in every format: how a test writes it, and how it reads an output."""

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

Record = dict[str, str]


def as_csv(rows: Sequence[Record]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def as_array(rows: Sequence[Record]) -> bytes:
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def write_parquet(path: Path, rows: Sequence[Record]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=7)


def write_bytes(
    encode: Callable[[Sequence[Record]], bytes],
    pack: Callable[[bytes], bytes] = bytes,
) -> Callable[[Path, Sequence[Record]], None]:
    def write(path: Path, rows: Sequence[Record]) -> None:
        path.write_bytes(pack(encode(rows)))

    return write


# By the name of the file or the folder.
WRITERS: dict[str, Callable[[Path, Sequence[Record]], None]] = {
    "news.csv": write_bytes(as_csv),
    "news.csv.gz": write_bytes(as_csv, gzip.compress),
    "news.csv.bz2": write_bytes(as_csv, bz2.compress),
    "news.csv.zst": write_bytes(as_csv, zstandard.compress),
    "news.json": write_bytes(as_array),
    "array.json.gz": write_bytes(as_array, gzip.compress),
    "news.parquet": write_parquet,
}


def written(folder: Path, name: str, rows: Sequence[Record]) -> Path:
    """Writes the rows in the format that the name stands for."""
    path = folder / name
    WRITERS[name](path, rows)
    return path


def unpacked(path: Path) -> bytes:
    """The bytes of a file, decompressed as its suffix says."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().stream_reader(content).read()
    packers = {".gz": gzip.decompress, ".bz2": bz2.decompress}
    return packers[path.suffix](content) if path.suffix in packers else content


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of an output, read by other programs than ours."""
    suffix = [part for part in path.suffixes if part not in (".gz", ".bz2", ".zst")][-1]
    if suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if suffix == ".xlsx":
        header, *rows = openpyxl.load_workbook(path).worksheets[0].values
        return [dict(zip(header, row, strict=True)) for row in rows]
    text = unpacked(path).decode()
    if suffix == ".json":
        return list(json.loads(text))
    return [*csv.DictReader(io.StringIO(text))]
