"""The messages of a command, on stderr and in a log file, and how many of them.

They are never part of the result: these options do not change stdout or the exit code.
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
    """Prints messages and writes them to the log.

    Args:
        quiet: print nothing on stderr.
        verbose: include details.
        log: gets each line with the time.
    """

    def __init__(
        self, quiet: bool = False, verbose: bool = False, log: TextIO | None = None
    ) -> None:
        self._quiet, self._verbose, self._log = quiet, verbose, log
        self._details: set[str] = set()

    def tell(self, text: str) -> None:
        """Prints and logs one or more lines."""
        self.keep(text)
        if not self._quiet:
            _print(text)

    def detail(self, line: str) -> None:
        """Prints and logs a line if verbose, and the same line only once."""
        if self._verbose and line not in self._details:
            self._details.add(line)
            self.tell(line)

    def keep(self, text: str) -> None:
        """Writes lines to the log only."""
        if self._log is not None:
            now = datetime.now().astimezone().isoformat(timespec="seconds")
            self._log.write("".join(f"{now} {line}\n" for line in text.splitlines()))


def _print(text: str) -> None:
    """Prints on stderr, above a progress bar if there is one."""
    if (bars := sys.modules.get("tqdm")) is None:
        click.echo(text, err=True)
        return
    with bars.tqdm.external_write_mode(file=sys.stderr):
        click.echo(text, err=True)


_listeners = Listeners()  # of the running command


def tell(text: str) -> None:
    """Prints and logs one or more lines."""
    _listeners.tell(text)


def detail(line: str) -> None:
    """Prints and logs a line with --verbose only, and the same line only once."""
    _listeners.detail(line)


@contextmanager
def timed(done: str) -> Iterator[None]:
    """Reports the time of the body, with --verbose only.

    Args:
        done: the action in the past tense.
    """
    begin = time.monotonic()
    yield
    detail(f"{done} in {time.monotonic() - begin:.2f} s")


@contextmanager
def telling(
    quiet: bool, verbose: bool, log: Path | None, places: Iterable[Path]
) -> Iterator[None]:
    """Sets how the messages of the body are printed and logged.

    Args:
        log: a file to append to.
        places: the files and folders that the command reads or writes.

    Raises:
        HeadlineError: the log cannot be written, or would overwrite one of ``places``.
        click.UsageError: verbose and quiet without a log.
    """
    global _listeners
    if quiet and verbose and log is None:
        raise click.UsageError(
            "--verbose has no effect with --quiet, unless --log-file is given too"
        )
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
    # From here on, lines that cannot be written to the log are dropped.
    with story_stream(number) as stream:
        yield stream


@contextmanager
def _told_from_begin_to_end() -> Iterator[None]:
    """Logs the name of the command and how it ends."""
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
