"""A process that writes the headlines of one file, as ``headline generate`` does.

It is started as ``python -c "from headline.serving.file_job import main; main()"`` and
gets its task as a message on stdin. It runs at low priority: clients that wait for
single headlines come first. It ends when stdin ends.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from headline.errors import HeadlineError, refusal
from headline.formats.tables import CorpusFormat
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.generation.inputs import Shard
from headline.serving.messages import Setup, packed, receive
from headline.serving.worker import leave_signals, own_streams, tell_mistake
from headline.settings.commands import FormatConfig, GenerateConfig
from headline.settings.search import DecodeConfig
from headline.system.outputs import output_stream

NICE = 10
BATCH = 32  # articles; so small that progress can be told every second or two
MOST_NOTES = 20  # about rows that cannot be read


@dataclass(frozen=True)
class How:
    """How the headlines of a file are written."""

    config: DecodeConfig
    form: FormatConfig
    output: GenerateConfig


@dataclass(frozen=True)
class FileTask:
    """A file, the file that gets its headlines, and how they are written."""

    source: Path
    result: Path
    how: How


@dataclass(frozen=True)
class Progress:
    """More of the file is done."""

    read: int  # bytes
    articles: int


@dataclass(frozen=True)
class Note:
    """A line about a row of the file."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The file is done, or cannot be.

    Attributes:
        error: why there is no result.
    """

    error: str | None = None


def main() -> None:
    """Does the task that comes on stdin."""
    leave_signals()
    sys.excepthook = tell_mistake
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    received, told = own_streams()
    setup: Setup = receive(received)
    task: FileTask = receive(received)
    threading.Thread(target=_end_with, args=(received,), daemon=True).start()

    def tell(message: Progress | Note | Ended) -> None:
        with suppress(BrokenPipeError):
            told.write(packed(message))
            told.flush()

    tell(Ended(_problem(setup, task, tell)))


def _end_with(stream: BinaryIO) -> None:
    """Ends the process as soon as the server has gone."""
    stream.read(1)
    os._exit(0)


def _problem(
    setup: Setup, task: FileTask, tell: Callable[[Progress | Note], None]
) -> str | None:
    """Does a task; returns why there is no result, or None."""
    try:
        _write(setup, task, tell)
    except Exception as error:
        refused = refusal(error)
        if refused is None and not isinstance(error, HeadlineError):
            tell_mistake(type(error), error, error.__traceback__)
            return f"a mistake of the server: {type(error).__name__}"
        # The client knows the file by another name.
        return (refused or str(error)).replace(str(task.source), "the file")
    return None


def _write(
    setup: Setup, task: FileTask, tell: Callable[[Progress | Note], None]
) -> None:
    notes = _some_notes(lambda text: tell(Note(text)), str(task.source))
    config, output = task.how.config, task.how.output
    config = replace(config, batch_size=min(BATCH, config.batch_size))
    generator = Generator.from_bundle(setup.bundle, config)
    how = Task(
        form=CorpusFormat(**task.how.form.to_dict(), tell=notes, note=notes),
        column=output.headline_column,
        lines=output.lines,
        with_scores=output.with_scores,
        count_done=lambda read, articles: tell(Progress(read, articles)),
    )
    with output_stream(task.result) as sink:
        write_headlines(generator, [Shard(task.source)], sink, how)


def _some_notes(tell: Callable[[str], None], path: str) -> Callable[[str], None]:
    """Returns a function that passes on the first notes."""
    told: set[str] = set()

    def note(text: str) -> None:
        if text not in told and len(told) < MOST_NOTES:
            told.add(text)
            tell(text.replace(path, "the file"))

    return note
