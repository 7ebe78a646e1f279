"""Words of Chinese text, cut by jieba: by its dictionary, or by that of a vocab."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

# Of the r-th most frequent word about 1 / (r + 2.7) are there: Mandelbrot 1953, "An
# informational theory of the statistical structure of language".
_BEFORE_FIRST = 2.7
# So that each word of a vocab counts more than an unknown character, which has 1.
_MOST = 1e9


def cut_by_jieba(text: str) -> Sequence[str]:
    """Cuts a text by jieba's dictionary, which takes a second to load."""
    jieba = _jieba()
    if not jieba.dt.initialized:
        import logging

        jieba.setLogLevel(logging.WARNING)
    words: Sequence[str] = jieba.lcut(text)
    return words


class Cutter:
    """Cuts texts by a dictionary of its own, so that their words are likeliest.

    Args:
        words: by falling frequency; their frequencies follow Zipf's law.
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
        """Returns the words; what is none comes as characters, or as a run of Latin."""
        words: Sequence[str] = self._jieba.lcut(text, HMM=False)
        return words


def _frequencies(words: Sequence[str]) -> dict[str, float]:
    """Returns how often each word is, and 0 for what only begins one."""
    found: dict[str, float] = {}
    for place, word in enumerate(words, 1):
        found[word] = _MOST / (place + _BEFORE_FIRST)
        for length in range(1, len(word)):
            found.setdefault(word[:length], 0.0)
    return found


@cache
def _jieba() -> Any:
    with _without("pkg_resources"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes in its patterns
        import jieba
    return jieba


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Makes a module seem not to be installed.

    jieba opens its files with pkg_resources if there is one, which warns of itself and
    takes three times as long to load as jieba, and with ``open`` if there is none.
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
