"""JSON Lines: one object per line, which may lack keys of the first one."""

import io
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TextIO

from headline.errors import CorpusError
from headline.formats.files import InputFile
from headline.formats.layout import Layout, Place
from headline.formats.lines import Lines, open_lines, text_layout
from headline.formats.options import CorpusFormat
from headline.formats.records import Row, first_rows, none_readable, with_nested
from headline.formats.registry import Added, FileFormat, New, Write, check_new, register
from headline.formats.writing import clean
from headline.system.progress import Report

SUFFIXES = (".jsonl", ".ndjson", ".json")
_MOST_DIGITS = 4000


class Objects(FileFormat):
    """Objects of JSON; the columns are the keys of the first one."""

    takes_settings = True

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        text = text_layout(file, how.encoding, how.note)
        first = first_rows(self.rows(file.preview(), text))
        if not first:
            raise CorpusError(f"{file.path} has no rows")
        if first[-1].problem is not None:
            raise none_readable(text, first[0])
        keys = tuple(first[-1].values)
        columns = tuple(with_nested(first[-1].values))
        return replace(text, header=keys, columns=columns)


class JsonLines(Objects):
    """Objects, each in a line of its own."""

    suffixes = SUFFIXES

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        with open_lines(stream, layout, start, note) as lines:
            for number, line in _numbered(lines, start):
                if not line.isspace():
                    values, problem = parse_object(line)
                    yield Row(number, values, lines.problem() or problem)
                lines.start_row()

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        if not layout.tells_places:
            return
        with open_lines(stream, layout, start, tells_places=True) as lines:
            for number, line in _numbered(lines, start):
                if not line.isspace():
                    yield lines.place(number)
                lines.start_row()

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that writes each object with its new keys.

        A line that is not an object, or has invalid options, gets the key ``error``
        with its line number. NaN and the infinities, which JSON lacks, become null.
        """
        check_new(layout.header, new.keys)

        def write(row: Row | None, added: Added) -> None:
            stream.write(written(row, added, "line") + "\n")

        yield write


def written(row: Row | None, added: Added, place: str) -> str:
    """Returns a row with its output as one line of JSON.

    Args:
        place: what the number of the row counts.
    """
    assert row is not None
    record: dict[str, Any] = dict(row.values)
    if added.problem:
        record["error"] = f"{place} {row.number}: {added.problem}"
    return clean(to_json(record | dict(added.values)))


def _numbered(lines: Lines, start: Place | None) -> Iterator[tuple[int, str]]:
    return enumerate(lines, start=1 if start is None else start.number)


def parse_object(line: str) -> tuple[dict[str, Any], str | None]:
    """Returns a JSON object, or the text under the key ``""`` and the problem."""
    try:
        value = _loads(line)
    except (ValueError, RecursionError):
        return {"": line}, "not valid JSON"
    if not isinstance(value, dict):
        return {"": line}, "not a JSON object"
    return value, None


def _loads(line: str) -> Any:
    try:
        return json.loads(line, strict=False)
    except ValueError:
        # Python refuses integers of too many digits; they stay text.
        return json.loads(line, strict=False, parse_int=_number)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) < _MOST_DIGITS else digits


def to_json(value: Any) -> str:
    """Returns a value as one line of JSON, with null for NaN and the infinities."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


register(JsonLines())
