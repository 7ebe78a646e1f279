"""Parameter types for the paths that commands take."""

import os
from pathlib import Path
from typing import Any

import click

from headline.errors import HeadlineError
from headline.system.storage import StoredPath, is_address, place_of

STREAM = "-"  # stdin or stdout


class UserPath(click.Path):
    """A path; a ``~`` that the shell has not expanded means the home folder.

    Shells do not expand ``--model=~/news`` or the values of variables. To name a file
    called ``~`` or ``-``, add its folder: ``./-``.

    Args:
        no_stream: why ``-`` is not allowed; "" if it means a stream.
        stores: whether it may be an address such as ``s3://bucket/news.csv``.
    """

    def __init__(self, no_stream: str = "", stores: bool = False, **kind: Any) -> None:
        super().__init__(path_type=Path, allow_dash=not no_stream, **kind)
        self._no_stream, self._stores = no_stream, stores

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        text = os.fspath(value)
        if self._stores and is_address(text):
            place = place_of(text)
            if isinstance(place, StoredPath):
                return self._at_store(place)
            value = text = str(place)  # of file://
        if text == STREAM and self._no_stream:
            raise HeadlineError(f"{STREAM} {self._no_stream}")
        if text != STREAM and Path(text) == Path(STREAM):
            text = os.path.abspath(text)  # Path would shorten ./- to -
        if text.startswith("~") and not os.path.lexists(text):
            text = os.path.expanduser(text)
        return super().convert(text, param, ctx)

    def _at_store(self, path: Path) -> Path:
        if self.exists and "*" not in str(path) and not path.exists():
            raise HeadlineError(f"there is no file {path}")
        return path


class OutputFile(UserPath):
    """A file to write, or ``-`` for stdout; see ``outputs`` for devices and pipes."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        # Checked before Path drops a trailing slash or dot.
        if os.path.basename(value) in ("", os.curdir, os.pardir):
            raise HeadlineError(
                f"cannot write {os.fspath(value)!r}: that names a folder; name a file"
            )
        return super().convert(value, param, ctx)


class InputPath(UserPath):
    """A file, or a folder that is read as one corpus."""

    def __init__(self, no_stream: str = "") -> None:
        super().__init__(no_stream, stores=True, exists=True)
        self.name = "file"  # in messages and help


READ_ONCE = "is stdin, and can be read only once: save it to a file, and name that"
INPUT = InputPath()
CORPUS = InputPath(READ_ONCE)
COMPARED = UserPath(READ_ONCE, exists=True)
CONFIG = UserPath("is stdin: name a file", exists=True, dir_okay=False)
LOG = UserPath("is stdout, which carries the result: name a file", dir_okay=False)
SHARDS = UserPath(
    "is stdout, and shards are files: name a folder, such as ./-",
    stores=True,
    file_okay=False,
)
FOLDER = UserPath("is no folder: name one, such as ./-", file_okay=False)
OUTPUT = OutputFile()
