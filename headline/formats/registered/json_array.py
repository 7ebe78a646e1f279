"""A JSON array of objects, which are read one by one, as those of JSON Lines."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

from headline.errors import CorpusError
from headline.formats.files import InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.lines import is_decoded, open_text
from headline.formats.records import Row
from headline.formats.registered.jsonl import SUFFIXES, Objects, parse_object, written
from headline.formats.registry import (
    Added,
    FileFormat,
    New,
    Write,
    check_new,
    register,
)
from headline.system.progress import Report

CHUNK = 1 << 17  # characters that are read together
LONGEST = 1 << 26  # characters of an item; only one that is never closed has more
NOT_CLOSED = "not valid JSON: the file ends before the array does"
_BETWEEN = re.compile(r"[\s,\ufeff]*")
# All that decides where an item ends; a string is matched as a whole.
_SIGNS = re.compile(r'"(?:[^"\\]|\\.)*+"|["{}\[\],]', re.DOTALL)
_PAIRS = {"}": "{", "]": "["}
_DECODER = json.JSONDecoder(strict=False)
# With byte order marks and the zero bytes of wide characters. A line ``[1]`` is no
# array of objects, but a bad line of JSON Lines.
_BEGINNING = re.compile(rb"[\xef\xbb\xbf\xff\xfe\0\s]*\[[\0\s]*[\]{]")


class JsonArray(Objects):
    """Objects in an array; the number of a row is its place in the array."""

    @property
    def writes(self) -> str:
        return ".json"

    def replaces(self, named: FileFormat, head: bytes) -> bool:
        return named.suffixes == SUFFIXES and bool(_BEGINNING.match(head))

    def rows(
        self,
        stream: io.BufferedReader,
        layout: Layout,
        start: Place | None = None,
        note: Report | None = None,
    ) -> Iterator[Row]:
        with open_text(stream, layout) as text, blame(layout.path):
            for number, item in enumerate(_items(_Window(text, layout.path)), 1):
                problem = item.problem
                if not is_decoded(item.text):
                    problem = layout.undecodable
                yield Row(number, item.values, problem)

    @contextmanager
    def writer(
        self,
        stream: TextIO,
        layout: Layout,
        new: New,
        file: InputFile | None = None,
    ) -> Iterator[Write]:
        """Yields a function that writes each object with its new keys.

        Each object gets a line of its own. See ``JsonLines.writer`` for items that are
        no objects.
        """
        check_new(layout.header, new.keys)
        before = "[\n"

        def write(row: Row | None, added: Added) -> None:
            nonlocal before
            stream.write(before + written(row, added, "item"))
            before = ",\n"

        yield write
        stream.write("\n]\n" if before == ",\n" else "[]\n")


class _Item(NamedTuple):
    """An item of an array: its text, its object, and why it is no object."""

    text: str
    values: dict[str, Any]
    problem: str | None = None


def _items(window: "_Window") -> Iterator[_Item]:
    """Yields each item of an array, and what is wrong with the end of the array."""
    window.skip()
    window.place += 1  # the opening bracket
    while window.skip() not in ("]", ""):
        item = window.item()
        yield item
        if item.problem == NOT_CLOSED:
            return
    if not window.skip():
        yield _Item("", {}, NOT_CLOSED)
        return
    window.place += 1
    if window.skip():
        rest = window.text[window.place :]
        yield _Item(rest, {"": rest}, "text after the end of the array")


class _Window:
    """The part of a JSON text that is in memory, and a place in it."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        self.text, self.place = "", 0
        self._stream, self._path = stream, path

    def skip(self) -> str:
        """Skips blanks and commas; returns the next character, "" at the end."""
        while True:
            blank = _BETWEEN.match(self.text, self.place)
            assert blank is not None
            self.place = blank.end()
            if self.place < len(self.text) or not self._read_on():
                return self.text[self.place : self.place + 1]

    def item(self) -> _Item:
        """Returns the item that begins here, and goes to its end.

        Raises:
            CorpusError: it is longer than any row can be.
        """
        while True:
            begin = self.place
            if (found := self._object()) is not None:
                return _Item(self.text[begin : self.place], found)
            if (end := self._end()) is not None:
                self.place = end
                text = self.text[begin:end]
                return _Item(text, *parse_object(text))
            if len(self.text) - begin > LONGEST:
                raise CorpusError(
                    f"{self._path} is damaged: an item has more than {LONGEST:,} "
                    "characters"
                )
            if not self._read_on():
                self.place = len(self.text)
                return _Item(self.text, {"": self.text}, NOT_CLOSED)

    def _read_on(self) -> bool:
        """Reads on, and forgets what is before the place; tells whether there is more.

        It reads as much as it keeps, so that a long item is not parsed too often.
        """
        kept = self.text[self.place :]
        more = self._stream.read(max(CHUNK, len(kept)))
        self.text, self.place = kept + more, 0
        return bool(more)

    def _object(self) -> dict[str, Any] | None:
        """Parses the object that begins here; None if it is invalid or incomplete."""
        if self.text[self.place] != "{":
            return None
        try:
            values, self.place = _DECODER.raw_decode(self.text, self.place)
        except (ValueError, RecursionError):
            return None
        return cast(dict[str, Any], values)

    def _end(self) -> int | None:
        """Returns where the item that begins here ends; None if it goes on further.

        A bracket that is closed by one of an outer pair, as in ``[1, {]``, is left out,
        so that it does not cost the items after it.
        """
        opened = ""
        for sign in _SIGNS.finditer(self.text, self.place):
            if sign[0] == '"':  # a string that goes on further
                return None
            if sign[0] in "]}," and not opened:
                return max(sign.start(), self.place + 1)
            if sign[0] in "[{":
                opened += sign[0]
            elif (opener := _PAIRS.get(sign[0], "")) and opener in opened:
                opened = opened[: opened.rindex(opener)]
                if not opened:
                    return sign.end()
        return None


register(JsonArray())
