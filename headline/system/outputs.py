"""What an option names as its output: a file, a device, a pipe, or ``-`` for stdout."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import TextIO

from headline.errors import HeadlineError
from headline.system.files import replacing_text
from headline.system.streams import Result, flush_stdout, utf8_stdout

STDOUT = Path("-")
MOST_LINKS = 40  # that the system follows, too


@contextmanager
def output_stream(path: Path) -> Iterator[TextIO]:
    """Yields a stream of UTF-8 whose line ends stay as written.

    A regular file, new or not, gets its content once the body succeeds, see
    ``files.replacing``; of a symbolic link, the file that it leads to. Devices, pipes
    and sockets are written to as they are; so are names of this process's descriptors,
    such as ``/dev/stdout``: a file that a shell has opened is gone on with.

    Raises:
        HeadlineError: it is a folder, or the operating system refused.
        BrokenPipeError: it is a pipe that nobody reads any more.
    """
    check_output(path)
    if path == STDOUT:
        yield utf8_stdout()
        flush_stdout()
    elif _is_replaced(path):
        with replacing_text(Path(os.path.realpath(path))) as stream:
            yield stream
    else:
        with _opened(path) as stream:
            yield stream


def check_output(path: Path) -> None:
    """Looks whether a file could be written, before work is done for it.

    Raises:
        HeadlineError: it could not.
    """
    try:
        is_folder = path != STDOUT and stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        is_folder = False
    except OSError as error:
        raise _cannot_write(path, error) from error
    if is_folder:
        raise HeadlineError(f"cannot write {path}: it is a folder")
    if path != STDOUT and _is_replaced(path):
        _check_folder(path)


def _check_folder(path: Path) -> None:
    above = Path(os.path.realpath(path)).parents
    folder = next(place for place in above if os.path.lexists(place))
    if not folder.is_dir():
        raise HeadlineError(f"cannot write {path}: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise HeadlineError(
            f"cannot write {path}: there is no permission to write into {folder}"
        )


def _cannot_write(path: Path, error: OSError) -> HeadlineError:
    return HeadlineError(f"cannot write {path}: {error.strerror}")


def _is_replaced(path: Path) -> bool:
    if descriptor_of(path) is not None:
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:  # new, or where a symbolic link leads to
        return True


def _opened(path: Path) -> TextIO:
    """Opens what is no regular file of its own."""
    descriptor = descriptor_of(path)
    try:
        if descriptor is None:
            number = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))
        else:
            number = os.dup(descriptor)
    except OSError as error:
        raise _cannot_write(path, error) from error
    buffer = BufferedWriter(Result(number, str(path)))
    return TextIOWrapper(buffer, encoding="utf-8", newline="")


def descriptor_of(path: Path) -> int | None:
    """Returns which of this process's descriptors a name such as /dev/stdout means."""
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in (f"/proc/{os.getpid()}/fd", "/dev/fd") and path.name.isdecimal():
            return int(path.name)
        try:
            path = Path(folder, os.readlink(Path(folder, path.name)))
        except OSError:  # no link, or none that may be read
            return None
    return None


def is_stdout(path: Path) -> bool:
    """Tells whether an output goes where stdout does."""
    return path == STDOUT or descriptor_of(path) == 1


# --- what must not be written ---------------------------------------------------------

Identity = tuple[int, int] | str  # device and inode; where there is no file, its place


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Mapping[str, Iterable[Path]]
) -> None:
    """Refuses outputs that would destroy an input, or each other.

    Args:
        outputs: files or folders to write, by what names them.
        inputs: what is read, by how a message calls it; a folder that must stay as it
            is, or those of its files that must.

    Raises:
        HeadlineError: two of them are the same, by whatever names.
    """
    taken = {
        identity: f"{name}, which is read"
        for name, paths in inputs.items()
        for identity in map(_identity, filter(_is_kept, paths))
    }
    for name, path in outputs.items():
        identity = None if path is None else _identity(path)
        if identity in taken:
            shown = name if path == STDOUT else f"{name} {path}"
            raise HeadlineError(
                f"{shown} would overwrite {taken[identity]}: choose another name"
            )
        if identity is not None:
            taken[identity] = f"what {name} writes"


def same_file(one: Path, other: Path) -> bool:
    """Tells whether two names are of the same file, whether it is there or not."""
    return _identity(one) == _identity(other)


def _is_kept(path: Path) -> bool:
    """Tells whether an input would not survive: a terminal or a pipe would."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _identity(path: Path) -> Identity | None:
    """Returns what all names of a file share; None of the null device."""
    try:
        found = os.fstat(1) if path == STDOUT else path.stat()
    except OSError:
        return os.path.realpath(path)
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev:
        return None
    return found.st_dev, found.st_ino
