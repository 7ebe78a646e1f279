"""Files that are whole or not there: atomic writes, JSON, checksums."""

import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from headline.errors import HeadlineError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a scratch path that takes ``path``'s place once the body succeeds.

    A reader sees the old file or the whole new one, never half of it. If the body
    raises, the old file stays and the scratch one goes. The scratch path keeps the
    file's name, since some writers pick the format by the suffix.

    The new file has the permissions, the extended attributes and, where that is
    permitted, the owner of the old one. It is another file all the same: other names
    (hard links) keep the old content.

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
        raise  # no file is a pipe: what the body wrote to besides has gone
    except OSError as error:
        raise HeadlineError(f"cannot write {path}: {error.strerror}") from error


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Makes a folder, and those above it; if the body raises, the new ones go."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in new:
            with suppress(OSError):  # somebody else's files are in it
                place.rmdir()
        raise


def _take_after(old: Path, new: Path) -> None:
    """Gives a file what another has besides its content."""
    try:
        before = old.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "chown"):
        for owner in (-1, before.st_uid):  # the group may be permitted alone
            with suppress(PermissionError):
                os.chown(new, owner, before.st_gid)
    if hasattr(os, "listxattr"):
        for name in os.listxattr(old):
            with suppress(OSError):  # not all are ours to set
                os.setxattr(new, name, os.getxattr(old, name))
    # Last: a new owner takes the set-user-ID away, an access list changes the rest.
    is_same = new.stat().st_uid == before.st_uid
    new.chmod(stat.S_IMODE(before.st_mode) & (0o7777 if is_same else 0o777))


# --- scratch folders ------------------------------------------------------------------
#
# Beside the file: os.replace is atomic only within one file system. A folder is locked
# while its owner lives, however that ends, so others can tell what is left behind.

MOST_BYTES = 120  # of a name that a scratch folder's name holds whole
ENDING = re.compile(r"[a-z0-9_]{8}")  # what tempfile puts behind a prefix


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """Yields a new folder beside ``path``, and removes those of runs that were killed.

    Raises:
        OSError: it cannot be made.
    """
    _clear_scratch(path)
    while True:
        prefix = _scratch_prefix(path.name)
        with (
            TemporaryDirectory(prefix=prefix, dir=path.parent) as folder,
            _locked(folder, waits=True),
        ):
            # Before it was locked, another run may have taken it for one left behind.
            if os.path.isdir(folder):
                yield Path(folder)
                return


def _scratch_prefix(name: str) -> str:
    """Returns how the names of a file's scratch folders begin; never too long a name.

    ``c.csv`` has ``.c.csv.``; of a long name there is the beginning, and a checksum.
    """
    raw = os.fsencode(name)
    if len(raw) > MOST_BYTES:
        digest = hashlib.sha256(raw).hexdigest()[:16]
        name = f"{raw[: MOST_BYTES - 20].decode('utf-8', 'ignore')}~{digest}"
    return f".{name}."


def _clear_scratch(path: Path) -> None:
    """Removes what killed runs left beside ``path``; never what a run still writes."""
    prefix = _scratch_prefix(path.name)
    with suppress(OSError):
        for name in os.listdir(path.parent):
            if name.startswith(prefix) and ENDING.fullmatch(name, len(prefix)):
                _remove_abandoned(path.parent / name, path.name)


def _remove_abandoned(folder: Path, content: str) -> None:
    with suppress(OSError), _locked(folder, waits=False) as is_locked:
        # Of another kind of folder, whoever made it, nothing is removed.
        if is_locked and not {*os.listdir(folder)} - {content}:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: str | Path, waits: bool) -> Iterator[bool]:
    """Locks a folder for the body, and yields whether that could be done."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # it is gone; and Windows opens no folder
        yield False
        return
    try:
        yield lock(descriptor, waits)
    finally:
        os.close(descriptor)


def lock(descriptor: int, waits: bool) -> bool:
    """Locks an open file or folder until it is closed; tells whether that was done.

    Args:
        waits: for another process that has locked it.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_LOCK if waits else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:  # another has it; or the file system has no locks
        return False
    return True


# --- onto the disk --------------------------------------------------------------------


def sync_file(path: Path) -> None:
    """Has the content of a file on disk."""
    with path.open("rb+") as written:
        os.fsync(written.fileno())


def sync_folder(folder: Path) -> None:
    """Has the names of the folder's files on disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """As ``replacing``, yielding a stream of UTF-8 whose line ends stay as written."""
    with (
        replacing(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream


def write_text(path: Path, text: str) -> None:
    """Writes ``text`` as UTF-8 in place of ``path``, whole or not at all."""
    with replacing(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as readable JSON (Chinese as it is) in place of ``path``."""
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
