"""The one normalisation of raw text, used by prepare and generate alike.

It removes what a web page or a spreadsheet adds to an article (HTML, invisible
characters, full-width letters, odd spaces) and leaves the words and the Chinese
punctuation alone. Time grows linearly with the text, whatever the text holds.
"""

import html
import re
from collections.abc import Sequence
from functools import cache
from html.entities import html5

import numpy as np
from numpy.typing import NDArray

# Each round undoes one level of escaping; feeds that escape twice are common, five
# times is no accident.
_ROUNDS = 4

_NONCHARACTERS = r"\ufdd0-\ufdef" + "".join(
    rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17)
)
_DROPPED = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters that are no spaces
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft, fillers
    r"\u061c\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"  # zero width, bidi
    r"\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"  # tags, and variants of the same ideograph
    r"\ud800-\udfff"  # lone surrogates: no UTF-8 can hold them
) + _NONCHARACTERS
_EMOJI = r"\u2190-\u2bff\U0001f000-\U0001faff"
# A zero-width joiner stays between two emoji, where it makes one picture of them.
_INVISIBLE = re.compile(
    rf"[{_DROPPED}]+|(?<![{_EMOJI}\ufe0f])\u200d|\u200d(?![{_EMOJI}])"
)
_FULL_WIDTH = re.compile("[０-９Ａ-Ｚａ-ｚ％]+")
_HALF_WIDTH = {
    ord(wide): ord(wide) - 0xFEE0
    for first, last in ("０９", "ＡＺ", "ａｚ", "％％")
    for wide in map(chr, range(ord(first), ord(last) + 1))
}
_WIDE_POINT = re.compile("(?<=[0-9])．(?=[0-9])")
_UNUSUAL = re.compile(rf"[{_DROPPED}\u200d．０-９Ａ-Ｚａ-ｚ％]")

_ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});|&nbsp"
)

# A tag ends its name with ">", "/>" or an attribute in ASCII, so that "a<b且c>d" and
# "<https://...>" stay. No part of these patterns runs over the next "<": from all of
# the starts together the text is read twice at most. The count bounds the memory
# that backtracking takes.
_NAME_ENDS = r"(?=/?>| +(?:[a-zA-Z_:@\"'/>]))"
_TAG_ENDS = r"""(?:(?:[^<>"']|"[^"<]*"|'[^'<]*'){0,4096}>|[^<>]*>)"""
_BLOCK_TAG = re.compile(
    r"</?(?:address|article|aside|blockquote|body|br|center|dd|div|dl|dt|figcaption"
    r"|figure|footer|form|h[1-6]|head|header|hr|html|li|main|nav|ol|option|p|pre"
    r"|section|table|tbody|td|tfoot|th|thead|title|tr|ul)" + _NAME_ENDS + _TAG_ENDS,
    re.IGNORECASE,
)
_OTHER_TAG = re.compile(
    rf"</?[a-zA-Z][a-zA-Z0-9:_-]{{0,40}}{_NAME_ENDS}{_TAG_ENDS}"
    r"|<!doctype[^<>]*>|<\?xml[^<>]*>",
    re.IGNORECASE,
)
# Scripts before comments: a script may hold "<!--" without an end.
_HIDDEN_SPANS = [
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        (r"<script(?=[ />])[^<>]*>", r"</script *>"),
        (r"<style(?=[ />])[^<>]*>", r"</style *>"),
        (r"<!--", r"-->"),
    )
]
_MARKUP_TO_SPACE = str.maketrans("<&", "  ")

_MARKUP_OR_SPACE = re.compile(r"[<&\s]")

_CODE_POINTS = 0x110000
_SPACE = ord(" ")
_LONG = 1 << 16  # characters; longer texts are not looked at together with others


def code_points(text: str) -> NDArray[np.uint32]:
    """Returns the code point of each character; lone surrogates count as they are."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def normalise(text: str) -> str:
    """Returns the text in the one form that the model sees.

    HTML tags go (``<br>``, ``<p>`` and other blocks leave a space), with the content
    of scripts, styles and comments; ``a < b`` and ``<3`` stay. Entities are decoded,
    also those escaped twice. Full-width digits, Latin letters and ``％`` become
    half-width, and so does ``．`` between digits; other punctuation stays as it is.
    Control, zero-width and bidi characters, lone surrogates and noncharacters go
    (but for the joiner inside an emoji). Every run of white space becomes one space,
    with none at the ends.

    Any string will do. The result can be encoded as UTF-8, and normalising it again
    changes nothing.
    """
    text = _clean(text)
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            return text
        # Decoding can write new tags and entities, and dropping a tag can join an
        # entity, so only a text that no step changes any more is done.
        plain = _clean(_ENTITY.sub(_decoded, _without_tags(text)))
        if plain == text:
            return text
        text = plain
    # Escaped deeper than any feed does: without these two no markup can be left.
    return _clean(text.translate(_MARKUP_TO_SPACE))


def normalise_all(texts: Sequence[str]) -> list[str]:
    """Normalises many texts, of which most need nothing, in less time."""
    normalised = list(texts)
    for place in _suspects(texts):
        normalised[place] = normalise(texts[place])
    return normalised


def _suspects(texts: Sequence[str]) -> list[int]:
    """Returns the places of the texts that normalising may change.

    Each text stands between two spaces, so that a space too many, wherever it is, has
    another one before it. An empty text looks like one, too.
    """
    lengths = [len(text) if len(text) <= _LONG else 0 for text in texts]
    short = (text if len(text) <= _LONG else "" for text in texts)
    codes = code_points(" ".join(["", *short, ""]))
    found = _changes()[codes]
    spaces = codes == _SPACE
    found[1:] |= spaces[1:] & spaces[:-1]
    ends = np.cumsum(np.array(lengths, int) + 1)  # the place of the space behind each
    return [*map(int, np.unique(np.searchsorted(ends, np.flatnonzero(found))))]


@cache
def _changes() -> NDArray[np.bool_]:
    """Tells of each code point whether normalising may change a text that has it."""
    everything = np.arange(_CODE_POINTS, dtype="<u4").tobytes()
    text = everything.decode("utf-32-le", "surrogatepass")
    changes = np.zeros(_CODE_POINTS, bool)
    for pattern in (_UNUSUAL, _MARKUP_OR_SPACE):
        changes[[match.start() for match in pattern.finditer(text)]] = True
    changes[_SPACE] = False
    return changes


def _clean(text: str) -> str:
    """Does all but the markup; cleaning twice is the same as cleaning once."""
    if _UNUSUAL.search(text):  # most articles hold nothing of the kind
        text = _INVISIBLE.sub("", text)
        text = _FULL_WIDTH.sub(lambda run: run.group().translate(_HALF_WIDTH), text)
        text = _WIDE_POINT.sub(".", text)
    return " ".join(text.split())


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    for opening, closing in _HIDDEN_SPANS:
        text = _without_spans(text, opening, closing)
    return _OTHER_TAG.sub("", _BLOCK_TAG.sub(" ", text))


def _without_spans(
    text: str, opening: re.Pattern[str], closing: re.Pattern[str]
) -> str:
    """Drops what stands from each opening to its closing; an unclosed one stays."""
    # Not one pattern with ".*?": it would look for the closing that is not there
    # anew from each opening.
    pieces = []
    start = 0
    while opened := opening.search(text, start):
        closed = closing.search(text, opened.end())
        if closed is None:
            break
        pieces.append(text[start : opened.start()])
        start = closed.end()
    pieces.append(text[start:])
    return "".join(pieces)


def _decoded(entity: re.Match[str]) -> str:
    """Returns what an entity stands for; an unknown name stays as it is."""
    written = entity.group()
    if written[1] == "#":
        return html.unescape(written)
    return html5.get(written[1:], written)
