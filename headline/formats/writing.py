"""Functions that the writers of all formats share."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from headline.errors import CorpusError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def clean(value: Any) -> str:
    """Returns a value as text that can be written as UTF-8.

    Undecodable bytes and lone surrogates become question marks.
    """
    return str(value).encode("utf-8", "replace").decode("utf-8")


class BinarySink(io.RawIOBase):
    """A stream of bytes that counts them, for writers that ask for the position.

    Closing it leaves the stream below open.

    Attributes:
        is_lost: discard everything from now on, because the output has failed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written = 0
        self.is_lost = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        """Returns the number of bytes written so far."""
        return self._written

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes bytes."""
        size = memoryview(data).nbytes
        if not self.is_lost:
            self._stream.write(data)
        self._written += size
        return size


@contextmanager
def binary_sink(stream: TextIO, kind: str) -> Iterator[BinarySink]:
    """Yields the bytes below a text stream, to which nothing has been written.

    Args:
        kind: the kind of file that is written, for the message.

    Raises:
        CorpusError: it is a terminal, or has no bytes below it.
    """
    below: BinaryIO | None = getattr(stream, "buffer", None)
    if below is None or stream.isatty():
        raise CorpusError(f"the output is {kind}, and no text: name a file with -o")
    sink = BinarySink(below)
    yield sink
    below.flush()


class Percent(float):
    """A confidence in percent, which has one decimal as text."""

    __slots__ = ()


def cell_text(cell: str | float | None) -> str:
    """Returns a new cell as text; a score has four decimals, a percentage one."""
    if cell is None:
        return ""
    if isinstance(cell, Percent):
        return f"{cell:.1f}"
    return cell if isinstance(cell, str) else f"{cell:.4f}"


def csv_table(
    stream: TextIO, header: Sequence[str]
) -> Callable[[Iterable[object]], object]:
    """Writes the header of a CSV table; returns a function that writes a row."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    return writer.writerow
