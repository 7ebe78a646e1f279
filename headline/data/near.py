"""Near-duplicates: articles of which only a few characters differ.

Articles are compared by their sets of character n-grams. One-permutation MinHash (Li,
Owen, Zhang 2012, "One Permutation Hashing") divides the hashes of an article's n-grams
into bins and keeps the smallest one of each; two articles agree in as large a share of
their bins as their sets overlap (Jaccard). One byte of each hash is kept (b-bit minwise
hashing: Li, König 2010). Bands of coarser bins find candidates without comparing all
articles (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", sec. 3.4).

Everything is computed for a block of articles at once; datasketch and rensa take the
n-grams of each article as Python objects, which took 60 and 6 times as long.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.text.normalise import code_points

GRAM = 3  # characters
BINS = 128  # bytes of a signature
_BIN_BITS = 7
BANDS, ROWS = 8, 4  # each band combines so many coarse bins
_COARSE = BANDS * ROWS
EMPTY = 0  # in a signature: no n-gram is in the bin

# Jaccard of the sets from which articles count as almost the same. One changed
# character in 80 leaves 0.93. Monthly figures in the same words reach 0.8.
ALIKE = 0.85
# If the headlines are the same, too.
ALIKE_WITH_HEADLINE = 0.75

Hashes = NDArray[np.uint32]
Signatures = NDArray[np.uint8]  # (articles, BINS)
Bands = NDArray[np.uint64]  # (articles, BANDS)

_NONE = np.uint32(0xFFFFFFFF)
PART = 1 << 18  # keys that are sorted at a time


def signatures(articles: Sequence[str]) -> tuple[Signatures, Bands]:
    """Returns the signatures of articles and their keys in each band.

    Articles with equal keys in a band are candidates; a key of 0 has none.
    """
    smallest = np.full(len(articles) * BINS, _NONE, np.uint32)
    codes = code_points("".join(articles))
    if len(codes) >= GRAM:
        lengths = np.array([*map(len, articles)], np.int64)
        hashes = _gram_hashes(codes)
        ends = np.cumsum(lengths)
        for distance in range(1, GRAM):  # n-grams across the end of an article
            across = ends[:-1] - distance
            hashes[across[(across >= 0) & (across < len(hashes))]] = _NONE
        rows = np.repeat(np.arange(len(articles), dtype=np.int32), lengths)
        bins = (hashes >> np.uint32(32 - _BIN_BITS)).view(np.int32)
        np.minimum.at(smallest, (rows[: len(hashes)] << _BIN_BITS) | bins, hashes)
    of_bins = smallest.reshape(len(articles), BINS)
    marks = np.maximum(of_bins.astype(np.uint8), EMPTY + 1)
    marks[of_bins == _NONE] = EMPTY
    fine = BINS // _COARSE  # the coarse bin i has the bins i, i + _COARSE and so on
    coarse = reduce(np.minimum, np.split(of_bins, fine, axis=1))
    return marks, _bands(coarse)


def _gram_hashes(codes: NDArray[np.uint32]) -> Hashes:
    """Returns a hash of each n-gram, mixed as in Wellons's lowbias32."""
    hashes = codes[:-2] * np.uint32(0x9E3779B1)
    hashes += codes[1:-1] * np.uint32(0x85EBCA77)
    hashes += codes[2:] * np.uint32(0xC2B2AE3D)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        hashes ^= hashes >> np.uint32(shift)
        hashes *= np.uint32(factor)
    hashes ^= hashes >> np.uint32(16)
    return hashes


def _bands(coarse: Hashes) -> Bands:
    """Returns a key for each band; an empty bin borrows from the next one that is not.

    Borrowing: Shrivastava, Li 2014, "Densifying One Permutation Hashing".
    """
    empty = coarse == _NONE
    is_blank = empty.all(axis=1)
    some = empty.any(axis=1) & ~is_blank
    coarse[some] = _filled(coarse[some])
    keys = np.zeros((len(coarse), BANDS), np.uint64)
    for row in range(ROWS):
        keys *= np.uint64(0x9E3779B97F4A7C15)
        keys += coarse[:, row::ROWS]
        keys ^= keys >> np.uint64(29)
    keys[keys == 0] = 1
    keys[is_blank] = 0
    return keys


def _filled(coarse: Hashes) -> Hashes:
    while (empty := coarse == _NONE).any():
        borrowed = np.roll(coarse, -1, axis=1)
        mixed = np.where(borrowed == _NONE, _NONE, borrowed * np.uint32(0x632BE5AB))
        coarse = np.where(empty, mixed, coarse)
    return coarse


def equal_keys(
    keys: NDArray[np.uint64], part: int = PART
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields neighbours among the articles with the same key, each pair in order.

    Args:
        keys: the key of each article in one band.
        part: about the most keys to sort at a time, which bounds the memory.
    """
    for places in parts_of(keys, part):
        places = places[keys[places] != 0]
        chosen = keys[places]
        order = np.argsort(chosen, kind="stable")
        same = np.flatnonzero(chosen[order][1:] == chosen[order][:-1])
        if len(same):
            yield places[order[same]], places[order[same + 1]]


def parts_of(keys: NDArray[np.uint64], part: int) -> Iterator[NDArray[np.int64]]:
    """Divides keys into parts of about this size; yields the indices of each part.

    Equal keys are in the same part, and the indices are in order.
    """
    parts = -(-len(keys) // part)
    for number in range(parts):
        found = [
            begin
            + np.flatnonzero(keys[begin : begin + part] % np.uint64(parts) == number)
            for begin in range(0, len(keys), part)
        ]
        yield np.concatenate(found)


def similarities(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """Estimates the Jaccard similarity of articles, row by row."""
    used = ((one != EMPTY) | (other != EMPTY)).sum(axis=1)
    equal = ((one == other) & (one != EMPTY)).sum(axis=1) / np.maximum(used, 1)
    by_chance = 1 / 255
    found: NDArray[Any] = np.maximum(equal - by_chance, 0) / (1 - by_chance)
    return found
