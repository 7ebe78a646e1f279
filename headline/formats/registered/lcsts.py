"""The text form of LCSTS: many documents in one file, with tags around their parts.

Hu, Chen, Zhu 2015, "LCSTS: A Large Scale Chinese Short Text Summarization Dataset":

    <doc id=0>
        <human_label>5</human_label>
        <summary>
            央行降准
        </summary>
        <short_text>
            央行今日宣布下调存款准备金率
        </short_text>
    </doc>
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TextIO

from headline.errors import CorpusError
from headline.formats.files import InputFile
from headline.formats.layout import Layout, Place
from headline.formats.lines import Lines, open_lines, text_layout
from headline.formats.options import CorpusFormat
from headline.formats.records import Row, first_rows
from headline.formats.registered.text import PLAIN_TEXT
from headline.formats.registry import (
    Added,
    FileFormat,
    New,
    Write,
    check_new,
    register,
)
from headline.formats.writing import cell_text, clean
from headline.system.progress import Report

LONGEST = 1000  # lines of a document; only one that is never closed has more
_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<doc\b[^>]*>\s*(?:<human_label>[^<]*</human_label>\s*)?"
    rb"<(?:summary|short_text)>"
)
_OPENING = re.compile(r"\s*<doc\b(?:\s+id\s*=\s*\"?([^\s\">]*)\"?)?[^>]*>")
_PART = re.compile(r"<(\w+)>(.*?)</\1>", re.DOTALL)
_END = "</doc>"
_NEEDED = ("summary", "short_text")


class Lcsts(FileFormat):
    """Documents between tags; the number of a row is the line that it begins in."""

    @property
    def writes(self) -> str:
        return ".txt"

    def replaces(self, named: FileFormat, head: bytes) -> bool:
        return named is PLAIN_TEXT and bool(_BEGINNING.match(head))

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        text = text_layout(file, how.encoding, how.note)
        first = first_rows(self.rows(file.preview(), text))
        if first[-1].problem is not None:
            raise CorpusError(f"{file.path} has no whole document: {first[0].problem}")
        names = tuple(first[-1].values)
        return replace(text, header=names, columns=names)

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        with open_lines(stream, layout, start, note) as lines:
            for document in _documents(lines, 1 if start is None else start.number):
                yield document.row()

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        if not layout.tells_places:
            return
        with open_lines(stream, layout, start, tells_places=True) as lines:
            for document in _documents(lines, 1 if start is None else start.number):
                assert document.place is not None
                yield document.place

    def shape(self, layout: Layout) -> tuple[str, ...]:
        return ("LCSTS",)

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that writes each document with a tag for each new column.

        A document that is not whole stays as it was.
        """
        check_new(layout.header, new.columns)

        def write(row: Row | None, added: Added) -> None:
            assert row is not None
            body, end, rest = clean(row.origin).rpartition(_END)
            if not end:
                stream.write(rest)
                return
            cells = zip(new.columns, map(cell_text, added.cells), strict=False)
            tags = [f"    <{name}>{cell}</{name}>\n" for name, cell in cells]
            gap = "" if body.endswith("\n") else "\n"
            stream.write("".join([body, gap, *tags, end, rest]))

        yield write


@dataclass
class _Document:
    """The lines from one ``<doc>`` to before the next."""

    number: int  # of its first line
    lines: list[str] = field(default_factory=list)
    problem: str | None = None
    place: Place | None = None

    def row(self) -> Row:
        text = "".join(self.lines)
        opening = _OPENING.match(text)
        if opening is None:
            return Row(self.number, {"": text}, "text outside of <doc>", origin=text)
        values = {"id": opening[1] or ""}
        parts = _PART.findall(text, opening.end())
        values |= {name: part.strip() for name, part in parts}
        missing = [name for name in _NEEDED if name not in values]
        problem = self.problem
        if problem is None and _END not in text:
            problem = "a <doc> is not closed"
        if problem is None and missing:
            problem = f"a <doc> without <{missing[0]}>"
        return Row(self.number, values, problem, origin=text)


def _documents(lines: Lines, number: int) -> Iterator[_Document]:
    """Yields the documents; blank lines after one belong to it.

    Args:
        number: the number of the first line.
    """
    document: _Document | None = None
    for at, line in enumerate(lines, number):
        problem = lines.problem()
        if document is None or _begins(line, document):
            if document is not None:
                yield document
            document = _Document(at, place=lines.place(at) if lines.tells else None)
        document.lines.append(line)
        document.problem = document.problem or problem
        lines.start_row()
    if document is not None:
        yield document


def _begins(line: str, document: _Document) -> bool:
    """Tells whether a line begins another document, or follows one that has ended."""
    is_over = any(_END in line for line in document.lines) and not line.isspace()
    return is_over or _OPENING.match(line) is not None


register(Lcsts())
