"""Segmentation of Chinese text with jieba, by its own dictionary or by a vocab."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

# The frequency of the r-th most frequent word is proportional to 1 / (r + 2.7):
# Mandelbrot 1953, "An informational theory of the statistical structure of language".
_BEFORE_FIRST = 2.7
# So large that each word of a vocab counts more than an unknown character, with 1.
_MOST = 1e9


def cut_by_jieba(text: str) -> Sequence[str]:
    """Cuts a text with jieba's dictionary, which takes a second to load."""
    jieba = _jieba()
    if not jieba.dt.initialized:
        import logging

        jieba.setLogLevel(logging.WARNING)
    words: Sequence[str] = jieba.lcut(text)
    return words


class Cutter:
    """Cuts texts into the likeliest sequence of words of a given dictionary.

    Args:
        words: sorted by falling frequency; Zipf's law gives their frequencies.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._jieba = _jieba().Tokenizer()
        self._jieba.FREQ = _frequencies(words)
        self._jieba.total = 1 + sum(self._jieba.FREQ.values())  # its logarithm is taken
        self._jieba.initialized = True  # without a dictionary from a file

    def __reduce__(self) -> Any:
        return Cutter, (self._words,)  # a lock of jieba's cannot be pickled

    def cut(self, text: str) -> Sequence[str]:
        """Returns the words; other text as single characters or a run of Latin."""
        words: Sequence[str] = self._jieba.lcut(text, HMM=False)
        return words


def _frequencies(words: Sequence[str]) -> dict[str, float]:
    """Returns the frequency of each word, and 0 for prefixes that are not words."""
    found: dict[str, float] = {}
    for place, word in enumerate(words, 1):
        found[word] = _MOST / (place + _BEFORE_FIRST)
        for length in range(1, len(word)):
            found.setdefault(word[:length], 0.0)
    return found


@cache
def _jieba() -> Any:
    with _without("pkg_resources"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in its patterns
        import jieba
    return jieba


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Hides a module, as if it were not installed.

    jieba opens its files with pkg_resources if it is installed, otherwise with
    ``open``. pkg_resources prints a deprecation warning and takes three times as long
    to load as jieba.
    """
    modules: dict[str, Any] = sys.modules
    kept = modules.get(name)
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]
        if kept is not None:
            modules[name] = kept
