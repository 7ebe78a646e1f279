"""Runs: parts of a text that a headline must write completely, or not at all.

A run is one of these, of the greatest possible length:

- a number with its point, sign, currency, unit or magnitude: ``12.95万亿``, ``-3℃``,
  ``1,000``, ``¥100``, ``10²``; a time, score, version, date, fraction or phone number:
  ``13:33``, ``3-2``, ``v2.0.1``, ``2023-05-01``, ``9·18``, ``1/3``, ``138 0013 8000``;
- a code of letters (Latin, Greek, Cyrillic) and digits in any order, and the signs that
  join them: ``C919``, ``5G-A``, ``COVID-19``, ``300km/h``, ``AT&T``, ``O'Neill``,
  ``C++``;
- a range: ``0.41%～0.47%``, ``5-10``, ``2025年—2027``, ``1至11``, ``30℃到32℃``. Two
  days, times or percentages joined by 至 or 到 are two runs: a headline may shorten
  "5月1日至3日举行" to "5月1日开幕", and "增长2%至5亿元" is not a range. A list
  (``1、2``) is not a range either, nor are numbers with a double dash between them
  (``5——7``);
- an emoji with its joiners, skin tone and variant, a flag, or a symbol such as ``①``.

The text must be normalised. One character after a joint decides whether it joins, so
the search can follow runs character by character: see ``followed``.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

# The kind of each character, an ASCII character: patterns over kinds are short and
# compile in 1 ms instead of 30. Digits are their own kinds.
_KIND_OF = {
    **dict.fromkeys("CF", "C"),  # C# and F# are languages
    **dict.fromkeys("°′″²³¹⁰", "i"),  # a number or code may go on after them
    **dict.fromkeys("%‰‱℉", "u"),  # units, which end a number
    "℃": "c",
    **dict.fromkeys("\ufe0f\u20e3", "k"),  # turn a digit into a keycap emoji
    **dict.fromkeys("百千万亿萬億", "w"),  # 5万 is not 5亿
    **dict.fromkeys("年月天岁元级米吨人度", "y"),  # in ranges: 5月至7月, 5月—7月
    **dict.fromkeys("日号时点", "r"),  # in ranges with a dash: 5日—7日
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
    # Latin, Greek and Cyrillic; accents without a composed form; Roman numerals.
    "a": "AZ az ªª µµ ºº ÀÖ Øö øʯ \u0300\u036f Ͱͷ ͺͽ ͿͿ ΆΆ ΈϿ Ѐԯ Ḁ\u1fff Ⅰↈ",
    "2": "¼¾ ⅐⅞",  # fractions count as digits
    "i": "ⁱₜ",
    "u": "㎀㏟",
    # Not U+2200 to U+22FF, the mathematical operators.
    "e": "\u2190\u21ff \u2300\u2bff \U0001f000\U0001f1e5 \U0001f200\U0001f3fa "
    "\U0001f400\U0001faff",
    "f": "\U0001f1e6\U0001f1ff",  # the two letters of a flag
    "m": "\U0001f3fb\U0001f3ff \U000e0020\U000e007f",  # skin tones, tags
}


class _Kinds(dict[int, str]):
    """The kind of each code point; ``o`` if it is never part of a run."""

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

# All quantifiers are possessive (*+): nothing here matches in two ways, and
# backtracking would need memory for each of a million letters in a row.
_PREFIX = r"(?:[-n+p]\$?+|\$[-n+p]?+)(?=[0-9])"
_PART = (
    r"[0-9aC](?:[0-9aCi]|(?<=[aC])\+\+)*+"
    r"(?:(?<=[0-9i])(?:w++[0-9][0-9aCi]*+)*+w*+[uck]*+|(?<=(?<![0-9aC])C)\#)?+"
)
# A space joins digits only after the beginning of a phone number.
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
# In 9月15日—10月8日 the run is 15日—10月8.
_MEASURED = (
    rf"(?<=[0-9w])(?:yt|[yr](?:--|[-n~]))(?=[0-9]){_PART}"
    rf"(?:(?<=[0-9w])[yr](?=[0-9]){_PART})*+"
)
_WRITTEN = (
    rf"(?:(?<![0-9aC]){_PREFIX})?+(?:{_PHONE}|{_PART})"
    rf"(?:(?:{_JOINT}){_PART}|{_MEASURED})*+"
)
_EMOJI = r"(?:e|f{1,2}+)(?:[kmz]|(?<=z)e)*+|[#*](?=k)k++|[kmz]++"

# The kinds that begin a run, or a sign that may become one. Other characters are
# skipped first, which is faster than trying to match a run at each of them.
_BEGINS = "-0-9aCefkmnpz+$#*"
_RUN = re.compile(rf"[^{_BEGINS}]*+(?:({_WRITTEN}|{_EMOJI})|[{_BEGINS}]?+)")
_START = re.compile(f"[{_BEGINS}]")
_DIGIT, _LETTER = re.compile("[0-9]"), re.compile("[aC]")
# Ends that join a run if a certain character comes next; it may match slightly more.
_UNDECIDED = re.compile(r"(?:(?<=[0-9w])[yr])?+[-n~+p$.,*' #t]{0,4}+")
_BEGINNING = re.compile(r"(?:[-n+p]\$?|\$[-n+p]?|[#*])\Z")
_IN_EMOJI = frozenset("efkmz")


def runs(text: str) -> list[str]:
    """Returns all runs of a normalised text in order, with repetitions."""
    return [text[begin:end] for begin, end in spans(text)]


def numbers_and_words(text: str) -> tuple[list[str], list[str]]:
    """Returns the runs with a digit, codes included, and the runs of letters only."""
    found = [(run, kind_of(run)) for run in runs(text)]
    numbers = [run for run, kind in found if kind == "number"]
    return numbers, [run for run, kind in found if kind == "latin"]


def kind_of(run: str) -> Literal["number", "latin", "symbol"]:
    """Returns what a run is: with a digit, of letters only, or with neither."""
    kinds = run.translate(_KINDS)
    if _DIGIT.search(kinds):
        return "number"
    return "latin" if _LETTER.search(kinds) else "symbol"


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Yields begin and end of each run of ``runs``."""
    return _spans(text.translate(_KINDS))


def _spans(kinds: str) -> Iterator[tuple[int, int]]:
    return (found.span(1) for found in _RUN.finditer(kinds) if found.lastindex)


def starts_run(text: str) -> bool:
    """Tells whether a run, or a sign that may become one, begins in the text."""
    return _START.search(text.translate(_KINDS)) is not None


class Followed(NamedTuple):
    """The runs of a text, split into those that are final and one that may go on."""

    ended: tuple[str, ...]  # the final runs
    rest: str  # the text after those: an open run, a sign, or ""
    run: str  # the run in ``rest``, if the text ends here


@lru_cache(maxsize=1 << 12)  # headlines repeat the same few beginnings
def followed(text: str) -> Followed:
    """Separates the final runs of a text from the one that may still go on.

    Only the last run may go on. It includes a sign that would join it to a following
    digit or letter: ``12.``, or ``5月`` because of ``5月—7月``.
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
    """Returns at most ``length`` first characters of a text; keeps emoji whole."""
    if text[length : length + 1].translate(_KINDS) in _IN_EMOJI:
        for begin, end in spans(text):
            if begin >= length:
                break
            if begin and end > length:
                return text[:begin]
    return text[:length]
