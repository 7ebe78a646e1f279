"""Plain text: one article, or one per line; undecodable bytes are skipped."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import BinaryIO, TextIO, cast

from headline.errors import CorpusError
from headline.formats.encodings import AUTO, documents_kind, undecodable_share
from headline.formats.files import BUFFER, InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.lines import encoding_of, plain_stream, text_layout, unpacked
from headline.formats.options import CorpusFormat
from headline.formats.records import Row
from headline.formats.registry import Added, FileFormat, New, Write, register
from headline.formats.writing import cell_text
from headline.system.progress import Report

MOST_UNDECODABLE = 0.5  # share of a text
TEXT = "text"  # the name of a line's only value


class PlainText(FileFormat):
    """Lines of text; each line, blank or not, is a row with only its text."""

    suffixes = (".txt",)
    is_table = False

    def layout(self, file: InputFile, how: CorpusFormat) -> Layout:
        """Detects the encoding as ``text_lines`` does."""
        layout = text_layout(file, how.encoding, how.note)
        with blame(file.path), peekable(file.preview(), str(file.path)) as plain:
            if how.encoding == AUTO and plain.peek(BUFFER).isascii():
                line = next((line for line in plain if not line.isascii()), b"")
                encoding = encoding_of(line, AUTO, str(file.path), how.note)
                layout = replace(layout, encoding=encoding)
        return replace(layout, newline="\n")

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        number = 1 if start is None else start.number
        with blame(layout.path):
            plain = plain_stream(stream, layout)
            for line in _decoded(plain, layout.encoding):
                yield Row(number, {TEXT: line}, None)
                number += 1

    def places(
        self, stream: io.BufferedReader, layout: Layout, start: Place | None = None
    ) -> Iterator[Place]:
        if not layout.tells_places:
            return
        offset, number = (0, 1) if start is None else start[:2]
        with blame(layout.path):
            for line in stream:
                yield Place(offset, number)
                offset, number = offset + len(line), number + 1

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that writes a line of tab-separated headlines per row, or
        the text that is given instead."""

        def write(row: Row | None, added: Added) -> None:
            text = added.text
            if text is None:
                text = "\t".join(map(cell_text, added.cells))
            stream.write(text + "\n")
            stream.flush()

        yield write


def text_lines(stream: BinaryIO, how: CorpusFormat, name: str) -> Iterator[str]:
    """Yields each line of a stream as it arrives, without undecodable bytes.

    The encoding is detected from the first available bytes or, if those are ASCII, from
    the first line that is not ASCII. So it never waits for more of a slow pipe.

    Args:
        name: the name of the stream, for messages.

    Raises:
        CorpusError: the stream is not text, or it is damaged.
    """
    with blame(name), peekable(stream, name) as plain:
        head = plain.peek(BUFFER)
        encoding = encoding_of(head, how.encoding, name, how.note)
        if how.detail is not None:
            how.detail(f"{name}: encoding {encoding}, an article in each line")
        if how.encoding != AUTO or not head.isascii():
            yield from _decoded(plain, encoding)
            return
        is_open = True
        for line in plain:
            if is_open and not line.isascii():
                encoding, is_open = encoding_of(line, AUTO, name, how.note), False
            yield line.decode(encoding, "ignore")


def _decoded(stream: io.BufferedReader, encoding: str) -> Iterator[str]:
    if "\n".encode(encoding).endswith(b"\n"):
        for line in stream:
            yield line.decode(encoding, "ignore")
        return
    # In UTF-16, for example, half of another character may look like a line end.
    text = io.TextIOWrapper(stream, encoding, "ignore", newline="\n")
    try:
        yield from chain(text)  # closing a chain does not close the text
    finally:
        text.detach()  # the stream is the caller's to close


@contextmanager
def peekable(stream: BinaryIO, name: str) -> Iterator[io.BufferedReader]:
    """Yields the content of a stream, decompressed; the stream stays open.

    Args:
        name: the name of the stream, for messages.
    """
    buffered = cast(io.BufferedReader, stream)
    if not hasattr(stream, "peek"):
        buffered = io.BufferedReader(cast(io.RawIOBase, stream))
    try:
        yield unpacked(buffered, name)
    finally:
        if buffered is not stream:
            buffered.detach()


def whole_text(stream: BinaryIO, how: CorpusFormat, name: str) -> str:
    """Returns a whole stream as one article, without undecodable bytes.

    Args:
        name: the name of the stream, for messages.

    Raises:
        CorpusError: the stream is damaged, is mostly undecodable, or contains many
            documents.
    """
    with blame(name), peekable(stream, name) as plain:
        content = plain.read()
    encoding = encoding_of(content[:BUFFER], how.encoding, name, how.note)
    if how.detail is not None:
        how.detail(f"{name}: encoding {encoding}, one article")
    text = content.decode(encoding, "replace")
    if undecodable_share(text) > MOST_UNDECODABLE:
        raise CorpusError(
            f"most of {name} is not valid {encoding}: name another --encoding, or "
            "leave it out to have it detected"
        )
    if kind := documents_kind(text):
        raise CorpusError(f"{name} looks like {kind}")
    return content.decode(encoding, "ignore")


PLAIN_TEXT = PlainText()
register(PLAIN_TEXT)
