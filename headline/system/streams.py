"""The standard streams, in whatever state the program was given them.

If a result cannot be written to stdout, the user sees one line of error. If a message
cannot be written to stderr, it is dropped. The lowest layer, which hands the bytes to
the operating system, does both, so they apply to all code that writes.
"""

import errno
import os
import select
import sys
from contextlib import suppress
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO, cast

from headline.errors import HeadlineError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# The null device takes the number of a closed stream; otherwise the next file opened
# would get it. It is opened in the wrong direction, so that using it fails with EBADF,
# like a closed stream.
STAND_INS = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}


class Result(FileIO):
    """A descriptor to write to, which reports only the first failure.

    After that it discards everything, so that a buffered stream above it, which still
    holds the lost bytes, can be closed.

    Args:
        title: its name in messages.
    """

    def __init__(self, descriptor: int, title: str, closefd: bool = True) -> None:
        super().__init__(descriptor, "w", closefd)
        self._title = title
        self._is_lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes bytes.

        Raises:
            HeadlineError: the operating system refused.
            BrokenPipeError: nobody reads.
        """
        size = memoryview(data).nbytes
        if self._is_lost:
            return size
        try:
            while (written := super().write(data)) is None:  # non-blocking
                select.select([], [self], [])
            return written
        except BaseException as error:
            # After a signal, too, it is not known how much was written.
            self._is_lost = True
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                raise _refused("write", self._title, error) from error
            raise


class Story(FileIO):
    """A descriptor for messages that may be lost.

    It is used without a buffer, whose lock would block a signal handler that reports
    something while a line is being written.
    """

    def __init__(self, descriptor: int, closefd: bool = False) -> None:
        super().__init__(descriptor, "w", closefd)

    def write(self, data: "ReadableBuffer", /) -> int:
        """Writes bytes, if that can be done."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        with suppress(OSError):
            while rest and (written := super().write(rest)):
                rest = rest[written:]
        return size


class Stdin(FileIO):
    """Descriptor 0, with errors of one line if it cannot be read."""

    def __init__(self) -> None:
        super().__init__(0, "r", closefd=False)

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        """Reads some bytes.

        Raises:
            HeadlineError: the operating system refused.
        """
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise _refused("read", "stdin", error) from error

    def readall(self) -> bytes:
        """Reads all that is left, as ``readinto``."""
        try:
            return super().readall()
        except OSError as error:
            raise _refused("read", "stdin", error) from error


def _refused(act: str, title: str, error: OSError) -> HeadlineError:
    is_closed = error.errno == errno.EBADF
    reason = "it is closed" if is_closed else error.strerror
    return HeadlineError(f"cannot {act} {title}: {reason}")


def take_standard_streams() -> None:
    """Makes stdin and stdout raise a HeadlineError on failure, and stderr ignore it.

    A stream that has been replaced, as by a test, stays as it is.
    """
    if os.name != "posix":
        return
    for descriptor, way in STAND_INS.items():
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, way), True)
    if sys.stdin is sys.__stdin__:
        sys.stdin = _text(BufferedReader(Stdin()), sys.stdin)
    if sys.stdout is sys.__stdout__:
        stdout = Result(1, "stdout", closefd=False)
        sys.stdout = _text(BufferedWriter(stdout), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(Story(2), sys.stderr)


def _text(buffer: BufferedReader | BufferedWriter | Story, old: Any) -> TextIOWrapper:
    """Returns a text stream above a buffer, with the settings of the old stream."""
    at_once = getattr(old, "write_through", False)  # as PYTHONUNBUFFERED asks for
    return TextIOWrapper(
        buffer,
        getattr(old, "encoding", "utf-8"),  # the default: the old one was closed
        getattr(old, "errors", "backslashreplace"),
        line_buffering=getattr(old, "line_buffering", False) or at_once,
        write_through=isinstance(buffer, Story),
    )


def story_stream(descriptor: int) -> TextIO:
    """Returns a text stream for messages that may be lost; it owns the descriptor."""
    return TextIOWrapper(
        Story(descriptor, closefd=True), "utf-8", "replace", write_through=True
    )


def give_stdin_back() -> None:
    """Puts the original ``sys.stdin`` back, before the interpreter exits.

    At exit the interpreter closes ``sys.stdin``, and crashes if a daemon thread that
    still reads from it holds its lock.
    """
    taken = sys.stdin
    if isinstance(getattr(getattr(taken, "buffer", None), "raw", None), Stdin):
        sys.stdin = sys.__stdin__
        cast(TextIOWrapper, taken).detach()


def flush_stdout() -> None:
    """Flushes the result to stdout.

    Raises:
        HeadlineError: it cannot be written.
        BrokenPipeError: nobody reads.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def utf8_stdout() -> TextIO:
    """Returns stdout, set to UTF-8 whatever the locale is."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    return sys.stdout
