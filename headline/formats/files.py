"""Input files: each is opened once, however often it is read.

Each reader has its own position, so several can read any parts of a file at once. A
pipe can be read only once, so bytes read to detect its layout are kept for the reader.
"""

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headline.errors import CorpusError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER = 1 << 16  # bytes; also the sample for detecting encoding and line ends


@contextmanager
def blame(path: Path | str) -> Iterator[None]:
    """Turns errors of reading into a CorpusError that names the file or stream."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeError as error:  # some codecs cannot skip a wrong byte
        raise CorpusError(
            f"cannot decode {path}: {error}; name its encoding with --encoding"
        ) from error


def read_once(path: Path) -> CorpusError:
    """Returns the error for reading a pipe or a device a second time."""
    return CorpusError(
        f"{path} is a pipe or a device, which can be read only once: save it to a file"
    )


def check_can_be_read_again(path: Path) -> None:
    """Checks that a path is not a pipe or device, which can be read only once.

    Raises:
        CorpusError: it exists and is not a regular file.
    """
    if path.exists() and not path.is_file():
        raise read_once(path)


class InputFile:
    """An open file, for the readers of one thread.

    Raises:
        CorpusError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = bytearray()  # bytes that previews of a pipe have read
        self._is_taken = False  # whether the pipe has its only reader
        self._open()

    def _open(self) -> None:
        with blame(self.path):
            self._file = self.path.open("rb", buffering=0)
            mode = os.fstat(self._file.fileno()).st_mode
        self.is_regular = stat.S_ISREG(mode)
        self._place = 0

    def close(self) -> None:
        """Closes the file; the next reader opens a regular file again."""
        self._file.close()

    def reader(self, begin: int = 0, end: int | None = None) -> io.BufferedReader:
        """Returns a stream of the bytes from ``begin`` up to but not including ``end``.

        Raises:
            CorpusError: it is a pipe with a reader, or it cannot be opened again.
        """
        if self._is_taken:
            raise read_once(self.path)
        if self._file.closed:
            self._open()
        self._is_taken = not self.is_regular
        return io.BufferedReader(_Range(self, begin, end), BUFFER)

    def preview(self) -> io.BufferedReader:
        """Returns a stream from the beginning; the reader still gets all bytes."""
        return io.BufferedReader(_Range(self, 0, None), BUFFER)

    def read_at(self, place: int, buffer: memoryview) -> int:
        """Reads bytes at an offset into a buffer; returns how many, 0 at the end."""
        if place < len(self._kept):
            found = self._kept[place : place + len(buffer)]
            buffer[: len(found)] = found
            return len(found)
        if self.is_regular and place != self._place:
            self._file.seek(place)
        read = self._file.readinto(buffer) or 0
        self._place = place + read
        if not self.is_regular and not self._is_taken:
            self._kept += buffer[:read]
        return read


class _Range(io.RawIOBase):
    """A range of bytes of a file, with its own position."""

    def __init__(self, file: InputFile, begin: int, end: int | None) -> None:
        self._file = file
        self._place, self._end = begin, end

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.is_regular

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        if self._end is not None:
            view = view[: max(0, self._end - self._place)]
        read = self._file.read_at(self._place, view)
        self._place += read
        return read

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if not self.seekable() or whence == os.SEEK_END:
            raise io.UnsupportedOperation("seek")
        self._place = offset + (self._place if whence == os.SEEK_CUR else 0)
        return self._place

    def tell(self) -> int:
        if not self.seekable():
            raise io.UnsupportedOperation("tell")
        return self._place
