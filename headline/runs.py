"""Numbers and Latin words: the runs of a text that a headline must not invent.

A run is a number with its decimal point and its sign or magnitude (``12.95万亿``,
``3.5%``, ``10:30``), or a word of Latin letters (``WTO``). ``C919`` is two runs.
"""

import re

# Case counts, and so does the magnitude: 5万 is not 5亿. Letters from À on: accents.
_LETTER = "A-Za-zÀ-ÖØ-öø-ɏ"
_NUMBER = r"[0-9]+(?:[.,:][0-9]+)*(?:[%‰℃℉°]|[百千万亿]+)?"
_RUN = re.compile(rf"(?P<number>{_NUMBER})|(?P<latin>[{_LETTER}]+)")
_START = re.compile(rf"[0-9{_LETTER}]")


def runs(text: str) -> list[str]:
    """Returns every run of a normalised text, in its order, repeated ones too."""
    return [match.group() for match in _RUN.finditer(text)]


def numbers(text: str) -> list[str]:
    """Returns the runs that begin with a digit."""
    return [match.group() for match in _RUN.finditer(text) if match["number"]]


def latin_words(text: str) -> list[str]:
    """Returns the runs of Latin letters."""
    return [match.group() for match in _RUN.finditer(text) if match["latin"]]


def spans(text: str) -> list[tuple[int, int]]:
    """Returns where each run of ``runs`` begins and ends."""
    return [match.span() for match in _RUN.finditer(text)]


def starts_run(text: str) -> bool:
    """Tells whether a run begins anywhere in the text."""
    return _START.search(text) is not None
