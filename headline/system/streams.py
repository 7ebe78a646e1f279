"""The standard streams, in whatever state the program was given them.

A result that cannot be written is told in one line; a story that cannot be told
changes nothing. Both is done where the bytes go to the operating system, so that it
holds for whoever writes.
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

# Of a closed stream, the null device takes the number, or the next file would. It is
# opened the other way round: whoever uses it hears EBADF, as of what is closed.
STAND_INS = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}


class Result(FileIO):
    """A descriptor to write to; that it cannot be written is told, and told once.

    From then on it takes everything and keeps nothing, so that a stream above, which
    still holds what was lost, can be closed.

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
            while (written := super().write(data)) is None:  # it does not block
                select.select([], [self], [])
            return written
        except BaseException as error:
            # A signal, too: how much it has interrupted is not known.
            self._is_lost = True
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                raise _refused("write", self._title, error) from error
            raise


class Story(FileIO):
    """A descriptor for what may be lost.

    No buffer stands above it: its lock would be in the way of a signal's handler that
    has something to tell in the middle of a line.
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
    """Descriptor 0; that it cannot be read is told."""

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
    """Makes stdin and stdout tell what goes wrong, and stderr keep it to itself.

    A stream that somebody has put in the place of one, such as a test, stays.
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
    """Returns a text stream above a buffer, of the same kind as the one before."""
    at_once = getattr(old, "write_through", False)  # as PYTHONUNBUFFERED asks for
    return TextIOWrapper(
        buffer,
        getattr(old, "encoding", "utf-8"),  # else it was closed
        getattr(old, "errors", "backslashreplace"),
        line_buffering=getattr(old, "line_buffering", False) or at_once,
        write_through=isinstance(buffer, Story),
    )


def story_stream(descriptor: int) -> TextIO:
    """Returns a text stream for what may be lost, which closes the descriptor."""
    return TextIOWrapper(
        Story(descriptor, closefd=True), "utf-8", "replace", write_through=True
    )


def give_stdin_back() -> None:
    """Leaves what reads stdin to whoever waits for it still, such as a daemon thread.

    When the interpreter ends it closes stdin, and dies of a lock that such a thread
    holds.
    """
    taken = sys.stdin
    if isinstance(getattr(getattr(taken, "buffer", None), "raw", None), Stdin):
        sys.stdin = sys.__stdin__
        cast(TextIOWrapper, taken).detach()


def flush_stdout() -> None:
    """Has all of the result delivered.

    Raises:
        HeadlineError: it cannot be written.
        BrokenPipeError: nobody reads.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def utf8_stdout() -> TextIO:
    """Returns stdout, made to write UTF-8 whatever the locale says."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    return sys.stdout
