"""Files and folders at object stores, such as ``s3://bucket/news.csv``, by fsspec.

A file of a local folder is written beside its place, synced and renamed. A store has
no renaming, but an object is there only once it is whole, so it gets one PUT.
"""

import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from headline.errors import HeadlineError
from headline.system.files import clear_scratch, replacing
from headline.system.packages import optional

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    _Path = Path
else:
    _Path = type(Path())  # only the class of this system can be derived from

SIGN = "://"  # between the kind of a store and the rest of an address
LOCAL = "file", "local"  # fsspec's names of local files
# Errors that libraries of stores raise without a number.
NUMBERS: dict[type[Exception], int] = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
}


class StoredPath(_Path):
    """The address of a file or folder at a store, as far as a ``Path`` can be one.

    A ``Path`` drops the second slash of an address; here it comes back.
    """

    def __str__(self) -> str:
        kind, *names = self.parts
        return f"{kind}//{'/'.join(names)}"

    def __fspath__(self) -> str:
        return str(self)

    def open(self, *_: Any, **__: Any) -> Any:
        """Opens the file for reading bytes."""
        return _StoredFile(self)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Returns the size and the time of the last change of the file."""
        with _asking(self):
            store, name = store_of(self)
            info = store.info(name)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self))
        times = (info.get(key) for key in ("LastModified", "mtime", "created"))
        time = next((one for one in times if one is not None), 0)
        modified = int(time.timestamp() if hasattr(time, "timestamp") else time)
        size = int(info["size"])
        return os.stat_result((stat.S_IFREG, 0, 0, 1, 0, 0, size, 0, modified, 0))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tells whether there is such a file."""
        return self.is_file()

    def is_file(self) -> bool:
        """Tells whether there is such a file."""
        try:
            self.stat()
        except (FileNotFoundError, IsADirectoryError):
            return False
        return True

    def is_dir(self) -> bool:
        """Returns False: a store is never read as one corpus."""
        return False


def place_of(text: str) -> Path:
    """Returns a path: that of a store, if the text is its address."""
    kind, sign, rest = text.partition(SIGN)
    if not sign:
        return Path(text)
    return Path(rest) if kind in LOCAL else StoredPath(text)


def is_address(text: str) -> bool:
    """Tells whether a text is the address of a store, or of a local ``file://``."""
    kind, sign, _ = text.partition(SIGN)
    return bool(sign) and kind.isalnum()


def matching(path: Path) -> Sequence[Path]:
    """Returns the files that a pattern such as ``s3://news/*.csv`` means, sorted.

    A shell cannot do that for a store. Any other path stays as it is.

    Raises:
        HeadlineError: there is no such file.
    """
    if not isinstance(path, StoredPath) or "*" not in str(path):
        return [path]
    with _named("read", path), _asking(path):
        store, pattern = store_of(path)
        names = sorted(store.glob(pattern))
    if not names:
        raise HeadlineError(f"there is no file {path}")
    return [StoredPath(store.unstrip_protocol(name)) for name in names]


def store_of(path: Path) -> tuple[Any, str]:
    """Returns the fsspec file system of an address, and the name there.

    Raises:
        HeadlineError: a package is missing, or there is no such kind of store.
    """
    fsspec = optional("fsspec", "storage", f"{path}: reading and writing there")
    try:
        # Other processes write there too, so no listing may be kept.
        store, name = fsspec.core.url_to_fs(str(path), use_listings_cache=False)
    except ImportError as error:
        raise HeadlineError(
            f"{path} needs a package of its own: pip install 'headline[storage]', or "
            f"for another store than S3: {error}"
        ) from error
    except ValueError as error:
        raise HeadlineError(f"{path} is at no known kind of store: {error}") from error
    return store, str(name)


@contextmanager
def _asking(place: object) -> Iterator[None]:
    """Turns errors of the libraries of a store into an OSError with their text."""
    try:
        yield
    except HeadlineError:
        raise
    except Exception as error:  # each store has a family of its own
        if isinstance(error, OSError) and error.errno is not None:
            raise
        number = NUMBERS.get(type(error), errno.EIO)
        told = " ".join(str(error).split()) or type(error).__name__
        told = os.strerror(number) if number == errno.ENOENT else told
        raise OSError(number, told, str(place)) from error


class _StoredFile(io.RawIOBase):
    """A file at a store, read at any place; others may read the same object."""

    def __init__(self, path: StoredPath) -> None:
        self._path, self._place = path, 0
        with _asking(path):
            store, name = store_of(path)
            self._file = store.open(name, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        with _asking(self._path):
            self._file.seek(self._place)
            content = self._file.read(len(view))
        view[: len(content)] = content
        self._place += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        assert whence == os.SEEK_SET
        self._place = offset
        return offset

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


# --- folders that results are written into --------------------------------------------


class Folder(Protocol):
    """A folder of files; names may have one more folder in front, as ``parts/a``.

    Each file is complete or absent. Several processes, also of several machines, may
    use the folder at once.

    Raises:
        HeadlineError: the operating system or the store refused.
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

    def writing(self, name: str) -> Any:
        """Yields a local scratch path, which becomes the file if the body succeeds."""

    def open(self, name: str) -> BinaryIO:
        """Opens a file for reading."""

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""

    def tidy(self, names: Iterable[str], under: str = "") -> None:
        """Removes what killed processes left of files with these names."""


def folder_at(path: Path) -> Folder:
    """Returns the folder of a path, which need not be there yet."""
    return StoredFolder(path) if isinstance(path, StoredPath) else LocalFolder(path)


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
        self._path = path

    def sizes(self, under: str = "") -> dict[str, int]:
        with _named("read", self._path):
            try:
                found = [*(self._path / under).iterdir()]
            except FileNotFoundError:
                return {}
            return {one.name: one.stat().st_size for one in found if one.is_file()}

    def read(self, name: str) -> bytes | None:
        with _named("read", self._path / name):
            try:
                return (self._path / name).read_bytes()
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as scratch:
            scratch.write_bytes(content)

    def writing(self, name: str) -> Any:
        return replacing(self._path / name)

    def open(self, name: str) -> BinaryIO:
        with _named("read", self._path / name):
            return (self._path / name).open("rb")

    def remove(self, name: str) -> None:
        with _named("write", self._path):
            (self._path / name).unlink(missing_ok=True)

    def tidy(self, names: Iterable[str], under: str = "") -> None:
        clear_scratch(self._path / under, names)


class StoredFolder:
    """A folder of a store: a file is made on the local disk and sent at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _at(self, doing: str, name: str = "") -> Iterator[tuple[Any, str]]:
        place = self._path / name
        with _named(doing, place), _asking(place):
            yield store_of(place)

    def sizes(self, under: str = "") -> dict[str, int]:
        with self._at("read", under) as (store, name):
            try:
                found = store.ls(name, detail=True)
            except FileNotFoundError:
                return {}
            files = (one for one in found if one["type"] == "file")
            return {Path(one["name"]).name: int(one["size"]) for one in files}

    def read(self, name: str) -> bytes | None:
        with self._at("read", name) as (store, place):
            try:
                return bytes(store.cat_file(place))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        with self._at("write", name) as (store, place):
            store.pipe_file(place, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with TemporaryDirectory(prefix="headline-") as scratch:
            path = Path(scratch, Path(name).name)
            yield path
            with self._at("write", name) as (store, place):
                store.put_file(str(path), place)

    def open(self, name: str) -> BinaryIO:
        with _named("read", self._path / name):
            file = (self._path / name).open("rb")
            return cast(BinaryIO, io.BufferedReader(file))

    def remove(self, name: str) -> None:
        with self._at("write", name) as (store, place):
            try:
                store.rm_file(place)
            except FileNotFoundError:
                return

    def tidy(self, names: Iterable[str], under: str = "") -> None:
        """Does nothing: a store keeps no part of a file."""
