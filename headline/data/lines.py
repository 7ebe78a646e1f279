"""The lines of a text file, plain or .gz, and what is wrong with them."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from headline.errors import CorpusError

BUFFER = 1 << 16  # bytes; also what the kind of line ends is told from
LONGEST_ROW = 10_000  # lines; only a quote that is never closed gets there


def decode(path: Path, file: BinaryIO, encoding: str) -> tuple[TextIO, str]:
    """Returns the text of the file, cut into lines where its lines end, and how."""
    is_gzip = path.name.lower().endswith(".gz")
    stream = cast(io.BufferedReader, gzip.GzipFile(fileobj=file) if is_gzip else file)
    head = stream.peek(BUFFER).decode(encoding, "replace")
    # A bare CR ends the lines only of a file that knows no other line end; elsewhere
    # it is text. The last character may be the first half of a CR LF.
    newline = "\r" if "\r" in head[:-1] and "\n" not in head else "\n"
    return io.TextIOWrapper(stream, encoding, "surrogateescape", newline), newline


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

    def __init__(self, stream: TextIO, newline: str, path: Path, encoding: str) -> None:
        self.path = path
        self.undecodable = f"not valid {encoding}"  # as a row's problem
        self.encoding_hint = (
            f"try --encoding {'utf-8' if encoding == 'gb18030' else 'gb18030'}"
        )
        self._stream, self._newline = stream, newline
        self._lines = _read_lines(stream, path)
        self.ahead = lines_of("")  # what comes before the rest of the stream
        self.start_row()

    def start_row(self) -> None:
        """Forgets the row before; ``problem`` is about the lines from here on."""
        self._in_row = 0
        self._decoded = True
        self._ended = False

    def problem(self) -> str | None:
        """Returns what is wrong with the row that was just completed."""
        if not self._decoded:
            return self.undecodable
        # Asked for one line more than there is: the row was still open.
        return "a quote is not closed before the end" if self._ended else None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.readline() or next(self._lines, None)
        if line is None:
            self._ended = True
            raise StopIteration
        self._in_row += 1
        if self._in_row > LONGEST_ROW:  # an open quote must not swallow the file
            raise csv.Error(f"a quote is not closed within {LONGEST_ROW} lines")
        if not _is_decoded(line):
            self._decoded = False
        return _with_plain_end(line) if "\r" in line else line

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
def blame(path: Path) -> Iterator[None]:
    """Turns what goes wrong in reading the file into one line that names it."""
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
