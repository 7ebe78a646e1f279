"""Writing corpus files in a test and reading them back."""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from headline.data.cleaning import Reason, Reject
from headline.data.cleaning import rejects as reported
from headline.data.corpus import CorpusReader, Pair, RowReader
from headline.data.duplicates import DigestSet, with_duplicates
from headline.errors import CorpusError
from headline.formats.records import Row
from headline.formats.tables import CorpusFormat, open_table

ARTICLE = "央行今日宣布下调存款准备金率"
PAIR = Pair(ARTICLE, "央行降准")
LINE = f"{PAIR.target},{PAIR.source}\n"


def write(path: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    data = content if isinstance(content, bytes) else content.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def rows(path: Path, **settings: Any) -> list[Row]:
    with open_table(path, CorpusFormat(**settings)) as table:
        return list(table)


def entries(reader: RowReader) -> list[Pair | Reject]:
    """Returns what the files give, in the order of their rows."""
    found: list[Pair | Reject] = []
    seen = DigestSet()
    for rows in reader.read():
        judged, digests, *_ = reader.judge(rows.texts)
        faults = {
            row: made for row, made in enumerate(judged) if isinstance(made, Reason)
        }
        faults = with_duplicates(faults, digests, seen)
        numbered: list[tuple[int, Pair | Reject]] = [
            (rows.numbers[row], made)
            for row, made in enumerate(judged)
            if isinstance(made, Pair) and row not in faults
        ]
        named = reader.names[rows.file]
        numbered += [(reject.row, reject) for reject in reported(rows, named, faults)]
        found += [entry for _, entry in sorted(numbered, key=lambda pair: pair[0])]
    return found


def read(*files: Path, **settings: Any) -> list[Pair | Reject]:
    limits = {"min_source_length": 10, "min_target_length": 2, "max_target_length": 20}
    limits |= {name: settings.pop(name) for name in limits if name in settings}
    return entries(CorpusReader(files, CorpusFormat(**settings), **limits))


def fault(path: Path, **settings: Any) -> str:
    """Returns the message that reading the pairs of the file fails with."""
    with pytest.raises(CorpusError) as caught:
        read(path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def to_csv(records: Iterable[Iterable[Any]], **dialect: Any) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows(records)
    return stream.getvalue()


def rejects(found: Iterable[Pair | Reject]) -> list[Reject]:
    return [entry for entry in found if isinstance(entry, Reject)]
