"""The lines of a text file, plain or gzip, and what is wrong with them."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from headline.errors import CorpusError
from headline.formats.encodings import (
    AUTO,
    binary_kind,
    detect_encoding,
    is_gzip,
)
from headline.system.progress import Report

BUFFER = 1 << 16  # bytes; also what the kind of line ends is told from
LONGEST_ROW = 10_000  # lines; only a quote that is never closed gets there


def unzipped(file: io.BufferedReader) -> io.BufferedReader:
    """Returns what a file holds, decompressed where it is gzip, whatever its name."""
    if not is_gzip(file.peek(BUFFER)):
        return file
    return cast(io.BufferedReader, gzip.GzipFile(fileobj=file))


def encoding_of(head: bytes, encoding: str, name: str, note: Report | None) -> str:
    """Returns the encoding of a text, detected where ``AUTO`` is asked for.

    Args:
        head: the first bytes of the text.
        name: of the text, for messages.
        note: gets a line if the text is in another encoding than UTF-8.

    Raises:
        CorpusError: it is no text, or its encoding cannot be detected.
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


class OpenQuote(csv.Error):
    """A quote is not closed within as many lines as a row may have."""


class Text(NamedTuple):
    """An open text, cut into lines where its lines end."""

    stream: TextIO
    newline: str  # how its lines end
    encoding: str
    detected: bool  # whether nobody has named that encoding


def decode(
    path: Path, file: BinaryIO, encoding: str, note: Report | None = None
) -> Text:
    """Opens the text of a file.

    Raises:
        CorpusError: see ``encoding_of``.
    """
    stream = unzipped(cast(io.BufferedReader, file))
    head, asked = stream.peek(BUFFER), encoding
    encoding = encoding_of(head, asked, str(path), note)
    text = head.decode(encoding, "replace")
    # A bare CR ends the lines only of a file that knows no other line end; elsewhere
    # it is text. The last character may be the first half of a CR LF.
    newline = "\r" if "\r" in text[:-1] and "\n" not in text else "\n"
    lines = io.TextIOWrapper(stream, encoding, "surrogateescape", newline)
    return Text(lines, newline, encoding, asked == AUTO)


def _read_lines(stream: TextIO, path: Path) -> Iterator[str]:
    with blame(path):
        first = stream.readline().removeprefix("\ufeff")
        if first:
            yield first
        yield from stream


class Lines:
    """The lines of a stream, each with "\\n" as its only line end.

    It knows what a parser above it cannot: whether a byte of the row could not be
    decoded, and whether the file ended before the row did.
    """

    BLOCK = 1 << 17  # characters that are read together

    def __init__(
        self,
        text: Text,
        path: Path,
        note: Report | None = None,
    ) -> None:
        self.path = path
        self.note = note
        self.undecodable = f"not valid {text.encoding}"  # as a row's problem
        self.encoding_hint = (
            "name its encoding with --encoding"
            if text.detected
            else "leave out --encoding to have it detected"
        )
        self._stream, self._newline = text.stream, text.newline
        self._lines = _read_lines(text.stream, path)
        self._longest_row = LONGEST_ROW
        self.ahead = lines_of("")  # what comes before the rest of the stream
        self.start_row()

    def start_row(self) -> None:
        """Forgets the row before; ``problem`` is about the lines from here on."""
        self._row: list[str] = []
        self._decoded = True
        self._ended = False

    def problem(self) -> str | None:
        """Returns what is wrong with the row that was just completed."""
        if not self._decoded:
            return self.undecodable
        # Asked for one line more than there is: the row was still open.
        return "a quote is not closed before the end" if self._ended else None

    def take_back(self) -> str:
        """Leaves the row at its first line, and reads the others again.

        Returns:
            the first line.
        """
        first, *others = self._row
        self.ahead = lines_of("".join(others) + self.ahead.read())
        # Where many rows do so, each must cost less: all its lines are read for it.
        self._longest_row = max(100, self._longest_row // 2)
        return first

    @property
    def has_ended(self) -> bool:
        """Whether the row was still open at the end of the file."""
        return self._ended

    @property
    def lines_of_row(self) -> int:
        """How many lines the row has so far."""
        return len(self._row)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.readline() or next(self._lines, None)
        if line is None:
            self._ended = True
            raise StopIteration
        if not _is_decoded(line):
            self._decoded = False
        if "\r" in line:
            line = _with_plain_end(line)
        self._row.append(line)
        if len(self._row) > self._longest_row:  # it must not swallow the file
            raise OpenQuote(f"a quote is not closed within {self._longest_row} lines")
        return line

    def peek(self) -> str:
        """Returns the first line that is not blank; it and those before still come."""
        lines = [*self.ahead]
        while not lines or (lines[-1].isspace() and len(lines) < LONGEST_ROW):
            line = next(self._lines, None)
            if line is None:
                break
            lines.append(_with_plain_end(line))
        self.ahead = lines_of("".join(lines))
        return next((line for line in lines if not line.isspace()), "")

    def look_ahead(self) -> str | None:
        """Returns many lines, which still come next; None if it can tell of none.

        Then one of them could not be decoded, or a bare CR ends them, or they are so
        short that a row may have more of them than one is to have.
        """
        if self._newline != "\n":
            return None
        with blame(self.path):
            text = self._stream.read(self.BLOCK) + self._stream.readline()
        if "\r" in text:
            text = _with_plain_ends(text)
        text = self.ahead.read() + text
        self.ahead = lines_of(text)
        is_short = text.count("\n") >= LONGEST_ROW and '"' in text
        return None if is_short or not _is_decoded(text) else text


def lines_of(text: str) -> io.StringIO:
    return io.StringIO(text, "\n")


def _with_plain_ends(text: str) -> str:
    """Does with many lines at once what is done with each, in less time."""
    plain = text.replace("\r\n", "\n")
    if "\r" in plain:
        plain = "".join(map(_with_plain_end, lines_of(text)))
    return plain


def _with_plain_end(line: str) -> str:
    if "\r" not in line:
        return line
    body = line.rstrip("\r\n")
    return body.replace("\n", " ").replace("\r", " ") + "\n"


def _is_decoded(text: str) -> bool:
    try:
        text.encode()  # the fastest way to find what surrogateescape has left
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def blame(path: Path | str) -> Iterator[None]:
    """Turns what goes wrong in reading a file or stream into one line that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeError as error:  # some codecs cannot go on after a wrong byte
        raise CorpusError(
            f"cannot decode {path}: {error}; name its encoding with --encoding"
        ) from error
