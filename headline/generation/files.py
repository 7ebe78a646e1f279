"""Articles in, the same rows with headlines out: text, lines, CSV, TSV and JSONL."""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, BinaryIO, TextIO, cast

from headline.errors import ConfigError, CorpusError
from headline.formats.columns import SOURCE_COLUMNS, without_blank
from headline.formats.dialects import Dialect
from headline.formats.encodings import AUTO, documents_kind, undecodable_share
from headline.formats.lines import BUFFER, blame, encoding_of, unzipped
from headline.formats.records import Row, as_text
from headline.formats.tables import (
    CorpusFormat,
    Table,
    check_can_be_read_again,
    find_column,
    open_table,
)
from headline.generation.generator import BLANK, Generator, Headline, windows
from headline.settings.search import DecodeConfig

TEXT_SUFFIX = ".txt"
MOST_UNDECODABLE = 0.5  # share of a text


@dataclass(frozen=True)
class Article:
    """A text, the row that it came in, and how to search for its headlines."""

    text: str
    row: Row | None = None  # None for plain text
    config: DecodeConfig | None = None  # None: as for all others
    problem: str | None = None  # why there can be no headline
    end: int = 0  # bytes of its file that are read, with it


# What a JSONL object may set for its own article.
CONTROLS = frozenset(setting.name for setting in fields(DecodeConfig)) - {
    "batch_size",
    "shortlist",
}

Write = Callable[[Article, Sequence[Headline]], None]
Explain = Callable[[str, Sequence[Headline]], None]  # article and its headlines
CountDone = Callable[[int, int], None]  # bytes read, articles with their headlines
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
    count_done: CountDone | None = None  # called when more is done

    def run(self, files: Sequence[Path], stream: TextIO) -> None:
        """Writes headlines for the files, or for stdin if there are none.

        Raises:
            ConfigError: what is asked of all articles contradicts itself.
            CorpusError: a file cannot be read, or the files do not go together.
        """
        self.generator.check(self.generator.config)
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
        end = 0
        for batch in batches:
            found = self.generator.generate(
                ["" if article.problem else article.text for article in batch],
                [article.config or self.generator.config for article in batch],
            )
            for article, headlines in zip(batch, found, strict=True):
                write(article, headlines)
                if headlines[0].error and article.config is None:
                    self._tell(article, headlines[0].error)
                if self.explain is not None and not _problem(article, headlines):
                    self.explain(article.text, headlines)
            if self.count_done is not None:
                self.count_done(batch[-1].end - end, len(batch))
                end = batch[-1].end

    def _tell(self, article: Article, error: str) -> None:
        """Tells of an article that the options of the command do not go with."""
        if self.form.tell is not None:
            place = (
                "the article" if article.row is None else f"row {article.row.number}"
            )
            self.form.tell(f"{place} has no headline: {error}")

    def _stdin_batches(self) -> Iterator[Sequence[Article]]:
        stream, size = sys.stdin.buffer, self.generator.ready_size
        if self.lines:
            return ready_batches(stream_lines(stream, self.form, "stdin"), size)
        return iter([[whole_text(stream, self.form, "stdin")]])

    def _shape(self, path: Path) -> tuple[str, ...]:
        """What files must share to be written into one output."""
        if is_text(path):
            return ("text",)
        check_can_be_read_again(path)
        with open_table(path, self.form) as table:
            find_column(table, self.form.source_column, SOURCE_COLUMNS, "source")
            return ("jsonl",) if table.dialect is None else ("table", *table.header)

    def _read(self, path: Path) -> Iterator[Article]:
        if is_text(path):
            return read_text_file(path, self.form, self.lines)
        return read_table(path, self.form, self.generator.config)

    def _writer(self, path: Path, stream: TextIO) -> Write:
        if is_text(path):
            return text_writer(stream, self.with_scores)
        with open_table(path, self.form) as table:
            header, dialect = table.header, table.dialect
        if dialect is None:
            return jsonl_writer(stream, header, self)
        return csv_writer(stream, header, self, dialect)

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


def stream_lines(stream: BinaryIO, form: CorpusFormat, name: str) -> Iterator[Article]:
    """Yields each line of a stream as it comes; bytes that are no text are left out.

    The encoding is that of what is there at first, or if that is ASCII of the first
    line that is not: a slow pipe is never waited for.

    Args:
        name: of the stream, for messages.

    Raises:
        CorpusError: it is no text, or damaged.
    """
    with blame(name), peekable(stream) as plain:
        head = plain.peek(BUFFER)
        encoding = encoding_of(head, form.encoding, name, form.note)
        if not "\n".encode(encoding).endswith(b"\n"):
            yield from wide_lines(plain, encoding)
            return
        is_open = form.encoding == AUTO and head.isascii()
        for line in plain:
            if is_open and not line.isascii():
                encoding, is_open = encoding_of(line, AUTO, name, form.note), False
            yield Article(line.decode(encoding, "ignore"))


def wide_lines(stream: io.BufferedReader, encoding: str) -> Iterator[Article]:
    """Yields the lines of a text in UTF-16, say, where no byte by itself ends one."""
    # Not the stream's own lines: half of another character may look like a line end.
    lines = io.TextIOWrapper(stream, encoding, "ignore", newline="\n")
    try:
        yield from map(Article, lines)
    finally:
        lines.detach()  # the stream is the caller's to close


@contextmanager
def peekable(stream: BinaryIO) -> Iterator[io.BufferedReader]:
    """Yields what a stream holds, unzipped, without closing the stream in the end."""
    buffered = cast(io.BufferedReader, stream)
    if not hasattr(stream, "peek"):
        buffered = io.BufferedReader(cast(io.RawIOBase, stream))
    try:
        yield unzipped(buffered)
    finally:
        if buffered is not stream:
            buffered.detach()


def whole_text(stream: BinaryIO, form: CorpusFormat, name: str) -> Article:
    """Returns all of a stream as one article; some bytes may be no text.

    Args:
        name: of the stream, for messages.

    Raises:
        CorpusError: it is damaged, most of it is no text, or it holds many documents.
    """
    with blame(name), peekable(stream) as plain:
        content = plain.read()
    encoding = encoding_of(content[:BUFFER], form.encoding, name, form.note)
    text = content.decode(encoding, "replace")
    if undecodable_share(text) > MOST_UNDECODABLE:
        raise CorpusError(
            f"{name} is not in {encoding}: leave out --encoding to have it detected"
        )
    if kind := documents_kind(text):
        raise CorpusError(f"{name} looks like {kind}")
    return Article(content.decode(encoding, "ignore"))


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


def read_text_file(path: Path, form: CorpusFormat, lines: bool) -> Iterator[Article]:
    """Yields a text file as one article, or each of its lines.

    Raises:
        CorpusError: the file cannot be read, or is no text.
    """
    with blame(path), path.open("rb") as stream:
        if not lines:
            yield whole_text(stream, form, str(path))
            return
        for article in stream_lines(stream, form, str(path)):
            yield replace(article, end=stream.tell())


def is_text(path: Path) -> bool:
    """Tells whether a file is plain text by its name."""
    return path.name.lower().removesuffix(".gz").endswith(TEXT_SUFFIX)


def read_table(
    path: Path, form: CorpusFormat, config: DecodeConfig
) -> Iterator[Article]:
    """Yields the articles of a CSV, TSV or JSONL file with their rows.

    A row that cannot be read is a blank article, so that no row is lost. A row of more
    fields than the header, whose article is in the last column, was cut at the
    article's own commas: it is put together again. The objects of a JSONL file may set
    what ``config`` says for themselves alone.

    Raises:
        CorpusError: the file cannot be read, or has no column of articles.
    """
    with open_table(path, form) as table:
        column = find_column(table, form.source_column, SOURCE_COLUMNS, "source")
        for row in table.rows((column,)):
            text = as_text(row.values.get(column)) or ""
            article = Article(text, row, end=table.position())
            if table.dialect is None:
                yield controlled(article, config)
            elif row.problem and column == table.columns[-1] and is_long(row, table):
                parts = without_blank(row.fields[len(table.columns) - 1 :])
                yield replace(article, text=table.dialect.delimiter.join(parts))
            else:
                yield replace(article, problem=row.problem)


def is_long(row: Row, table: Table) -> bool:
    """Tells whether a row has more fields than the header has names."""
    return len(row.fields) > len(table.columns)


def controlled(article: Article, config: DecodeConfig) -> Article:
    """Takes the controls that a JSONL object has, such as ``prefix``."""
    assert article.row is not None
    values = article.row.values
    own = {
        name: as_setting(getattr(DecodeConfig, name), values[name])
        for name in CONTROLS & values.keys()
        if not is_missing(values[name])
    }
    if article.row.problem:
        return replace(article, problem=article.row.problem)
    if not own:
        return article
    try:
        return replace(article, config=DecodeConfig.from_dict(config.to_dict() | own))
    except ConfigError as error:
        hint = "keys with the names of options set them for their article"
        return replace(article, problem=f"{error}; {hint}")


def is_missing(value: Any) -> bool:
    """Tells whether a value is what pandas writes for "not set": null or NaN."""
    return value is None or value != value


def as_setting(default: Any, value: Any) -> Any:
    """Returns a JSON number in the type of a setting, as pandas may change it.

    A column with gaps has 20.0 for 20, and 1.0 for true.
    """
    if type(value) in (int, float) and type(default) in (int, bool):
        kind = type(default)
        return kind(value) if math.isfinite(value) and kind(value) == value else value
    return value


def csv_writer(
    stream: TextIO, header: Sequence[str], task: Task, dialect: Dialect
) -> Write:
    """Writes rows as they were, with the new columns for headlines behind the header's.

    Fields that a row has beyond the header follow at its end.

    Raises:
        CorpusError: the rows have such a column already.
    """
    new, width = task.new_columns, len(header)
    _check_new(header, new)
    if dialect.separator_line:
        stream.write(f"sep={dialect.delimiter}\n")
    write_row = row_writer(stream, dialect)
    write_row([*map(_clean, header), *new])

    def write(article: Article, headlines: Sequence[Headline]) -> None:
        assert article.row is not None
        fields = [_clean(field) for field in article.row.fields]
        before, behind = fields[:width], fields[width:]
        found = cells(headlines, task.with_scores)
        gaps = [""] * (width - len(before)), [""] * (len(new) - len(found))
        write_row([*before, *gaps[0], *found, *gaps[1], *behind])

    return write


def row_writer(stream: TextIO, dialect: Dialect) -> Callable[[list[str]], object]:
    """Returns what writes a row as the dialect reads it."""
    if not dialect.quotes:
        # No field that was read without quotes has a delimiter or a line end in it.
        return lambda row: stream.write(dialect.delimiter.join(row) + "\n")
    writer = csv.writer(stream, delimiter=dialect.delimiter, lineterminator="\n")
    return writer.writerow


def jsonl_writer(stream: TextIO, columns: Sequence[str], task: Task) -> Write:
    """Writes each object with its headline; where several are asked for, all of them.

    A line that is no object, or asks for what cannot be, comes back with an ``error``
    and its line number. NaN and the infinities, which JSON does not know, become null.

    Raises:
        CorpusError: the first object, with the keys ``columns``, has such a key.
    """
    _check_new(columns, task.new_keys)

    def write(article: Article, headlines: Sequence[Headline]) -> None:
        assert article.row is not None
        record: dict[str, Any] = dict(article.row.values)
        if problem := _problem(article, headlines):
            record["error"] = f"line {article.row.number}: {problem}"
        config = article.config or task.generator.config
        record |= task.new_values(headlines, several=config.num_headlines > 1)
        stream.write(_clean(to_json(record)) + "\n")

    return write


def to_json(value: Any) -> str:
    """Returns a value as JSON in one line, with null for numbers that JSON lacks."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


def _problem(article: Article, headlines: Sequence[Headline]) -> str | None:
    """Returns why an article has no headline."""
    return article.problem or headlines[0].error


def _check_new(columns: Sequence[str], new: Sequence[str]) -> None:
    for name in new:
        if name in columns:
            raise CorpusError(
                f"there is a column {name!r} already: give another --headline-column"
            )


def _clean(value: Any) -> str:
    # Undecodable bytes and lone surrogates cannot be written as UTF-8.
    return str(value).encode("utf-8", "replace").decode("utf-8")
