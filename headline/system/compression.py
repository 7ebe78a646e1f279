"""Compression of single files: gzip, bzip2 and zstd.

A file that is read is known by its first bytes, whatever its name. A file that is
written is known by the suffix of its name.
"""

import bz2
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TextIO, cast

from headline.system.packages import optional

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 16  # compressed bytes that are read together


class Compression(NamedTuple):
    """A way to compress a file."""

    name: str
    suffix: str
    magic: bytes  # the first bytes of each such file


GZIP = Compression("gzip", ".gz", b"\x1f\x8b")
BZIP2 = Compression("bzip2", ".bz2", b"BZh")
ZSTD = Compression("zstd", ".zst", b"\x28\xb5\x2f\xfd")
COMPRESSIONS = (GZIP, BZIP2, ZSTD)


def compression_of(head: bytes) -> Compression | None:
    """Returns how a file is compressed; None if it is not.

    Args:
        head: the first bytes of the file.
    """
    return next((one for one in COMPRESSIONS if head.startswith(one.magic)), None)


def named_compression(path: Path) -> Compression | None:
    """Returns the compression that the suffix of a file means; None if none."""
    suffix = path.suffix.lower()
    return next((one for one in COMPRESSIONS if one.suffix == suffix), None)


def plain_name(path: Path) -> str:
    """Returns the name of a file in lower case, without the suffix of compression."""
    found = named_compression(path)
    name = path.name.lower()
    return name if found is None else name.removesuffix(found.suffix)


def decompressed(
    stream: io.BufferedReader, kind: Compression, name: str
) -> io.BufferedReader:
    """Returns the content of a compressed stream, which stays open.

    Reading it raises EOFError if the stream breaks off, and OSError or ``zlib.error``
    if it is damaged.

    Args:
        name: the name of the stream, for messages.

    Raises:
        HeadlineError: the package that decompresses it is not installed.
    """
    if kind == GZIP:
        return cast(io.BufferedReader, gzip.GzipFile(fileobj=stream))
    if kind == BZIP2:
        unpacked = cast(io.RawIOBase, bz2.BZ2File(stream))
        return io.BufferedReader(unpacked, CHUNK)
    return io.BufferedReader(_Unzstd(stream, name), CHUNK)


class _Unzstd(io.RawIOBase):
    """The content of a zstd stream, which may have several frames.

    The reader of the package takes a file that breaks off for one that ends there.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        zstd = optional("zstandard", "zstd", f"{name} is zstd: reading it")
        self._error: type[Exception] = zstd.ZstdError
        self._stream = stream
        # Frames of `zstd --long` need larger windows than the default allows.
        self._context = zstd.ZstdDecompressor(max_window_size=1 << 31)
        self._frame = self._context.decompressobj()
        self._is_begun = False  # whether the frame has had its first bytes
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            if (content := self._more()) is None:
                return 0
            self._ready = memoryview(content)
        size = min(len(view), len(self._ready))
        view[:size], self._ready = self._ready[:size], self._ready[size:]
        return size

    def _more(self) -> bytes | None:
        """Returns some content, which may be empty; None at the end."""
        raw = b""
        if self._frame.eof:
            raw = self._frame.unused_data
            self._frame, self._is_begun = self._context.decompressobj(), False
        raw = raw or self._stream.read(CHUNK)
        if not raw:
            if self._is_begun:
                raise EOFError("Compressed file ended before the end of its last frame")
            return None
        self._is_begun = True
        try:
            return cast(bytes, self._frame.decompress(raw))
        except self._error as error:
            raise OSError(str(error)) from error


@contextmanager
def compressed_text(stream: BinaryIO, kind: Compression) -> Iterator[TextIO]:
    """Yields a UTF-8 stream whose text is written compressed; ``stream`` stays open.

    The same text always gives the same bytes: there is no name and no time in them.

    Raises:
        HeadlineError: the package that compresses it is not installed.
    """
    # A flush of the text must not cut the compressed stream into small blocks, so
    # there is a buffer between them.
    packed = io.BufferedWriter(_compressor(stream, kind), CHUNK)
    with io.TextIOWrapper(packed, encoding="utf-8", newline="") as text:
        yield text


def _compressor(stream: BinaryIO, kind: Compression) -> io.RawIOBase:
    if kind == GZIP:
        packed = gzip.GzipFile("", "wb", fileobj=stream, mtime=0)
        return cast(io.RawIOBase, packed)
    if kind == BZIP2:
        return cast(io.RawIOBase, bz2.BZ2File(stream, "wb"))
    zstd = optional("zstandard", "zstd", "writing a .zst file")
    packed = zstd.ZstdCompressor(write_checksum=True).stream_writer(
        stream, closefd=False
    )
    return cast(io.RawIOBase, packed)
