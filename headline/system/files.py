"""Atomic writes (a file is complete or absent), JSON, checksums."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from headline.errors import HeadlineError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a scratch path whose file replaces ``path`` once the body succeeds.

    A reader sees the old file or the complete new one, never half of it. If the body
    raises, the old file stays and the scratch file is removed. The scratch path keeps
    the file's name, because some writers choose the format by the suffix.

    The new file gets the permissions, the extended attributes and, where that is
    permitted, the owner of the old one. Still it is a new file: hard links keep the old
    content.

    Raises:
        HeadlineError: the operating system refused (no space, no permission).
    """
    try:
        with _made(path.parent), _scratch_folder(path) as folder:
            scratch = folder / path.name
            yield scratch
            sync_file(scratch)  # on disk before the name points at it
            _take_after(path, scratch)
            os.replace(scratch, path)
        sync_folder(path.parent)
    except BrokenPipeError:
        raise  # not from this file: the body also writes to a pipe, and that broke
    except OSError as error:
        raise HeadlineError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes a folder and its parents; if the body raises, removes the new ones."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in new:
            with suppress(OSError):  # it holds files of others
                place.rmdir()
        raise


def _take_after(old: Path, new: Path) -> None:
    """Copies owner, extended attributes and permissions of ``old`` to ``new``."""
    try:
        before = old.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "chown"):
        for owner in (-1, before.st_uid):  # perhaps only the group may be set
            with suppress(PermissionError):
                os.chown(new, owner, before.st_gid)
    if hasattr(os, "listxattr"):
        for name in os.listxattr(old):
            with suppress(OSError):  # some may only be set by root
                os.setxattr(new, name, os.getxattr(old, name))
    # Last, because chown clears the set-user-ID bit and an access list changes others.
    is_same = new.stat().st_uid == before.st_uid
    new.chmod(stat.S_IMODE(before.st_mode) & (0o7777 if is_same else 0o777))


# --- scratch folders ------------------------------------------------------------------
#
# They lie beside the file, because os.replace is atomic only within one file system. A
# folder stays locked until its owner ends, even by a crash; so a folder without a lock
# was left behind.

# What a file system says that has no locks, such as Lustre without the option flock.
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)
MOST_BYTES = 120  # a longer file name is shortened in the scratch folder's name
ENDING_LENGTH = 8
ENDING = re.compile(r"[a-z0-9_]{8}")  # the ending that tempfile adds to a prefix


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder beside ``path``, and removes those of killed runs.

    Raises:
        OSError: the folder cannot be made.
    """
    clear_scratch(path.parent, [path.name])
    while True:
        prefix = _scratch_prefix(path.name)
        with (
            TemporaryDirectory(prefix=prefix, dir=path.parent) as folder,
            _locked(folder, waits=True),
        ):
            # Before the lock, another run may have removed it as one left behind.
            if os.path.isdir(folder):
                yield Path(folder)
                return


def _scratch_prefix(name: str) -> str:
    """Returns the prefix of the names of a file's scratch folders.

    ``c.csv`` has ``.c.csv.``; a name above ``MOST_BYTES`` is cut and gets a checksum.
    """
    raw = os.fsencode(name)
    if len(raw) > MOST_BYTES:
        digest = hashlib.sha256(raw).hexdigest()[:16]
        name = f"{raw[: MOST_BYTES - 20].decode('utf-8', 'ignore')}~{digest}"
    return f".{name}."


def clear_scratch(folder: Path, names: Iterable[str]) -> None:
    """Removes scratch folders that killed runs left, not those in use.

    Args:
        names: of the files that were written in the folder.
    """
    contents = {_scratch_prefix(name): name for name in names}
    with suppress(OSError):
        for name in os.listdir(folder):
            prefix, ending = name[:-ENDING_LENGTH], name[-ENDING_LENGTH:]
            if prefix in contents and ENDING.fullmatch(ending):
                _remove_abandoned(folder / name, contents[prefix])


def _remove_abandoned(folder: Path, content: str) -> None:
    with suppress(OSError), _locked(folder, waits=False) as is_locked:
        # A folder with any other content is not one of ours and stays.
        if is_locked and not {*os.listdir(folder)} - {content}:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: str | Path, waits: bool) -> Iterator[bool]:
    """Locks a folder for the body; yields whether the lock was taken."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # it is gone; or on Windows, which cannot open folders
        yield False
        return
    try:
        yield lock(descriptor, waits)
    finally:
        os.close(descriptor)


def lock(descriptor: int, waits: bool) -> bool:
    """Locks an open file or folder until it is closed; returns whether it succeeded.

    Args:
        waits: whether to wait for a process that holds the lock.
    """
    try:
        take_lock(descriptor, waits)
    except OSError:  # another process holds it, or the file system has no locks
        return False
    return True


def take_lock(descriptor: int, waits: bool) -> None:
    """Does the same as ``lock``.

    Raises:
        OSError: another process holds it; or its number is one of ``NO_LOCKS``.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))


# --- writing and reading --------------------------------------------------------------


def sync_file(path: Path) -> None:
    """Flushes the content of a file to the disk."""
    with path.open("rb+") as written:
        os.fsync(written.fileno())


def sync_folder(folder: Path) -> None:
    """Flushes the names of the folder's files to the disk, on POSIX systems only."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """As ``replacing``, but yields a UTF-8 stream that keeps line ends as written."""
    with (
        replacing(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream


def write_text(path: Path, text: str) -> None:
    """Replaces the file with ``text`` in UTF-8, completely or not at all."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Replaces the file with ``value`` as readable JSON, Chinese not escaped."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path, kind: type[HeadlineError]) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        HeadlineError: of the given ``kind``, when the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise kind(f"{path} is missing") from error
    except OSError as error:
        raise kind(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise kind(f"{path} is damaged: it is not valid JSON") from error
    if not isinstance(value, dict):
        raise kind(f"{path} is damaged: it holds no JSON object")
    return value


def sha256(path: Path) -> str:
    """Returns the SHA-256 of the file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_sha256(path: Path, expected: str, kind: type[HeadlineError]) -> None:
    """Checks that a file holds the bytes that were written.

    Raises:
        HeadlineError: of the given ``kind``, when the file is missing or differs.
    """
    try:
        found = sha256(path)
    except OSError as error:
        raise kind(f"cannot read {path}: {error.strerror}") from error
    if found != expected:
        raise kind(f"{path} is damaged: its bytes are not those that were written")
