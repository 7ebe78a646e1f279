"""The one normalisation of raw text, used by prepare and generate alike.

It removes what a web page, a spreadsheet or a PDF adds to an article, and leaves words
and Chinese punctuation alone. Time is linear in the length of any text. Single
characters are treated like this:

===================================================  ===============================
full-width digits, Latin letters and ``％``          half-width
``．``, and ``：`` ``∶`` ``﹕``, between digits      ``.`` and ``:``
Kangxi radicals, U+2F00 to U+2FD5: ``⽇``            ideographs: ``日``
CJK radicals, U+2E80 to U+2EF3: ``⻓``               ideographs: ``长``
the strokes ``㇐`` and ``㇠``                        ideographs: ``一`` and ``乙``
compatibility ideographs: U+F900, U+2F800 and on     ideographs (NFC)
accents and Hangul letters written apart             composed (NFC)
at most 30 combining marks on one character          stay; the others go
the Latin ligatures U+FB00 to U+FB06: ``ﬁ``          letters: ``fi``
control, zero-width, bidi characters, noncharacters  go
joiners, variants, skin tones, flags of emoji        stay
every run of white space                             one space; none at the ends
===================================================  ===============================

All else stays, on purpose: Chinese punctuation, ``①``, ``Ⅲ``, ``㎡``, ``℃``, ``½`` and
``²``, and ``—`` ``～`` ``－`` ``＋``, which may mean a range, a pause or a sign.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from html.entities import html5

import numpy as np
from numpy.typing import NDArray

# Each round undoes one level of escaping. Feeds that escape twice are common; five
# levels do not happen by accident.
_ROUNDS = 4

_NONCHARACTERS = r"\ufdd0-\ufdef" + "".join(
    rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17)
)
_DROPPED = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters other than spaces
    r"\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft, fillers
    r"\u061c\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f"  # zero width, bidi
    r"\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"  # tags, and variants of the same ideograph
    r"\ud800-\udfff"  # lone surrogates: UTF-8 cannot encode them
) + _NONCHARACTERS
_EMOJI = r"\u2190-\u2bff\U0001f000-\U0001faff"
# A zero-width joiner stays between two emoji, which it joins into one. Tags stay after
# a black flag, which they turn into a regional flag such as England's.
_TAGGED_FLAG = r"\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
_INVISIBLE = re.compile(
    rf"({_TAGGED_FLAG})|[{_DROPPED}]+"
    rf"|(?<![{_EMOJI}\ufe0e\ufe0f])\u200d|\u200d(?![{_EMOJI}])"
)
_WIDE_POINT = re.compile("(?<=[0-9])．(?=[0-9])")
_WIDE_COLON = re.compile("(?<=[0-9])[：∶﹕](?=[0-9])")

# Unicode's EquivalentUnifiedIdeograph.txt for U+2E80 to U+2EF3, "-" if it has none.
# Fonts draw a radical and its ideograph alike, so a PDF may contain either.
_CJK_RADICALS = (
    "-厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑彐忄心扌攵-旡日月歺母民氵氺灬爫爫丬牛"
    "犭王𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑"
    "钅長镸长门𨸏阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟"
)
_IDEOGRAPHS = {
    **{
        code: unicodedata.normalize("NFKC", chr(code)) for code in range(0x2F00, 0x2FD6)
    },
    **{code: to for code, to in enumerate(_CJK_RADICALS, 0x2E80) if to != "-"},
    **{ord("㇐"): "一", ord("㇠"): "乙"},
}
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl"}
_LIGATURES |= {0xFB05: "st", 0xFB06: "st"}
_HALF_WIDTH = {
    ord(wide): chr(ord(wide) - 0xFEE0)
    for first, last in ("０９", "ＡＺ", "ａｚ", "％％")
    for wide in map(chr, range(ord(first), ord(last) + 1))
}
_SIMPLER = {**_HALF_WIDTH, **_IDEOGRAPHS, **_LIGATURES}
_NOT_SIMPLE = re.compile(f"[{''.join(map(chr, _SIMPLER))}]+")

# Every character that a step may change, except markup and white space: dropped ones,
# the keys of _SIMPLER, and those that NFC changes or composes with the one before. To
# keep it short, it has whole blocks that contain such characters.
_RARE = (
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u0300-\u200f\u2028-\u202f"
    r"\u205f-\u206f\u20d0-\u20ff\u2126\u212a-\u212b\u2236\u2329-\u232a\u2adc"
    r"\u2c00-\u2fff\u302a-\u302f\u3099-\u309a\u3164\u31d0\u31e0\ua000-\uabff"
    r"\ud7a4-\udfff\uf900-\uff00\uff05\uff0e\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
    r"\uffa0\uffef-\U0001efff\U0001fb00-\U0001ffff\U0002f800-\U0010ffff"
)
_RARE_CHARACTER = re.compile(f"[{_RARE}]")
# Sorting marks takes quadratic time. No language needs even a tenth of this number on
# one character: Unicode Standard Annex 15, sec. 13, "Stream-Safe Text Format".
_MOST_MARKS = 30
_MANY_RARE = rf"[{_RARE}]{{{_MOST_MARKS + 1},}}"  # compiled only when needed

_ENTITY = re.compile(
    r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});|&nbsp"
)

# A tag ends its name with ">", "/>" or an attribute in ASCII, so that "a<b且c>d" and
# "<https://...>" stay. No part of these patterns crosses the next "<", so all matches
# together read the text at most twice. The count bounds the memory of backtracking.
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
# Scripts before comments: a script may contain "<!--" without an end.
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
_LONG = 1 << 16  # characters; longer texts are checked one by one

# Kinds of characters for ``normalise_all``.
_STAYS, _MAY_CHANGE, _SPACE, _DIGIT, _COLON = range(5)


def code_points(text: str) -> NDArray[np.uint32]:
    """Returns the code point of each character, lone surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def normalise(text: str) -> str:
    """Returns the text in the form that the model reads.

    HTML tags are removed (``<br>``, ``<p>`` and other blocks leave a space), and so is
    the content of scripts, styles and comments; ``a < b`` and ``<3`` stay. Entities are
    decoded, also those escaped twice. The table above covers single characters.

    Every string is accepted. The result can be encoded as UTF-8, and normalising it
    again changes nothing.
    """
    text = _clean(text)
    for _ in range(_ROUNDS):
        if "<" not in text and "&" not in text:
            return text
        # Decoding can produce new tags and entities, and removing a tag can join the
        # parts of an entity, so this repeats until nothing changes.
        plain = _clean(_ENTITY.sub(_decoded, _without_tags(text)))
        if plain == text:
            return text
        text = plain
    # Escaped more deeply than any feed does: remove "<" and "&", so no markup is left.
    return _clean(text.translate(_MARKUP_TO_SPACE))


def normalise_all(texts: Sequence[str]) -> list[str]:
    """Normalises many texts; faster than one by one if most need no change."""
    normalised = list(texts)
    for place in _suspects(texts):
        normalised[place] = normalise(texts[place])
    return normalised


def _suspects(texts: Sequence[str]) -> list[int]:
    """Returns the indices of the texts that normalising may change.

    The texts are joined with spaces, one at each end too. So an extra space anywhere in
    a text follows or precedes another space. Empty texts are returned as well.
    """
    lengths = [len(text) if len(text) <= _LONG else 0 for text in texts]
    short = (text if len(text) <= _LONG else "" for text in texts)
    kinds = _kinds()[code_points(" ".join(["", *short, ""]))]
    found = kinds == _MAY_CHANGE
    spaces = kinds == _SPACE
    found[1:] |= spaces[1:] & spaces[:-1]
    colons = np.flatnonzero(kinds == _COLON)  # common in Chinese prose
    found[colons] = (kinds[colons - 1] == _DIGIT) & (kinds[colons + 1] == _DIGIT)
    ends = np.cumsum(np.array(lengths, int) + 1)  # index of the space after each text
    return [*map(int, np.unique(np.searchsorted(ends, np.flatnonzero(found))))]


@cache
def _kinds() -> NDArray[np.uint8]:
    """Returns the kind of each code point, shape ``(0x110000,)``."""
    everything = np.arange(_CODE_POINTS, dtype="<u4").tobytes()
    text = everything.decode("utf-32-le", "surrogatepass")
    kinds = np.full(_CODE_POINTS, _STAYS, np.uint8)
    for match in re.finditer(f"[{_RARE}]+", text):
        kinds[match.start() : match.end()] = _MAY_CHANGE
    kinds[[match.start() for match in _MARKUP_OR_SPACE.finditer(text)]] = _MAY_CHANGE
    kinds[ord(" ")] = _SPACE
    kinds[ord("0") : ord("9") + 1] = _DIGIT
    kinds[ord("：")] = _COLON
    return kinds


def _clean(text: str) -> str:
    """Normalises everything except markup; cleaning twice equals cleaning once."""
    if _RARE_CHARACTER.search(text):  # most articles have none
        text = _INVISIBLE.sub(r"\1", text)
        text = _NOT_SIMPLE.sub(lambda run: run.group().translate(_SIMPLER), text)
        text = _WIDE_COLON.sub(":", _WIDE_POINT.sub(".", _composed(text)))
    elif "：" in text:
        text = _WIDE_COLON.sub(":", text)
    return " ".join(text.split())


def _composed(text: str) -> str:
    """Composes accents, Hangul letters and compatibility ideographs."""
    text = re.sub(_MANY_RARE, _with_few_marks, text)
    # Again after NFC: a few marks, such as U+0344, decompose into two.
    text = unicodedata.normalize("NFC", text)
    return re.sub(_MANY_RARE, _with_few_marks, text)


def _with_few_marks(run: re.Match[str]) -> str:
    """Drops the marks beyond ``_MOST_MARKS`` on one character."""
    kept, marks = [], 0
    for character in run.group():
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    for opening, closing in _HIDDEN_SPANS:
        text = _without_spans(text, opening, closing)
    return _OTHER_TAG.sub("", _BLOCK_TAG.sub(" ", text))


def _without_spans(
    text: str, opening: re.Pattern[str], closing: re.Pattern[str]
) -> str:
    """Removes each span from opening to closing; an unclosed opening stays."""
    # Not one pattern with ".*?": it would search for a missing closing again from each
    # opening.
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
    """Returns the characters that an entity stands for; an unknown name stays."""
    written = entity.group()
    if written[1] == "#":
        return html.unescape(written)
    return html5.get(written[1:], written)
