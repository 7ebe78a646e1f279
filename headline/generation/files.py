"""Articles in, the same rows with headlines out: text, lines, CSV, TSV and JSONL."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from headline.errors import ConfigError, CorpusError
from headline.formats.columns import SOURCE_COLUMNS
from headline.formats.files import blame, check_can_be_read_again
from headline.formats.layout import Layout
from headline.formats.records import Row, as_text
from headline.formats.registered.text import PLAIN_TEXT, text_lines, whole_text
from headline.formats.registry import Added, Write, is_text
from headline.formats.tables import CorpusFormat, Table, find_column, open_table
from headline.generation.batching import ready_batches, windows
from headline.generation.generator import Generator
from headline.generation.headlines import BLANK, Headline
from headline.settings.search import DecodeConfig
from headline.text.source import Readable

MOST_OPEN = 64  # tables at once; of more than these, the others are opened twice


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

Explain = Callable[[Readable, Sequence[Headline]], None]  # article and its headlines
CountDone = Callable[[int, int], None]  # bytes read, articles with their headlines


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
            self._write(self._stdin_batches(), self._text_writer(stream))
            return
        with ExitStack() as stack:
            inputs = self._opened(files, stack)  # all, before anything is written
            if isinstance(inputs[0], Path):
                write = self._text_writer(stream)
            else:
                write = self._writer(inputs[0], stream)
            for source in inputs:
                articles = self._read(source)
                self._write(windows(articles, self.generator.window_size), write)
                if isinstance(source, Table):
                    source.close()

    def _opened(self, files: Sequence[Path], stack: ExitStack) -> list[Path | Table]:
        """Opens the tables; text is opened when it is read.

        Raises:
            CorpusError: a file cannot be read, or they do not go together.
        """
        inputs: list[Path | Table] = []
        for path in files:
            inputs.append(path if is_text(path) else self._table(path, stack))
            if _shape(inputs[-1]) != _shape(inputs[0]):
                raise CorpusError(
                    f"{path} does not go with {files[0]} into one output: "
                    "its kind or its columns differ"
                )
            if len(inputs) > MOST_OPEN and isinstance(inputs[-1], Table):
                inputs[-1].close()
        return inputs

    def _table(self, path: Path, stack: ExitStack) -> Table:
        check_can_be_read_again(path)
        table = stack.enter_context(open_table(path, self.form))
        find_column(table, self.form.source_column, SOURCE_COLUMNS, "source")
        return table

    def _write(self, batches: Iterable[Sequence[Article]], write: Write) -> None:
        end = 0
        for batch in batches:
            texts = ["" if article.problem else article.text for article in batch]
            configs = [article.config or self.generator.config for article in batch]
            sources: Sequence[Readable] = texts
            if self.explain is not None:  # else whoever searches them reads them, too
                sources = [*map(self.generator.read, texts)]
            found = self.generator.generate(sources, configs)
            for article, source, headlines in zip(batch, sources, found, strict=True):
                write(article.row, self._added(article, headlines))
                if headlines[0].error and article.config is None:
                    self._tell(article, headlines[0].error)
                if self.explain is not None and not _problem(article, headlines):
                    self.explain(source, headlines)
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
        return iter([[Article(whole_text(stream, self.form, "stdin"))]])

    def _read(self, source: Path | Table) -> Iterator[Article]:
        if isinstance(source, Path):
            return read_text_file(source, self.form, self.lines)
        return read_table(source, self.form, self.generator.config)

    def _text_writer(self, stream: TextIO) -> Write:
        return PLAIN_TEXT.writer(stream, Layout(path=Path("-")), (), ())

    def _writer(self, table: Table, stream: TextIO) -> Write:
        columns, keys = self.new_columns, self.new_keys
        return table.format.writer(stream, table.layout, columns, keys)

    def _added(self, article: Article, headlines: Sequence[Headline]) -> Added:
        """Returns what the row of an article gets."""
        config = article.config or self.generator.config
        return Added(
            cells(headlines, self.with_scores),
            self.new_values(headlines, several=config.num_headlines > 1),
            _problem(article, headlines),
        )

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
    """Yields each line of a stream as it comes; see ``text_lines``."""
    return map(Article, text_lines(stream, form, name))


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
            yield Article(whole_text(stream, form, str(path)))
            return
        for article in stream_lines(stream, form, str(path)):
            yield replace(article, end=stream.tell())


def read_table(
    table: Table, form: CorpusFormat, config: DecodeConfig
) -> Iterator[Article]:
    """Yields the articles of a table with their rows.

    A row that cannot be read is a blank article, so that no row is lost. An article
    that was cut at its own commas is put together again. The objects of a JSONL file
    may set what ``config`` says for themselves alone.

    Raises:
        CorpusError: the file cannot be read, or has no column of articles.
    """
    column = find_column(table, form.source_column, SOURCE_COLUMNS, "source")
    for row in table.rows((column,)):
        text = as_text(row.values.get(column)) or ""
        article = Article(text, row, end=table.position())
        if table.format.takes_settings:
            yield controlled(article, config)
        elif (whole := table.format.mended(row, column, table.layout)) is not None:
            yield replace(article, text=whole)
        else:
            yield replace(article, problem=row.problem)


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


def _problem(article: Article, headlines: Sequence[Headline]) -> str | None:
    """Returns why an article has no headline."""
    return article.problem or headlines[0].error


def _shape(source: Path | Table) -> tuple[str, ...]:
    """Returns what files must share to be written into one output."""
    if isinstance(source, Path):
        return ("text",)
    return source.format.shape(source.layout)
