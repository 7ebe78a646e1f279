"""Articles in, the same rows with headlines out: text, lines, CSV, TSV and JSONL."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, BinaryIO, TextIO

from headline.config import DecodeConfig
from headline.data.records import Row, as_text
from headline.data.tables import (
    SOURCE_COLUMNS,
    CorpusFormat,
    check_can_be_read_again,
    find_column,
    open_table,
)
from headline.errors import ConfigError, CorpusError
from headline.generator import BLANK, Generator, Headline, windows

TEXT_SUFFIX = ".txt"


@dataclass(frozen=True)
class Article:
    """A text, the row that it came in, and how to search for its headlines."""

    text: str
    row: Row | None = None  # None for plain text
    config: DecodeConfig | None = None  # None: as for all others
    problem: str | None = None  # why there can be no headline


# What a JSONL object may set for its own article.
CONTROLS = frozenset(setting.name for setting in fields(DecodeConfig)) - {
    "batch_size",
    "shortlist",
}

Write = Callable[[Article, Sequence[Headline]], None]
Explain = Callable[[str, Sequence[Headline]], None]  # article and its headlines
Arrivals = Queue[Article | BaseException | None]  # None: no more will come


@dataclass(frozen=True)
class Task:
    """What ``headline generate`` is to do."""

    generator: Generator
    form: CorpusFormat
    column: str = "headline"  # of the new column, or key
    lines: bool = False  # each line of plain text is an article
    with_scores: bool = False  # write each headline's log-probability, too
    explain: Explain | None = None  # called once the headlines are written

    def run(self, files: Sequence[Path], stream: TextIO) -> None:
        """Writes headlines for the files, or for stdin if there are none.

        Raises:
            CorpusError: a file cannot be read, or the files do not go together.
        """
        if not files:
            write = text_writer(stream, self.with_scores)
            self._write(self._stdin_batches(), write)
            return
        self._check_together(files)  # all of them, before anything is written
        write = self._writer(files[0], stream)
        size = self.generator.window_size
        for path in files:
            self._write(windows(self._read(path), size), write)

    def _check_together(self, files: Sequence[Path]) -> None:
        shape = self._shape(files[0])
        for path in files[1:]:
            if self._shape(path) != shape:
                raise CorpusError(
                    f"{path} does not go with {files[0]} into one output: "
                    "its kind or its columns differ"
                )

    def _write(self, batches: Iterable[Sequence[Article]], write: Write) -> None:
        for batch in batches:
            articles = [self._checked(article) for article in batch]
            found = self.generator.generate(
                ["" if article.problem else article.text for article in articles],
                [article.config or self.generator.config for article in articles],
            )
            for article, headlines in zip(articles, found, strict=True):
                write(article, headlines)
                if self.explain is not None and not article.problem:
                    self.explain(article.text, headlines)

    def _checked(self, article: Article) -> Article:
        """Marks an article whose own controls contradict themselves."""
        if article.config is None:
            return article
        try:
            self.generator.check(article.text, article.config)
        except ConfigError as error:
            return replace(article, config=None, problem=str(error))
        return article

    def _stdin_batches(self) -> Iterator[Sequence[Article]]:
        encoding, size = self.form.encoding, self.generator.ready_size
        if self.lines:
            return ready_batches(stream_lines(sys.stdin.buffer, encoding), size)
        return iter([[whole_text(sys.stdin.buffer, encoding)]])

    def _shape(self, path: Path) -> tuple[str, ...]:
        """What files must share to be written into one output."""
        if is_text(path):
            return ("text",)
        check_can_be_read_again(path)
        with open_table(path, self.form) as table:
            find_column(table, self.form.source_column, SOURCE_COLUMNS, "source")
            return ("jsonl",) if is_jsonl(path) else ("table", *table.columns)

    def _read(self, path: Path) -> Iterator[Article]:
        if is_text(path):
            return read_text_file(path, self.form.encoding, self.lines)
        return read_table(path, self.form, self.generator.config)

    def _writer(self, path: Path, stream: TextIO) -> Write:
        if is_text(path):
            return text_writer(stream, self.with_scores)
        with open_table(path, self.form) as table:
            columns = table.columns
        if is_jsonl(path):
            return jsonl_writer(stream, columns, self)
        return csv_writer(stream, columns, self, csv_delimiter(path))

    @property
    def new_columns(self) -> list[str]:
        """A column for each headline, and one for its score behind it."""
        more = range(2, self.generator.config.num_headlines + 1)
        names = [self.column, *(f"{self.column}_{rank}" for rank in more)]
        if not self.with_scores:
            return names
        return [column for name in names for column in (name, f"{name}_score")]

    @property
    def new_keys(self) -> list[str]:
        """The keys that a JSONL object gets."""
        several = self.generator.config.num_headlines > 1
        return list(self.new_values([BLANK], several))

    def new_values(
        self, headlines: Sequence[Headline], several: bool
    ) -> Mapping[str, Any]:
        """What a JSONL object gets: its headline, and if ``several`` all of them."""
        values: dict[str, Any] = {self.column: headlines[0].text}
        if self.with_scores:
            values["score"] = round(headlines[0].score, 4)
        if several:
            values[f"{self.column}s"] = [headline.text for headline in headlines]
        if several and self.with_scores:
            values["scores"] = [round(headline.score, 4) for headline in headlines]
        return values


# --- plain text -----------------------------------------------------------------------


def stream_lines(stream: BinaryIO, encoding: str) -> Iterator[Article]:
    """Yields each line of a stream; bytes that are no text are left out."""
    # Not the stream's own lines: in UTF-16, half a character can look like a line end.
    lines = io.TextIOWrapper(stream, encoding, "ignore", newline="\n")
    try:
        for line in lines:
            yield Article(line)
    finally:
        lines.detach()  # the stream is the caller's to close


def whole_text(stream: BinaryIO, encoding: str) -> Article:
    """Returns all of a stream as one article."""
    return Article(stream.read().decode(encoding, "ignore"))


def ready_batches(
    articles: Iterator[Article], batch_size: int
) -> Iterator[list[Article]]:
    """Yields what is there already, up to a batch, and waits for one article at least.

    So a slow pipe gets each headline as soon as it can be written, and a fast one is
    read in full batches, of which no more than two are held.
    """
    queue: Arrivals = Queue(batch_size)

    def read() -> None:
        try:
            for article in articles:
                queue.put(article)
        except BaseException as error:  # handed to the one who waits for articles
            queue.put(error)
        queue.put(None)

    Thread(target=read, daemon=True).start()
    while batch := _drain(queue, batch_size):
        yield batch


def _drain(queue: Arrivals, batch_size: int) -> list[Article]:
    batch: list[Article] = []
    try:
        while len(batch) < batch_size:
            entry = queue.get(block=not batch)
            if entry is None:
                queue.put(None)  # for the next call
                break
            if isinstance(entry, BaseException):
                raise entry
            batch.append(entry)
    except Empty:
        pass
    return batch


def text_writer(stream: TextIO, with_scores: bool) -> Write:
    """Writes one line for each article: its headlines, tabs between them.

    Args:
        with_scores: each with its score behind another tab.
    """

    def write(article: Article, headlines: Sequence[Headline]) -> None:
        stream.write("\t".join(cells(headlines, with_scores)) + "\n")
        stream.flush()

    return write


def cells(headlines: Sequence[Headline], with_scores: bool) -> list[str]:
    """Returns the headlines as text, each with its score behind it if asked for."""
    if not with_scores:
        return [headline.text for headline in headlines]
    pairs = ((headline.text, f"{headline.score:.4f}") for headline in headlines)
    return [cell for pair in pairs for cell in pair]


# --- files ----------------------------------------------------------------------------


def read_text_file(path: Path, encoding: str, lines: bool) -> Iterator[Article]:
    """Yields a text file as one article, or each of its lines.

    Raises:
        CorpusError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            if lines:
                yield from stream_lines(stream, encoding)
            else:
                yield whole_text(stream, encoding)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error


def is_text(path: Path) -> bool:
    """Tells whether a file is plain text by its name."""
    return path.suffix.lower() == TEXT_SUFFIX


def is_jsonl(path: Path) -> bool:
    """Tells whether a file is JSONL by its name; else it is CSV or TSV."""
    return _suffix(path) in (".jsonl", ".ndjson", ".json")


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def read_table(
    path: Path, form: CorpusFormat, config: DecodeConfig
) -> Iterator[Article]:
    """Yields the articles of a CSV, TSV or JSONL file with their rows.

    A row that cannot be read is a blank article, so that no row is lost. The objects
    of a JSONL file may set what ``config`` says for themselves alone.

    Raises:
        CorpusError: the file cannot be read, or has no column of articles.
    """
    with open_table(path, form) as table:
        column = find_column(table, form.source_column, SOURCE_COLUMNS, "source")
        for row in table:
            value = None if row.problem else row.values.get(column)
            article = Article(as_text(value) or "", row, problem=row.problem)
            yield controlled(article, config) if is_jsonl(path) else article


def controlled(article: Article, config: DecodeConfig) -> Article:
    """Takes the controls that a JSONL object has, such as ``prefix``."""
    assert article.row is not None
    own = {
        name: article.row.values[name] for name in CONTROLS & article.row.values.keys()
    }
    if not own or article.problem:
        return article
    try:
        return replace(article, config=DecodeConfig.from_dict(config.to_dict() | own))
    except ConfigError as error:
        return replace(article, problem=str(error))


def csv_delimiter(path: Path) -> str:
    """Returns what stands between the columns of a CSV or TSV file."""
    return "\t" if _suffix(path) == ".tsv" else ","


def csv_writer(
    stream: TextIO, columns: Sequence[str], task: Task, delimiter: str
) -> Write:
    """Writes rows as they were, with the new columns for headlines at their ends.

    Raises:
        CorpusError: the rows have such a column already, or two of one name, of
            which a row keeps only the last.
    """
    new = task.new_columns
    _check_new(columns, new)
    _check_different(columns)
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*columns, *new])

    def write(article: Article, headlines: Sequence[Headline]) -> None:
        assert article.row is not None
        values = [_clean(article.row.values.get(column, "")) for column in columns]
        found = cells(headlines, task.with_scores)
        writer.writerow([*values, *found, *[""] * (len(new) - len(found))])

    return write


def jsonl_writer(stream: TextIO, columns: Sequence[str], task: Task) -> Write:
    """Writes each object with its headline; where several are asked for, all of them.

    A line that is no object, or asks for what cannot be, comes back with an ``error``
    and its line number.

    Raises:
        CorpusError: the first object, with the keys ``columns``, has such a key.
    """
    _check_new(columns, task.new_keys)

    def write(article: Article, headlines: Sequence[Headline]) -> None:
        assert article.row is not None
        record: dict[str, Any] = dict(article.row.values)
        if article.problem:
            record["error"] = f"line {article.row.number}: {article.problem}"
        config = article.config or task.generator.config
        record |= task.new_values(headlines, several=config.num_headlines > 1)
        stream.write(_clean(json.dumps(record, ensure_ascii=False)) + "\n")

    return write


def _check_new(columns: Sequence[str], new: Sequence[str]) -> None:
    for name in new:
        if name in columns:
            raise CorpusError(
                f"there is a column {name!r} already: give another --headline-column"
            )


def _check_different(columns: Sequence[str]) -> None:
    for place, name in enumerate(columns):
        if name in columns[:place]:
            raise CorpusError(
                f"two columns are called {name!r}, and one of them would be lost: "
                "give them different names"
            )


def _clean(value: Any) -> str:
    # Undecodable bytes and lone surrogates cannot be written as UTF-8.
    return str(value).encode("utf-8", "replace").decode("utf-8")
