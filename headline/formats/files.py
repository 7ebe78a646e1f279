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
from typing import TYPE_CHECKING, cast

from headline.errors import CorpusError
from headline.system.storage import StoredPath

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
        if error.errno is None:  # of bzip2 and zstd, not of the operating system
            raise CorpusError(f"{path} is damaged: {error}") from error
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
        CorpusError: it exists and is neither a regular file nor a folder.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise read_once(path)


def need_seeking(file: "InputFile") -> None:
    """Checks that a format may jump about in a file, which a pipe does not allow.

    Raises:
        CorpusError: the file is a pipe or a device.
    """
    if not file.is_regular:
        raise CorpusError(
            f"{file.path} is no file that can be searched: save it as one"
        )


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
            self.is_regular = stat.S_ISREG(self._status().st_mode)
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

    @property
    def size(self) -> int:
        """The size of a regular file in bytes."""
        return self._status().st_size

    def _status(self) -> os.stat_result:
        if isinstance(self.path, StoredPath):  # it has no descriptor
            return self.path.stat()
        return os.fstat(self._file.fileno())

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
        if not self.seekable():
            raise io.UnsupportedOperation("seek")
        if whence == os.SEEK_END:
            offset += self._file.size if self._end is None else self._end
        self._place = offset + (self._place if whence == os.SEEK_CUR else 0)
        return self._place

    def tell(self) -> int:
        if not self.seekable():
            raise io.UnsupportedOperation("tell")
        return self._place


class InputFolder(InputFile):
    """A folder of files, which its format opens one after another.

    A file that a preview has opened stays open for the readers.
    """

    def _open(self) -> None:
        self.is_regular = True
        self.kept: dict[Path, InputFile] = {}

    def close(self) -> None:
        """Closes what previews have opened; readers open it again."""
        for file in self.kept.values():
            file.close()
        self.kept.clear()

    def reader(self, begin: int = 0, end: int | None = None) -> "FolderReader":
        """Returns a stream for ``FolderReader.open``; it has no bytes of its own."""
        return FolderReader(self)

    def preview(self) -> "FolderReader":
        """Returns a stream as ``reader`` does."""
        return FolderReader(self, keeps=True)


class FolderReader(io.BufferedReader):
    """Opens the files of a folder, and counts the bytes that were read of them.

    A folder itself has no bytes to read.

    Args:
        keeps: whether the files stay open, until the folder is closed.
    """

    def __init__(self, folder: InputFolder, keeps: bool = False) -> None:
        super().__init__(cast(io.RawIOBase, io.BytesIO()))
        self._folder, self._keeps = folder, keeps
        self._before = 0  # bytes of the files that were read to their end
        self._now: io.BufferedReader | None = None

    @contextmanager
    def open(self, path: Path) -> Iterator[io.BufferedReader]:
        """Yields an open file of the folder.

        Raises:
            CorpusError: it cannot be opened or read.
        """
        kept = self._folder.kept
        file = kept.get(path) or InputFile(path)
        if self._keeps:
            kept[path] = file
        try:
            with blame(path):
                self._now = file.reader()
                yield self._now
                self._before, self._now = self._before + self._now.tell(), None
        finally:
            if path not in kept:
                file.close()

    def tell(self) -> int:
        """Returns the number of bytes read so far."""
        return self._before + (0 if self._now is None else self._now.tell())


def open_input_file(path: Path) -> InputFile:
    """Opens a file or a folder.

    Raises:
        CorpusError: it cannot be opened.
    """
    return InputFolder(path) if path.is_dir() else InputFile(path)
