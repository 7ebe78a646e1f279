"""A folder of text files, an article in each, whose first line is the headline.

THUCNews is one: http://thuctc.thunlp.org. Its folders are the categories of the news.
"""

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TextIO

from headline.formats.dialects import Dialect
from headline.formats.encodings import AUTO, binary_kind, detect_encoding
from headline.formats.files import BUFFER, FolderReader, InputFile
from headline.formats.layout import Layout, Place
from headline.formats.lines import is_decoded
from headline.formats.options import CorpusFormat
from headline.formats.records import Row
from headline.formats.registered.delimited import CSV
from headline.formats.registry import FileFormat, New, Write, register
from headline.system.progress import Report

SUFFIX = ".txt"
COLUMNS = ("file", "title", "content")  # the file is named within its folder


class TextFolder(FileFormat):
    """The .txt files of a folder and of the folders in it, in the order of their names.

    The headline is the first line that is not blank. A file of a single line is an
    article without a headline. The number of a row is the place of its file in that
    order. The encoding is detected for each file.
    """

    is_folder = True

    @property
    def writes(self) -> str:
        return CSV.writes

    def holds(self, folder: Path) -> bool:
        return next(_files(folder), None) is not None

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        return Layout(
            path=file.path,
            header=COLUMNS,
            columns=COLUMNS,
            encoding=how.encoding,
            is_detected=how.encoding == AUTO,
        )

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        assert isinstance(stream, FolderReader)
        first = 1 if start is None else start.number
        files = islice(_files(layout.path), first - 1, None)
        for number, path in enumerate(files, first):
            with stream.open(path) as file:
                content = file.read()
            yield _row(number, str(path.relative_to(layout.path)), content, layout)

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        first = 1 if start is None else start.number
        for number, _ in enumerate(_files(layout.path), 1):
            if number >= first:
                yield Place(0, number)

    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> AbstractContextManager[Write]:
        """Yields a function that writes a row of CSV for each file."""
        return CSV.writer(stream, replace(layout, dialect=Dialect(",")), new)


def _files(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yields the text files of a folder and of those in it; hidden ones are left out.

    Args:
        above: the folders that this one is in; a link to one of them is not followed.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    with suppress(PermissionError), os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _files(Path(entry.path), above | {here})
            elif entry.name.lower().endswith(SUFFIX):
                yield Path(entry.path)


def _row(number: int, name: str, content: bytes, layout: Layout) -> Row:
    text, problem = _decoded(content, layout)
    title, _, article = text.lstrip("\ufeff\u3000 \t\r\n").partition("\n")
    if not article.strip():
        title, article = "", title
    fields = (name, title.strip(), article)
    return Row(number, dict(zip(COLUMNS, fields, strict=True)), problem, fields)


def _decoded(content: bytes, layout: Layout) -> tuple[str, str | None]:
    """Returns the text of a file, and why it is none."""
    head = content[:BUFFER]
    if kind := binary_kind(head):
        return "", f"looks like {kind}"
    encoding = layout.encoding
    if layout.is_detected:
        found = detect_encoding(head)
        if found is None:
            return "", "no text in an encoding that can be detected"
        encoding = found
    text = content.decode(encoding, "surrogateescape").replace("\r\n", "\n")
    return text, None if is_decoded(text) else f"not valid {encoding}"


register(TextFolder())
