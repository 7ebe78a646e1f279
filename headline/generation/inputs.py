"""Inputs of articles: files of text or of rows, parts of files, and streams."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from headline.errors import ConfigError, CorpusError
from headline.formats.columns import SOURCE_COLUMNS
from headline.formats.files import InputFile, blame, check_can_be_read_again
from headline.formats.layout import Layout, Place
from headline.formats.records import Row, as_text, value_of
from headline.formats.registered.text import PLAIN_TEXT, TEXT, text_lines, whole_text
from headline.formats.registry import New, Write, content_format_of, is_text
from headline.formats.tables import CorpusFormat, find_column, open_table
from headline.generation.controls import (
    NO_OPTION,
    OLDER_FORM,
    asked_of,
    own_config,
)
from headline.settings.search import DecodeConfig


@dataclass(frozen=True)
class Entry:
    """A text, the row that it came in, and how to search for its headlines."""

    text: str
    row: Row | None = None  # None for plain text
    config: DecodeConfig | None = None  # None: the config of the command
    problem: str | None = None  # why there can be no headline
    end: int = 0  # the offset in its file after this entry


@dataclass(frozen=True)
class Shard:
    """A file, or some of its rows (lines, if it is plain text)."""

    path: Path
    layout: Layout | None = None  # how the file is written, if known
    start: Place | None = None  # of the first row; None for the start of the file
    rows: int | None = None  # number of rows; None for all to the end of the file

    @property
    def begin(self) -> int:
        """The byte of the file that is read first."""
        return 0 if self.start is None else self.start.offset

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole file."""
        return self.start is None and self.rows is None


@dataclass(frozen=True)
class Stream:
    """An open stream of text in any encoding, plain or compressed."""

    stream: BinaryIO
    name: str  # for messages

    def lines(self, form: CorpusFormat) -> Iterator[Entry]:
        """Yields an article for each line, as it comes."""
        return map(Entry, text_lines(self.stream, form, self.name))

    def article(self, form: CorpusFormat) -> Entry:
        """Returns the whole stream as one article."""
        return Entry(whole_text(self.stream, form, self.name))


class Input(Protocol):
    """A reader of a shard, with a matching writer."""

    begin: int  # the byte of the file that is read first
    shape: tuple[str, ...]  # must be equal for files that go into one output

    def entries(self) -> Iterator[Entry]:
        """Yields the articles, none left out.

        Raises:
            CorpusError: the file cannot be read, or is damaged.
        """

    def writer(self, sink: TextIO, new: New) -> AbstractContextManager[Write]:
        """Yields a function that writes rows unchanged; see ``FileFormat.writer``."""

    def close(self) -> None:
        """Closes the file; reading opens it again."""


def open_input(
    shard: Shard, form: CorpusFormat, lines: bool, config: DecodeConfig
) -> Input:
    """Opens a shard; a text that is not a regular file is opened when it is read.

    Args:
        lines: each line of a text file is an article.
        config: search config of articles whose rows have no settings.

    Raises:
        CorpusError: the file cannot be read, or has no column of articles.
    """
    if not is_text(shard.path):
        return TableInput(shard, form, config)
    if not shard.path.is_file():
        return TextInput(shard, form, lines)
    file = InputFile(shard.path)
    try:
        format = content_format_of(file)
        if format is not None and format.is_table:  # documents of LCSTS, for example
            return TableInput(shard, form, config, file)
        return TextInput(shard, form, lines, file)
    except BaseException:
        file.close()
        raise


class TextInput:
    """A text file as one article, or with one article per line.

    Raises:
        CorpusError: a part of a file is given, but not ``lines``.
    """

    shape: tuple[str, ...] = ("text",)

    def __init__(
        self,
        shard: Shard,
        form: CorpusFormat,
        lines: bool,
        file: InputFile | None = None,
    ) -> None:
        if not lines and not shard.is_whole:
            raise CorpusError(
                f"{shard.path} cannot be read in parts, because it is one article; "
                "with `lines`, each line is one"
            )
        self.begin = shard.begin
        self._shard, self._form, self._lines = shard, form, lines
        self._file = file

    def entries(self) -> Iterator[Entry]:
        return self._whole() if self._shard.is_whole else self._part()

    def _whole(self) -> Iterator[Entry]:
        with self._opened() as file, blame(file.path):
            reader = file.reader()
            stream = Stream(reader, str(file.path))
            if not self._lines:
                yield stream.article(self._form)
                return
            for entry in stream.lines(self._form):
                yield replace(entry, end=reader.tell() if file.is_regular else 0)

    def _part(self) -> Iterator[Entry]:
        shard = self._shard
        with self._opened() as file:
            layout = shard.layout or PLAIN_TEXT.layout(file, self._form)
            stream = file.reader(shard.begin)
            rows = PLAIN_TEXT.rows(stream, layout, shard.start)
            for row in islice(rows, shard.rows):
                yield Entry(row.values[TEXT], end=stream.tell())

    def _opened(self) -> closing[InputFile]:
        return closing(self._file or InputFile(self._shard.path))

    def writer(self, sink: TextIO, new: New) -> AbstractContextManager[Write]:
        return text_writer(sink)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class TableInput:
    """The articles of a table with their rows.

    A row that cannot be read becomes a blank article, so that no row is lost. An
    article that was split at its own commas is joined again. An object of a JSONL file
    may override ``config`` for its own article.
    """

    def __init__(
        self,
        shard: Shard,
        form: CorpusFormat,
        config: DecodeConfig,
        file: InputFile | None = None,
    ) -> None:
        check_can_be_read_again(shard.path)
        self.begin = shard.begin
        self._shard, self._form, self._config = shard, form, config
        self._is_noted = False  # whether the older form of options has been reported
        self.table = open_table(shard.path, form, shard.layout, file)
        try:
            self._column = find_column(
                self.table, form.source_column, SOURCE_COLUMNS, "source"
            )
        except BaseException:
            self.close()
            raise
        self.shape = self.table.format.shape(self.table.layout)

    def entries(self) -> Iterator[Entry]:
        has_controls = self.table.format.takes_settings
        finished = self._controlled if has_controls else self._mended
        rows = self.table.rows((self._column,), self._shard.start)
        for row in islice(rows, self._shard.rows):
            text = as_text(value_of(row.values, self._column)) or ""
            entry = Entry(text, row, problem=row.problem, end=self.table.position())
            yield finished(entry, row)

    def _controlled(self, entry: Entry, row: Row) -> Entry:
        if row.problem:
            return entry
        # The article itself is not a setting, whatever its column is called.
        values = {key: row.values[key] for key in row.values if key != self._column}
        is_older = False
        try:
            own, is_older = asked_of(values)
            return replace(entry, config=own_config(own, self._config))
        except ConfigError as error:
            problem = f"{error}; {NO_OPTION}" if is_older else str(error)
            return replace(entry, problem=problem)
        finally:
            self._note_older_form(is_older)

    def _note_older_form(self, is_older: bool) -> None:
        if is_older and not self._is_noted and self._form.note is not None:
            self._form.note(OLDER_FORM)
            self._is_noted = True

    def _mended(self, entry: Entry, row: Row) -> Entry:
        whole = self.table.format.mended(row, self._column, self.table.layout)
        return entry if whole is None else replace(entry, text=whole, problem=None)

    def writer(self, sink: TextIO, new: New) -> AbstractContextManager[Write]:
        table = self.table
        return table.format.writer(sink, table.layout, new, table.file)

    def close(self) -> None:
        self.table.close()


def text_writer(sink: TextIO) -> AbstractContextManager[Write]:
    """Yields a function that writes a line of tab-separated headlines per article."""
    return PLAIN_TEXT.writer(sink, Layout(path=Path("-")), New((), ()))
