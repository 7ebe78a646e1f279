"""Folders whose files belong together: one writer, and all old files or all new ones.

New files are written into a scratch folder inside, which is then renamed to ``.next``
in one step. From there they move to their final places; the file that lists the others
moves last. Readers look into ``.next`` first, so at every moment, even after a crash,
they find one complete set of files.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TypeVar

from headline.errors import HeadlineError, LockedError
from headline.system.files import NO_LOCKS, sync_file, sync_folder, take_lock

Content = TypeVar("Content")

NEXT = ".next"
LOCK = ".lock"
AGAIN = 0.2  # seconds until a lock is tried again
SCRATCH = ".new."  # prefix of the names of scratch folders


def located(folder: Path, name: str) -> Path:
    """Returns the path of a file of the folder, in ``.next`` or in its final place."""
    staged = folder / NEXT / name
    return staged if staged.exists() else folder / name


def read_whole(folder: Path, last: str, read: Callable[[Path], Content]) -> Content:
    """Reads files that belong together; reads again if they were replaced meanwhile.

    Args:
        last: the name of the file that lists the others.
        read: reads the folder; raises a HeadlineError if its files do not match.
    """
    while True:
        before = _moment(folder, last)
        try:
            return read(folder)
        except HeadlineError:
            if _moment(folder, last) == before:
                raise


def _moment(folder: Path, last: str) -> tuple[set[str], bytes]:
    """Returns a value that changes with every step of a replacement."""
    try:
        names = set(os.listdir(folder / NEXT))
    except OSError:
        names = set()
    try:
        return names, located(folder, last).read_bytes()
    except OSError:
        return names, b""


@contextmanager
def replacing_files(folder: Path, last: str) -> Iterator[Path]:
    """Yields a scratch folder; its files move to ``folder`` once the body succeeds.

    Args:
        folder: made if it is missing; the caller must hold its lock (``locked``).
        last: the name of the file that lists the others.

    Raises:
        HeadlineError: the operating system refused (no space, no permission).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settle(folder, last)
        with TemporaryDirectory(prefix=SCRATCH, dir=folder) as parent:
            scratch = Path(parent, "files")
            scratch.mkdir()
            yield scratch
            for path in scratch.iterdir():
                sync_file(path)
            sync_folder(scratch)
            scratch.rename(folder / NEXT)
        sync_folder(folder)
        settle(folder, last)
    except OSError as error:
        raise HeadlineError(f"cannot write {folder}: {error.strerror}") from error


def settle(folder: Path, last: str) -> None:
    """Completes a replacement that was begun: moves the files out of ``.next``."""
    staged = folder / NEXT
    if not staged.is_dir():
        return
    for name in sorted(os.listdir(staged), key=lambda name: name == last):
        os.replace(staged / name, folder / name)
    sync_folder(folder)
    staged.rmdir()


def tidy(folder: Path, names: Iterable[str] = ()) -> None:
    """Removes the scratch files of killed writers; the caller must hold the lock.

    Args:
        names: names of the files that ``files.replacing`` writes in this folder.
    """
    for beginning in (SCRATCH, *(f".{name}." for name in names)):
        for path in folder.glob(f"{beginning}*"):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def locked(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Makes the folder if it is missing, and keeps other writers out of it.

    The operating system releases the lock however the process ends. A folder that is
    empty at the end is removed.

    Args:
        name: of the file that is locked; writers with other names are not kept out.

    Raises:
        LockedError: another process is writing there.
        HeadlineError: the operating system refused.
    """
    path = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = _locked_file(path)
    except OSError as error:
        _remove_if_empty(folder)
        raise HeadlineError(f"cannot write {folder}: {error.strerror}") from error
    if stream is None:
        raise LockedError(
            f"another process is writing {folder}: wait for it, or choose another"
        )
    with stream:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows cannot remove an open file
                path.unlink()
            _remove_if_empty(folder)


@contextmanager
def in_turn(folder: Path, name: str) -> Iterator[None]:
    """Does what ``locked`` does, but waits for other processes.

    Raises:
        HeadlineError: the operating system refused.
    """
    while True:
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(folder, name))
            except LockedError:
                time.sleep(AGAIN)
                continue
            yield
            return


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _locked_file(path: Path) -> IO[bytes] | None:
    """Opens and locks a file; None if another process has locked it.

    On a file system without locks, the file is only opened.
    """
    while True:
        stream = path.open("ab")
        try:
            take_lock(stream.fileno(), waits=False)
        except OSError as error:
            if error.errno in NO_LOCKS:
                return stream
            stream.close()
            return None
        # Its owner may have removed the file between open and lock.
        if path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
            return stream
        stream.close()
