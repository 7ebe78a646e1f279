"""Folders that results are written into, file by file, each complete or absent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from headline.errors import HeadlineError
from headline.system.files import replacing


class Folder(Protocol):
    """A folder of files; names may have one more folder in front, as ``parts/a``.

    Several processes, also of several machines, may use it at once.
    """

    def sizes(self, under: str = "") -> dict[str, int]:
        """Returns the bytes of each file, by name; empty if there is no folder.

        Args:
            under: the name of a folder inside.
        """

    def read(self, name: str) -> bytes | None:
        """Returns the content of a file; None if there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file in one step."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """Yields a local scratch path, which becomes the file if the body succeeds."""

    def open(self, name: str) -> BinaryIO:
        """Opens a file for reading."""

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""


@contextmanager
def _named(doing: str, place: object) -> Iterator[None]:
    """Turns errors of the operating system into a HeadlineError that names a place."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise HeadlineError(f"cannot {doing} {place}: {reason}") from error


class LocalFolder:
    """A folder of a file system: files are written beside, synced and renamed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def sizes(self, under: str = "") -> dict[str, int]:
        with _named("read", self.path):
            try:
                found = [*(self.path / under).iterdir()]
            except FileNotFoundError:
                return {}
            return {one.name: one.stat().st_size for one in found if one.is_file()}

    def read(self, name: str) -> bytes | None:
        with _named("read", self.path / name):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as scratch:
            scratch.write_bytes(content)

    def writing(self, name: str) -> AbstractContextManager[Path]:
        return replacing(self.path / name)

    def open(self, name: str) -> BinaryIO:
        with _named("read", self.path / name):
            return (self.path / name).open("rb")

    def remove(self, name: str) -> None:
        with _named("write", self.path):
            (self.path / name).unlink(missing_ok=True)
