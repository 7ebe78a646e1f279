"""Articles in, the same rows with headlines out: text, lines, and tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TextIO

from headline.errors import CorpusError
from headline.formats.options import CorpusFormat
from headline.formats.registry import Write
from headline.generation.batching import ready_batches, windows
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.generation.inputs import (
    Entry,
    Input,
    Shard,
    Stream,
    open_input,
    text_writer,
)
from headline.generation.new_columns import NewColumns
from headline.text.source import Readable

MOST_OPEN = 64  # files open at once; further files are closed and opened again

Explain = Callable[[Readable, Sequence[Headline]], None]  # article and its headlines
CountDone = Callable[[int, int], None]  # bytes read, articles with their headlines
Reject = Callable[[str], None]  # why a row gets no headline


@dataclass(frozen=True)
class Task:
    """How articles are read, and how their headlines are written."""

    form: CorpusFormat
    column: str = "headline"  # of the new column, or key
    lines: bool = False  # each line of plain text is an article
    with_scores: bool = False  # write each headline's log-probability, too
    explain: Explain | None = None  # called once the headlines are written
    count_done: CountDone | None = None  # called when more is done
    reject: Reject | None = None  # called for each row with a problem


def write_headlines(
    generator: Generator, source: Sequence[Shard] | Stream, sink: TextIO, task: Task
) -> None:
    """Writes each row of files with its headlines, or headlines of a stream of text.

    Args:
        source: files, or parts of them, which go into one output; or a stream, whose
            headlines are written as soon as possible. A part has its file's header.
        sink: gets the rows.

    Raises:
        ConfigError: search settings contradict each other.
        CorpusError: the source cannot be read, or the files differ in kind or columns.
    """
    generator.check(generator.config)
    writing = _Writing(generator, task)
    _write(writing, source, sink)
    if task.form.note is not None:
        for line in writing.tally.lines():
            task.form.note(line)


def _write(writing: "_Writing", source: Sequence[Shard] | Stream, sink: TextIO) -> None:
    generator, task = writing.generator, writing.task
    if isinstance(source, Stream):
        batches = _stream_batches(source, task, generator.ready_size)
        with text_writer(sink) as write:
            writing.add(batches, write)
        return
    with ExitStack() as stack:
        inputs = _opened(source, generator, task, stack)  # before anything is written
        write = stack.enter_context(inputs[0].writer(sink, writing.new.names))
        for each in inputs:
            entries = each.entries()
            writing.add(windows(entries, generator.window_size), write, each.begin)
            if len(inputs) > MOST_OPEN:
                each.close()


def _stream_batches(source: Stream, task: Task, size: int) -> Iterator[Sequence[Entry]]:
    if task.lines:
        return ready_batches(source.lines(task.form), size)
    return iter([[source.article(task.form)]])


def _opened(
    shards: Sequence[Shard], generator: Generator, task: Task, stack: ExitStack
) -> list[Input]:
    """Opens all files.

    Raises:
        CorpusError: a file cannot be read, or the files differ in kind or columns.
    """
    inputs: list[Input] = []
    for shard in shards:
        each = open_input(shard, task.form, task.lines, generator.config)
        stack.callback(each.close)
        inputs.append(each)
        if each.shape != inputs[0].shape:
            raise CorpusError(
                f"{shards[0].path} and {shard.path} cannot go into one output, because "
                "they differ in kind or in columns: write each to an output of its own"
            )
        if len(inputs) > MOST_OPEN:
            each.close()
    return inputs


@dataclass
class Tally:
    """Counts what a run tells at its end."""

    articles: int = 0  # that are not blank
    unlike: int = 0  # of them, those unlike the training corpus
    headlines: int = 0
    withheld: int = 0  # of them, those below ``min_confidence``

    def add(self, found: Sequence[Sequence[Headline]]) -> None:
        """Counts the headlines of some articles."""
        for headlines in found:
            self.articles += any(one.text or one.withheld for one in headlines)
            self.unlike += headlines[0].unlike
            self.headlines += sum(bool(one.text) or one.withheld for one in headlines)
            self.withheld += sum(one.withheld for one in headlines)

    def lines(self) -> Iterator[str]:
        """Yields what a person should know."""
        if self.withheld:
            yield (
                f"{self.withheld:,} of {self.headlines:,} headlines are left blank,"
                " because their confidence is below --min-confidence"
            )
        if 2 * self.unlike > self.articles:
            yield (
                f"{self.unlike:,} of {self.articles:,} articles are unlike those that"
                " the model was trained on: check the headlines, or train it on such"
                " articles"
            )


class _Writing:
    """Searches batches of entries, and writes what is found."""

    def __init__(self, generator: Generator, task: Task) -> None:
        self.generator, self.task = generator, task
        most = generator.written(generator.config)
        styles = generator.config.styles
        self.new = NewColumns(
            task.column,
            task.with_scores,
            most,
            styles,
            task.lines,
            generator.config.wants_confidence,
        )
        self.tally = Tally()

    def add(
        self, batches: Iterable[Sequence[Entry]], write: Write, begin: int = 0
    ) -> None:
        """Writes the headlines of some batches.

        Args:
            begin: the offset in the file where they begin, in bytes.
        """
        end = begin
        for batch in batches:
            self._add(batch, write)
            if self.task.count_done is not None:
                self.task.count_done(batch[-1].end - end, len(batch))
                end = batch[-1].end

    def _add(self, batch: Sequence[Entry], write: Write) -> None:
        articles: list[Readable] = ["" if one.problem else one.text for one in batch]
        if self.task.explain is not None:  # otherwise ``generate`` reads them
            articles = [*map(self.generator.read, articles)]
        configs = [entry.config or self.generator.config for entry in batch]
        found = self.generator.generate(articles, configs)
        self.tally.add(found)
        for entry, article, headlines in zip(batch, articles, found, strict=True):
            problem = entry.problem or headlines[0].error
            config = entry.config or self.generator.config
            asked = self.generator.written(config)
            added = self.new.added(headlines, asked, config.styles, problem)
            write(entry.row, added)
            if problem is not None and self.task.reject is not None:
                self.task.reject(problem)
            if headlines[0].error and entry.config is None:
                self._tell(entry, headlines[0].error)
            if self.task.explain is not None and problem is None:
                self.task.explain(article, headlines)

    def _tell(self, entry: Entry, error: str) -> None:
        """Reports an article whose search settings contradict each other."""
        if self.task.form.tell is not None:
            row = entry.row
            place = "the article" if row is None else f"row {row.number}"
            self.task.form.tell(f"{place} gets no headline: {error}")
