"""Words of a Chinese text with their part-of-speech tags, by jieba's dictionary.

jieba takes a second to load its dictionary. Here the file is searched where it lies, so
the first headline is tagged in about a millisecond and others sooner. Words and tags
are those of ``jieba.posseg.lcut(text, HMM=False)``: statistics of characters, which
find words that the dictionary lacks, often take other text for a name.
"""

import re
from functools import cache, lru_cache
from importlib.util import find_spec
from math import log
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

# The sum of all frequencies in the dictionary of jieba 0.42.
_TOTAL = log(60_101_967)
_LONGEST = 16  # characters of a word
_HAN = re.compile("[一-鿕]+")  # what jieba cuts together
_FIRST = "\n一 ".encode()  # the line from which on the dictionary is sorted
_MANY = 512  # bytes that more lines than _NEAR take
_NEAR = 4  # lines: 吉林 comes after 吉林大学 and two others


class Word(NamedTuple):
    """A word in a text; ``begin`` and ``end`` count code points."""

    text: str
    begin: int
    end: int
    tag: str  # nr: a person, ns: a place, nt: an organisation; x: an unknown character


class _Entry(NamedTuple):
    """What the dictionary knows about a string."""

    log_frequency: float | None  # None: it is not a word
    tag: str
    is_prefix: bool  # whether longer words may begin with it


def tagged(text: str, known: str = "") -> list[Word]:
    """Returns the likeliest words of the Chinese parts of a text, in order.

    Args:
        known: parts that stand in this text are left out, which saves their time.
    """
    words: list[Word] = []
    for part in _HAN.finditer(text):
        if part[0] in known:
            continue
        at = part.start()
        for word in _cut(part[0]):
            words.append(Word(word, at, at + len(word), _entry(word).tag))
            at += len(word)
    return words


def _cut(text: str) -> list[str]:
    """Cuts a text into the words with the greatest product of frequencies."""
    best: list[tuple[float, int]] = [(0.0, 0)] * (len(text) + 1)
    for begin in range(len(text) - 1, -1, -1):
        best[begin] = max(
            (frequency - _TOTAL + best[end][0], end)
            for end, frequency in _words_at(text, begin)
        )
    words, begin = [], 0
    while begin < len(text):
        end = best[begin][1]
        words.append(text[begin:end])
        begin = end
    return words


def _words_at(text: str, begin: int) -> list[tuple[int, float]]:
    """Returns the ends and log-frequencies of the words that begin at a place."""
    found = []
    for end in range(begin + 1, min(len(text), begin + _LONGEST) + 1):
        entry = _entry(text[begin:end])
        if entry.log_frequency is not None:
            found.append((end, entry.log_frequency))
        if not entry.is_prefix:
            break
    return found or [(begin + 1, 0.0)]


# --- the dictionary -------------------------------------------------------------------


@lru_cache(maxsize=1 << 16)  # headlines share most of their words
def _entry(word: str) -> _Entry:
    """Looks a string up, by binary search in the file."""
    data, wanted = _dictionary(), word.encode()
    low, high = data.find(_FIRST, 0) + 1, len(data)
    while low < high:
        begin = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
        if data[begin : data.find(b" ", begin)] < wanted:
            low = data.find(b"\n", begin) + 1 or high
        else:
            high = begin
    return _entry_at(low, wanted)


def _entry_at(place: int, wanted: bytes) -> _Entry:
    """Looks for a string in the lines that begin at a place."""
    data = _dictionary()
    lines = [line.split() for line in data[place : place + _MANY].split(b"\n")[:_NEAR]]
    lines = [line for line in lines if line]
    is_prefix = any(word != wanted and word.startswith(wanted) for word, *_ in lines)
    for word, frequency, tag in lines:
        if word == wanted:
            return _Entry(log(int(frequency)), tag.decode(), is_prefix)
    return _Entry(None, "x", is_prefix)


@cache
def _dictionary() -> mmap:
    """Opens jieba's dictionary: on each line a word, its frequency and its tag."""
    # Importing jieba would take longer than all of the search for a headline.
    spec = find_spec("jieba")
    assert spec is not None
    assert spec.origin is not None
    with (Path(spec.origin).parent / "dict.txt").open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)
