"""Runs: what of a text a headline must write whole, or not at all.

A run is one of these, as long as it can be:

- a number with its point, sign, currency, unit or magnitude: ``12.95万亿``, ``-3℃``,
  ``1,000``, ``¥100``, ``10²``; a time, score, version, date, fraction or phone number:
  ``13:33``, ``3-2``, ``v2.0.1``, ``2023-05-01``, ``9·18``, ``1/3``, ``138 0013 8000``;
- a code, of letters (Latin, Greek, Cyrillic) and digits in any order, with what joins
  them: ``C919``, ``5G-A``, ``COVID-19``, ``300km/h``, ``AT&T``, ``O'Neill``, ``C++``;
- a range: ``0.41%～0.47%``, ``5-10``, ``2025年—2027``, ``1至11``, ``30℃到32℃``. With
  至 or 到 two days, times or percentages are two runs: "5月1日至3日举行" may be told as
  "5月1日开幕", and "增长2%至5亿元" is no range. Nor is a list (``1、2``), nor what a
  double dash parts (``5——7``);
- an emoji with its joiners, skin tone and variant, a flag, or a symbol such as ``①``.

The text is normalised. One character behind a joint decides whether it is one, so a
search can follow runs character by character: see ``followed``.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# The kind of each character, as one of ASCII: patterns over kinds are short, and take a
# millisecond to compile instead of thirty. Digits are their own kinds.
_KIND_OF = {
    **dict.fromkeys("CF", "C"),  # C# and F# are languages
    **dict.fromkeys("°′″²³¹⁰", "i"),  # more of a number or a code may follow
    **dict.fromkeys("%‰‱℉", "u"),  # units, which end a number
    "℃": "c",
    **dict.fromkeys("\ufe0f\u20e3", "k"),  # they make a keycap of a digit
    **dict.fromkeys("百千万亿萬億", "w"),  # 5万 is not 5亿
    **dict.fromkeys("年月天岁元级米吨人度", "y"),  # in ranges: 5月至7月, 5月—7月
    **dict.fromkeys("日号时点", "r"),  # in those with a dash: 5日—7日
    **dict.fromkeys("至到", "t"),
    **dict.fromkeys("－−﹣", "n"),  # a sign or a dash, as the hyphen is
    **dict.fromkeys("‐‑–—―~～∼〜", "~"),
    **dict.fromkeys("+＋﹢", "+"),
    **dict.fromkeys("$¥￥€£₩₽₹", "$"),
    **dict.fromkeys(".．/／_＿&＆@＠·•・∙⋅", "."),  # within codes
    **dict.fromkeys(",:：∶﹕×", ","),  # within numbers
    **dict.fromkeys("'’", "'"),
    **dict.fromkeys("\u203c\u2049©®™ℹ〰〽㊗㊙", "e"),
    **{"-": "-", "±": "p", "*": "*", "#": "#", " ": " ", "\u200d": "z", "\ufe0e": "m"},
}
_RANGES = {
    # Latin, Greek and Cyrillic, accents that compose with nothing, Roman numerals.
    "a": "AZ az ªª µµ ºº ÀÖ Øö øʯ \u0300\u036f Ͱͷ ͺͽ ͿͿ ΆΆ ΈϿ Ѐԯ Ḁ\u1fff Ⅰↈ",
    "2": "¼¾ ⅐⅞",  # fractions count as digits
    "i": "ⁱₜ",
    "u": "㎀㏟",
    # Not U+2200 to U+22FF, the signs of mathematics.
    "e": "\u2190\u21ff \u2300\u2bff \U0001f000\U0001f1e5 \U0001f200\U0001f3fa "
    "\U0001f400\U0001faff",
    "f": "\U0001f1e6\U0001f1ff",  # the two letters of a flag
    "m": "\U0001f3fb\U0001f3ff \U000e0020\U000e007f",  # skin tones, tags
}


class _Kinds(dict[int, str]):
    """The kind of each code point; ``o`` of one that is in no run."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kinds = (
            kind
            for kind, ranges in _RANGES.items()
            if any(pair[0] <= character <= pair[1] for pair in ranges.split())
        )
        self[code] = _KIND_OF.get(character) or next(kinds, "o")
        return self[code]


_KINDS = _Kinds({code: chr(code) for code in range(ord("0"), ord("9") + 1)})

# All quantifiers are possessive (*+): nothing here can be matched in two ways, and to
# remember where it could would take memory for each of a million letters in a row.
_PREFIX = r"(?:[-n+p]\$?+|\$[-n+p]?+)(?=[0-9])"
_PART = (
    r"[0-9aC](?:[0-9aCi]|(?<=[aC])\+\+)*+"
    r"(?:(?<=[0-9i])(?:w++[0-9][0-9aCi]*+)*+w*+[uck]*+|(?<=(?<![0-9aC])C)\#)?+"
)
# Only behind what begins a phone number a space joins digits.
_PHONE = r"(?:1[3-9][0-9]|0[0-9]{2,3}|[48]00|(?<=\+)86)(?: [0-9]++)++"
_JOINT = "|".join(
    (
        rf"(?:--|[-n~])(?=[-n+p$]{{0,2}}[0-9]|[aC])(?:{_PREFIX})?+",
        r"[+p](?=[0-9aC])",
        r"(?<=[0-9aCi])\.(?=[0-9aC])",
        r"(?<=[aC])'(?=[aC])",
        r"(?<=[0-9iuck])[,*](?=[0-9])",
        r"(?<=[aC])\$(?=[0-9])",
        rf"(?<=[0-9wc])t(?=[-n+p]?[0-9])(?:{_PREFIX})?+",
    )
)
# Of 9月15日—10月8日 the run is 15日—10月8.
_MEASURED = (
    rf"(?<=[0-9w])(?:yt|[yr](?:--|[-n~]))(?=[0-9]){_PART}"
    rf"(?:(?<=[0-9w])[yr](?=[0-9]){_PART})*+"
)
_WRITTEN = (
    rf"(?:(?<![0-9aC]){_PREFIX})?+(?:{_PHONE}|{_PART})"
    rf"(?:(?:{_JOINT}){_PART}|{_MEASURED})*+"
)
_EMOJI = r"(?:e|f{1,2}+)(?:[kmz]|(?<=z)e)*+|[#*](?=k)k++|[kmz]++"

# What a run, or what may become one, begins with. Other characters are skipped first,
# which takes less time than to look for a run at each of them.
_BEGINS = "-0-9aCefkmnpz+$#*"
_RUN = re.compile(rf"[^{_BEGINS}]*+(?:({_WRITTEN}|{_EMOJI})|[{_BEGINS}]?+)")
_START = re.compile(f"[{_BEGINS}]")
_DIGIT, _LETTER = re.compile("[0-9]"), re.compile("[aC]")
# What joins a run if a certain character comes next, or a little more than that.
_UNDECIDED = re.compile(r"(?:(?<=[0-9w])[yr])?+[-n~+p$.,*' #t]{0,4}+")
_BEGINNING = re.compile(r"(?:[-n+p]\$?|\$[-n+p]?|[#*])\Z")
_IN_EMOJI = frozenset("efkmz")


def runs(text: str) -> list[str]:
    """Returns every run of a normalised text, in its order, repeated ones too."""
    return [text[begin:end] for begin, end in spans(text)]


def numbers_and_words(text: str) -> tuple[list[str], list[str]]:
    """Returns the runs that hold a digit, codes included, and those of letters only."""
    kinds = text.translate(_KINDS)
    numbers, words = [], []
    for begin, end in _spans(kinds):
        if _DIGIT.search(kinds, begin, end):
            numbers.append(text[begin:end])
        elif _LETTER.search(kinds, begin, end):
            words.append(text[begin:end])
    return numbers, words


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yields where each run of ``runs`` begins and ends."""
    return _spans(text.translate(_KINDS))


def _spans(kinds: str) -> Iterator[tuple[int, int]]:
    return (found.span(1) for found in _RUN.finditer(kinds) if found.lastindex)


def starts_run(text: str) -> bool:
    """Tells whether a run, or what may become one, begins anywhere in the text."""
    return _START.search(text.translate(_KINDS)) is not None


class Followed(NamedTuple):
    """How far the runs of a text are sure, whatever comes next."""

    ended: tuple[str, ...]  # the runs that stay as they are
    rest: str  # behind them: the run that may go on, or a sign, or ""
    run: str  # of the rest, if the text ends here


@lru_cache(maxsize=1 << 12)  # headlines begin the same few numbers again and again
def followed(text: str) -> Followed:
    """Parts the runs of a text that are sure from the one that may still go on.

    That is the last one, with what would join it to a digit or letter that comes next:
    ``12.``, or ``5月`` because of ``5月—7月``.
    """
    kinds = text.translate(_KINDS)
    found = [*_spans(kinds)]
    texts = tuple(text[begin:end] for begin, end in found)
    begin, end = found[-1] if found else (0, 0)
    if found and _UNDECIDED.fullmatch(kinds, end):
        return Followed(texts[:-1], text[begin:], texts[-1])
    sign = _BEGINNING.search(kinds, end)
    return Followed(texts, text[sign.start() :] if sign else "", "")


def cut(text: str, length: int) -> str:
    """Returns the first characters of a text; no emoji is cut in two."""
    if text[length : length + 1].translate(_KINDS) in _IN_EMOJI:
        for begin, end in spans(text):
            if begin >= length:
                break
            if begin and end > length:
                return text[:begin]
    return text[:length]
