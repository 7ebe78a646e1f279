"""Files that are whole or not there: atomic writes, JSON, checksums."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
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

    Raises:
        HeadlineError: the operating system refused (no space, no permission).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A sibling, not /tmp: os.replace is atomic only within one file system.
        with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            scratch = Path(folder, path.name)
            yield scratch
            sync_file(scratch)  # on disk before the name points at it
            os.replace(scratch, path)
        sync_folder(path.parent)
    except BrokenPipeError:
        raise  # no file is a pipe: what the body wrote to besides has gone
    except OSError as error:
        raise HeadlineError(f"cannot write {path}: {error.strerror}") from error


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
