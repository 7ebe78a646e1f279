"""Outputs that options name: a file, a device, a pipe, or ``-`` for stdout."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from headline.errors import HeadlineError
from headline.system.compression import compressed_text, named_compression
from headline.system.files import replacing_text
from headline.system.storage import StoredPath
from headline.system.streams import Result, flush_stdout, utf8_stdout

STDOUT = Path("-")
MOST_LINKS = 40  # as many as Linux follows


@contextmanager
def output_stream(path: Path) -> Iterator[TextIO]:
    """Yields a UTF-8 stream that keeps line ends as written.

    The output is compressed if the suffix of its name says so: .gz, .bz2 or .zst.

    A regular file, new or old, is replaced once the body succeeds; see
    ``files.replacing``. A symbolic link stays, and its target is replaced. Devices,
    pipes and sockets are written directly. So are names of this process's descriptors,
    such as ``/dev/stdout``: output is appended to a file that a shell has opened.

    Raises:
        HeadlineError: the path is a folder, the operating system refused, or the
            package that compresses is not installed.
        BrokenPipeError: the path is a pipe that nobody reads any more.
    """
    kind = named_compression(path)
    with _plain_stream(path) as stream:
        if kind is None:
            yield stream
            return
        binary = cast(BinaryIO, cast(TextIOWrapper, stream).buffer)
        with compressed_text(binary, kind) as text:
            yield text


@contextmanager
def _plain_stream(path: Path) -> Iterator[TextIO]:
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
    """Checks that a file can be written, before work is done for it.

    Raises:
        HeadlineError: it cannot be written.
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
    except FileNotFoundError:  # a new file, or a link to one
        return True


def _opened(path: Path) -> TextIO:
    """Opens a device, a pipe, a socket, or one of this process's descriptors."""
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
    """Returns the descriptor that a name such as /dev/stdout means; None for files."""
    for _ in range(MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in (f"/proc/{os.getpid()}/fd", "/dev/fd") and path.name.isdecimal():
            return int(path.name)
        try:
            path = Path(folder, os.readlink(Path(folder, path.name)))
        except OSError:  # no link, or not readable
            return None
    return None


def is_stdout(path: Path) -> bool:
    """Tells whether an output goes to stdout."""
    return path == STDOUT or descriptor_of(path) == 1


# --- files that must not be overwritten -----------------------------------------------

Identity = tuple[int, int] | str  # device and inode; the path if there is no file


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Mapping[str, Iterable[Path]]
) -> None:
    """Refuses outputs that would destroy an input, or each other.

    Args:
        outputs: files or folders to write, keyed by the option that names them.
        inputs: files and folders that must not change, keyed by their name in
            messages.

    Raises:
        HeadlineError: two of them are the same file, even under different names.
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
    """Tells whether two paths mean the same file, which need not exist."""
    return _identity(one) == _identity(other)


def _is_kept(path: Path) -> bool:
    """Tells whether writing would destroy an input; not so a terminal or a pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _identity(path: Path) -> Identity | None:
    """Returns a value that all names of a file share; None for the null device."""
    if isinstance(path, StoredPath):
        return str(path)
    try:
        found = os.fstat(1) if path == STDOUT else path.stat()
    except OSError:
        return os.path.realpath(path)
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == os.stat(os.devnull).st_rdev:
        return None
    return found.st_dev, found.st_ino
