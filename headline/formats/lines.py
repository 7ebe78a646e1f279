"""The lines of a text file, plain or compressed, and their problems."""

import csv
import io
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import cast

from headline.errors import CorpusError
from headline.formats.encodings import (
    AUTO,
    binary_kind,
    detect_encoding,
)
from headline.formats.files import BUFFER, InputFile, blame
from headline.formats.layout import LONGEST_ROW, Layout, Place
from headline.system.compression import compression_of, decompressed
from headline.system.progress import Report


def unpacked(file: io.BufferedReader, name: str) -> io.BufferedReader:
    """Returns the content of a file, decompressed if need be, whatever its name.

    Args:
        name: the name of the file, for messages.

    Raises:
        HeadlineError: the package that decompresses it is not installed.
    """
    kind = compression_of(file.peek(BUFFER))
    return file if kind is None else decompressed(file, kind, name)


def encoding_of(head: bytes, encoding: str, name: str, note: Report | None) -> str:
    """Returns the encoding of a text, detected if ``encoding`` is ``AUTO``.

    Args:
        head: the first bytes of the text.
        name: the name of the text, for messages.
        note: gets a line if the detected encoding is not UTF-8.

    Raises:
        CorpusError: it is not text, or its encoding cannot be detected.
    """
    if kind := binary_kind(head):
        raise CorpusError(f"{name} looks like {kind}")
    if encoding != AUTO:
        return encoding
    found = detect_encoding(head)
    if found is None:
        raise CorpusError(
            f"{name} is no text in an encoding that can be detected; if it is text, "
            "name its encoding with --encoding"
        )
    if note is not None and found != "utf-8":
        note(f"{name}: detected encoding {found}; --encoding chooses another")
    return found


def text_layout(file: InputFile, encoding: str, note: Report | None) -> Layout:
    """Detects the encoding and the line ends of a file.

    Raises:
        CorpusError: see ``encoding_of``.
    """
    with blame(file.path):
        stream = file.preview()
        compression = compression_of(stream.peek(BUFFER))
        head = unpacked(stream, str(file.path)).peek(BUFFER)
    found = encoding_of(head, encoding, str(file.path), note)
    text = head.decode(found, "replace")
    # A bare CR ends a line only in a file without other line ends; elsewhere it is
    # text. The last character of the sample may be the first half of a CR LF.
    newline = "\r" if "\r" in text[:-1] and "\n" not in text else "\n"
    return Layout(
        path=file.path,
        encoding=found,
        is_detected=encoding == AUTO,
        newline=newline,
        compression=compression,
    )


def plain_stream(stream: io.BufferedReader, layout: Layout) -> io.BufferedReader:
    """Returns the content of a stream of a file with this layout, decompressed."""
    if layout.compression is None:
        return stream
    return decompressed(stream, layout.compression, str(layout.path))


@contextmanager
def open_text(stream: io.BufferedReader, layout: Layout) -> Iterator[io.TextIOWrapper]:
    """Yields a text stream with the line ends of the layout; ``stream`` stays open."""
    with blame(layout.path):
        plain = plain_stream(stream, layout)
        text = io.TextIOWrapper(
            plain, layout.encoding, "surrogateescape", layout.newline
        )
    try:
        yield text
    finally:
        with suppress(ValueError):  # the stream may have been closed since
            text.detach()


@contextmanager
def open_lines(
    stream: io.BufferedReader,
    layout: Layout,
    start: Place | None = None,
    note: Report | None = None,
    tells_places: bool = False,
) -> Iterator["Lines"]:
    """Yields the lines of a stream, which stays open.

    Args:
        start: where the stream begins, if not at the beginning of the file.
        note: gets a line about rows that look suspicious.
        tells_places: whether ``Lines.place`` will be called.

    Raises:
        CorpusError: the stream cannot be read.
    """
    with open_text(stream, layout) as text:
        yield Lines(text, layout, start, note, tells_places)


class OpenQuote(csv.Error):
    """A quote is not closed within the most lines that a row may have."""


class Lines:
    """The lines of a stream, each with "\\n" as its only line end.

    It knows what the parser that reads it cannot know: whether a byte of the row could
    not be decoded, and whether the file ended before the row did.

    Args:
        start: where the stream begins, if not at the beginning of the file.
        tells_places: whether ``place`` will be called.
    """

    BLOCK = 1 << 17  # characters that are read together

    def __init__(
        self,
        stream: io.TextIOWrapper,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
        tells_places: bool = False,
    ) -> None:
        self.layout, self.note = layout, note
        self._stream = stream
        self._begins: deque[int] | None = deque() if tells_places else None
        self._offset = 0 if start is None else start.offset
        self._lines = self._read(is_first=start is None)
        self._longest_row = LONGEST_ROW if start is None else start.longest_row
        self.ahead = lines_of("")  # lines before the rest of the stream
        self.start_row()

    def _read(self, is_first: bool) -> Iterator[str]:
        with blame(self.layout.path):
            lines = iter(self._stream) if self._begins is None else self._measured()
            first = next(lines, "")
            if first := first.removeprefix("\ufeff") if is_first else first:
                yield first
            yield from chain(lines)  # closing a chain does not close the stream

    def _measured(self) -> Iterator[str]:
        """Yields the lines, and stores the offset of each."""
        assert self._begins is not None
        encoding = self.layout.encoding
        for raw in cast(io.BufferedReader, self._stream.buffer):
            line = raw.decode(encoding, "surrogateescape")
            # A byte order mark is not part of the first row.
            is_marked = self._offset == 0 and line.startswith("\ufeff")
            mark = len("\ufeff".encode(encoding)) if is_marked else 0
            self._begins.append(self._offset + mark)
            self._offset += len(raw)
            yield line

    def start_row(self) -> None:
        """Starts a new row; ``problem`` is about the lines from here on."""
        self._row: list[str] = []
        self._row_begins: list[int] = []
        self._row_limit = self._longest_row
        self._decoded = True
        self._ended = False

    def problem(self) -> str | None:
        """Returns the problem of the row that was just completed, or None."""
        if not self._decoded:
            return self.layout.undecodable
        # The parser wanted a line beyond the last one, so the row was still open.
        return "a quote is not closed before the end" if self._ended else None

    def take_back(self) -> str:
        """Ends the row after its first line; the other lines are read again.

        Returns:
            the first line.
        """
        first, *others = self._row
        self.ahead = lines_of("".join(others) + self.ahead.read())
        if self._begins is not None:
            self._begins.extendleft(reversed(self._row_begins[1:]))
        # Each such row costs reading all its lines, so make the next ones cheaper.
        self._longest_row = max(100, self._longest_row // 2)
        return first

    def place(self, number: int) -> Place:
        """Returns the place of the row that was just completed.

        Args:
            number: the number of the row.
        """
        return Place(self._row_begins[0], number, self._row_limit)

    @property
    def tells(self) -> bool:
        """Whether ``place`` can be called."""
        return self._begins is not None

    @property
    def has_ended(self) -> bool:
        """Whether the row was still open at the end of the file."""
        return self._ended

    @property
    def lines_of_row(self) -> int:
        """The number of lines of the row so far."""
        return len(self._row)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.readline() or next(self._lines, None)
        if line is None:
            self._ended = True
            raise StopIteration
        if not is_decoded(line):
            self._decoded = False
        if "\r" in line:
            line = _with_plain_end(line)
        self._row.append(line)
        if self._begins is not None:
            self._row_begins.append(self._begins.popleft())
        if (
            len(self._row) > self._longest_row
        ):  # an open quote must not swallow the file
            raise OpenQuote(f"a quote is not closed within {self._longest_row} lines")
        return line

    def peek(self) -> str:
        """Returns the first line that is not blank, without consuming any line."""
        lines = [*self.ahead]
        while not lines or (lines[-1].isspace() and len(lines) < LONGEST_ROW):
            line = next(self._lines, None)
            if line is None:
                break
            lines.append(_with_plain_end(line))
        self.ahead = lines_of("".join(lines))
        return next((line for line in lines if not line.isspace()), "")

    def look_ahead(self) -> str | None:
        """Returns many next lines without consuming them; None if that is not safe.

        It is not safe if a line cannot be decoded, if bare CRs end the lines, or if the
        lines are so short that a quoted row could have more than ``LONGEST_ROW``.
        """
        if self.layout.newline != "\n":
            return None
        with blame(self.layout.path):
            text = self._stream.read(self.BLOCK) + self._stream.readline()
        if "\r" in text:
            text = _with_plain_ends(text)
        text = self.ahead.read() + text
        self.ahead = lines_of(text)
        is_short = text.count("\n") >= LONGEST_ROW and '"' in text
        return None if is_short or not is_decoded(text) else text


def lines_of(text: str) -> io.StringIO:
    return io.StringIO(text, "\n")


def _with_plain_ends(text: str) -> str:
    """Does the same as ``_with_plain_end`` for many lines at once, but faster."""
    plain = text.replace("\r\n", "\n")
    if "\r" in plain:
        plain = "".join(map(_with_plain_end, lines_of(text)))
    return plain


def _with_plain_end(line: str) -> str:
    if "\r" not in line:
        return line
    body = line.rstrip("\r\n")
    return body.replace("\n", " ").replace("\r", " ") + "\n"


def is_decoded(text: str) -> bool:
    """Tells whether a text has no bytes that could not be decoded."""
    try:
        text.encode()  # the fastest way to find surrogates of undecoded bytes
    except UnicodeEncodeError:
        return False
    return True
