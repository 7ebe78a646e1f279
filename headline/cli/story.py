"""The story of a command: who hears it, on stderr and in a file, and how much of it.

It is never part of the result: whatever is asked for here, stdout and the exit code are
the same.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

import click

from headline import __version__
from headline.errors import HeadlineError
from headline.system.progress import show_bars
from headline.system.streams import story_stream


class Listeners:
    """Takes the lines of a story.

    Args:
        quiet: stderr gets none of them.
        verbose: there are more of them.
        log: gets each with the time.
    """

    def __init__(
        self, quiet: bool = False, verbose: bool = False, log: TextIO | None = None
    ) -> None:
        self._quiet, self._verbose, self._log = quiet, verbose, log
        self._details: set[str] = set()

    def tell(self, text: str) -> None:
        """Tells one or more lines."""
        self.keep(text)
        if not self._quiet:
            _print(text)

    def detail(self, line: str) -> None:
        """Tells a line that few want to know, once, however often it comes."""
        if self._verbose and line not in self._details:
            self._details.add(line)
            self.tell(line)

    def keep(self, text: str) -> None:
        """Writes lines into the log alone."""
        if self._log is not None:
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            self._log.write("".join(f"{now} {line}\n" for line in text.splitlines()))


def _print(text: str) -> None:
    """Prints on stderr, above a bar if one is there."""
    if (bars := sys.modules.get("tqdm")) is None:
        click.echo(text, err=True)
        return
    with bars.tqdm.external_write_mode(file=sys.stderr):
        click.echo(text, err=True)


_listeners = Listeners()  # of the command that is under way


def tell(text: str) -> None:
    """Tells one or more lines of the story."""
    _listeners.tell(text)


def detail(line: str) -> None:
    """Tells what only --verbose is about; the same line once."""
    _listeners.detail(line)


@contextmanager
def timed(done: str) -> Iterator[None]:
    """Tells how long the body took, as a detail.

    Args:
        done: what it does, in the past tense.
    """
    begin = time.monotonic()
    yield
    detail(f"{done} in {time.monotonic() - begin:.2f} s")


@contextmanager
def telling(
    quiet: bool, verbose: bool, log: Path | None, places: Iterable[Path]
) -> Iterator[None]:
    """Has the story of the body heard as a user wants it.

    Args:
        log: a file to go on with.
        places: the files and folders that the command reads or writes.

    Raises:
        HeadlineError: the log cannot be written, or would destroy one of those.
        click.UsageError: there would be more to tell, and nobody to hear it.
    """
    global _listeners
    if quiet and verbose and log is None:
        raise click.UsageError("--verbose has no effect: --quiet needs a --log-file")
    with _opened(log, places) as stream:
        before, _listeners = _listeners, Listeners(quiet, verbose, stream)
        show_bars(not quiet)
        try:
            with _told_from_begin_to_end():
                yield
        finally:
            _listeners = before
            show_bars(True)


@contextmanager
def _opened(log: Path | None, places: Iterable[Path]) -> Iterator[TextIO | None]:
    if log is None:
        yield None
        return
    from headline.cli.places import check_log

    check_log(log, places)
    try:
        number = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise HeadlineError(f"cannot write {log}: {error.strerror}") from error
    # From here on it is a story: what cannot be written of it is lost.
    with story_stream(number) as stream:
        yield stream


@contextmanager
def _told_from_begin_to_end() -> Iterator[None]:
    """Keeps in the log which command it is, and how it ends."""
    command = click.get_current_context().info_name
    _listeners.keep(f"headline {command} begins, version {__version__}")
    begin = time.monotonic()
    try:
        yield
    except BaseException as error:
        _listeners.keep(f"ended by an error: {_in_words(error)}")
        raise
    took = f"headline {command} took {time.monotonic() - begin:.2f} s"
    detail(took)


def _in_words(error: BaseException) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    known = isinstance(error, HeadlineError)
    return str(error) if known else f"{type(error).__name__}: {error}"
