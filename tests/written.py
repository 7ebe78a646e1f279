"""One corpus in every format: how a test writes it, and how it reads an output."""

import bz2
import csv
import gzip
import io
import json
import re
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


def write_dataset(path: Path, rows: Sequence[Record]) -> None:
    """Writes two files of 25 rows a batch, as ``datasets`` does."""
    path.mkdir()
    table = pa.Table.from_pylist(list(rows))
    half = len(rows) // 2
    names = [f"data-0000{part}-of-00002.arrow" for part in range(2)]
    for name, part in zip(names, (table[:half], table[half:]), strict=True):
        with pa.ipc.new_stream(path / name, table.schema) as stream:
            stream.write_table(part, max_chunksize=25)
    state = {"_data_files": [{"filename": name} for name in names], "_split": None}
    (path / "state.json").write_text(json.dumps(state))
    (path / "dataset_info.json").write_text('{"features": {}}')


def write_excel(path: Path, rows: Sequence[Record]) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.title = "新闻"
    workbook.active.append(list(rows[0]))
    for row in rows:
        workbook.active.append([value or None for value in row.values()])
    workbook.save(path)


def write_texts(path: Path, rows: Sequence[Record]) -> None:
    """Writes a file for each row; their names are in the order of the rows."""
    for number, row in enumerate(rows):
        folder = path / f"category {number // 20}"
        folder.mkdir(parents=True, exist_ok=True)
        encoding = ("utf-8", "gb18030", "utf-8-sig")[number % 3]
        text = "\n".join(filter(None, row.values()))
        (folder / f"{number:03}.txt").write_text(text, encoding)
    (path / "notes.md").write_text("no article")


def as_lcsts(rows: Sequence[Record]) -> bytes:
    documents = []
    for number, row in enumerate(rows):
        summary, text = row.values()
        label = "    <human_label>4</human_label>\n" * (number % 2)
        documents.append(
            f"<doc id={number}>\n{label}"
            f"    <summary>\n        {summary}\n    </summary>\n"
            f"    <short_text>\n        {text}\n    </short_text>\n</doc>\n"
        )
    return "".join(documents).encode()


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
    "saved": write_dataset,
    "texts": write_texts,
    "PART_I.txt": write_bytes(as_lcsts),
    "news.xlsx": write_excel,
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


def lcsts_record(document: str) -> dict[str, str]:
    parts = re.findall(r"<(\w+)>\s*(.*?)\s*</\1>", document, re.DOTALL)
    names = {"summary": "title", "short_text": "content"}
    return {names.get(name, name): part for name, part in parts}


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of an output, read by other programs than ours."""
    suffix = [part for part in path.suffixes if part not in (".gz", ".bz2", ".zst")][-1]
    if suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if suffix == ".xlsx":
        header, *rows = openpyxl.load_workbook(path).worksheets[0].values
        return [dict(zip(header, row, strict=True)) for row in rows]
    text = unpacked(path).decode()
    if suffix == ".txt":
        return [*map(lcsts_record, text.split("</doc>\n")[:-1])]
    if suffix == ".json":
        return list(json.loads(text))
    return [*csv.DictReader(io.StringIO(text))]
