"""The choice among all pairs: repeated headlines and near-duplicates are left out.

The keys of the pairs lie in files, one for each column, so memory holds a few bytes for
each pair and no texts.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaner import Keys
from headline.data.cleaning import Reason
from headline.data.near import (
    ALIKE,
    ALIKE_WITH_HEADLINE,
    BANDS,
    BINS,
    PART,
    Signatures,
    equal_keys,
    parts_of,
    similarities,
)
from headline.data.store import SPLITS, UNPAIRED
from headline.settings.clean import CleanConfig

# In the order in which the pair of a group is chosen that stays.
ALL_SPLITS = (*SPLITS, UNPAIRED)
CHUNK = 1 << 14  # pairs of articles that are compared at a time

STAYS, REPEATS, IS_TWIN = range(3)
REASONS = {REPEATS: Reason.REPEATED, IS_TWIN: Reason.NEAR_DUPLICATE}

PLACE = np.dtype(
    [
        ("block", "<u4"),  # number of the block of rows
        ("row", "<u4"),  # index of the row in the block
        ("file", "<u4"),
        ("split", "u1"),  # index in ALL_SPLITS
        ("lengths", "<u4", 2),  # characters of article and headline, uncut
    ]
)

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]
Groups = NDArray[np.int32]


class _Column:
    """A file of equal records."""

    def __init__(self, stream: BinaryIO, dtype: np.dtype[Any], width: int = 1) -> None:
        self._stream, self._dtype, self._width = stream, dtype, width

    def append(self, values: NDArray[Any]) -> None:
        self._stream.write(np.ascontiguousarray(values, self._dtype).data)

    def read(self) -> NDArray[Any]:
        """Returns all records."""
        self._stream.flush()
        values = np.fromfile(self._stream.name, self._dtype)
        return values.reshape(-1, self._width) if self._width > 1 else values

    def at(self, indices: Indices) -> NDArray[Any]:
        """Returns some records without reading the others."""
        self._stream.flush()
        shape = (-1, self._width) if self._width > 1 else (-1,)
        values = np.memmap(self._stream.name, self._dtype, mode="r")
        return np.array(values.reshape(shape)[indices])


class PairLog:
    """The keys and places of all pairs, in the order of their rows.

    Args:
        stack: closes the files.
        folder: the folder of the files.
    """

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        def column(name: str, kind: Any, width: int = 1) -> _Column:
            stream = stack.enter_context((folder / name).open("w+b"))
            return _Column(stream, np.dtype(kind), width)

        self.places = column("places", PLACE)
        self.splits = column("splits", "u1")
        self.headlines = column("headlines", "<u8")
        self.signatures = column("signatures", "u1", BINS)
        self.bands = [column(f"band.{number}", "<u8") for number in range(BANDS)]
        self.count = 0

    def append(self, places: NDArray[Any], keys: Keys) -> None:
        """Appends pairs; ``places`` are PLACE records."""
        self.places.append(places)
        self.splits.append(places["split"])
        self.headlines.append(keys.headlines)
        self.signatures.append(keys.signatures)
        for number, band in enumerate(self.bands):
            band.append(keys.bands[:, number])
        self.count += len(places)


class Twins(NamedTuple):
    """Two articles that are almost the same, as indices of pairs."""

    kept: int
    dropped: int


@dataclass(frozen=True)
class Choice:
    """What is known of some pairs: whether they stay, and why not.

    Attributes:
        verdicts: STAYS, REPEATS or IS_TWIN for each pair.
        splits: the split of each pair, as its index in ALL_SPLITS.
        repeated: for each repeated headline, the index of its first pair and the number
            of articles; the most frequent first.
        twins: the near-duplicates, each with the pair that is kept instead.
    """

    verdicts: NDArray[np.uint8]
    splits: NDArray[np.uint8]
    repeated: Sequence[tuple[int, int]]
    twins: Sequence[Twins]

    def twins_by_split(self) -> list[int]:
        """Returns the number of near-duplicates left out of each of ALL_SPLITS."""
        splits = self.splits[self.verdicts == IS_TWIN]
        counts: list[int] = np.bincount(splits, minlength=len(ALL_SPLITS)).tolist()
        return counts


@dataclass(frozen=True)
class Selection(Choice):
    """Which of all pairs stay.

    Attributes:
        places: a file of the places of the pairs, see ``PLACE``.
    """

    places: _Column

    def kept(self, split: str) -> Mask:
        """Returns which pairs of a split stay, in their order."""
        of_split = self.splits == ALL_SPLITS.index(split)
        return np.asarray(self.verdicts[of_split] == STAYS)

    def dropped(self) -> NDArray[Any]:
        """Returns the places of the pairs that are left out."""
        return self.places.at(np.flatnonzero(self.verdicts != STAYS))

    def late_faults(self) -> Iterator[tuple[int, dict[int, Reason]]]:
        """Yields the numbers of blocks with the reasons of their rows, by index."""
        places, verdicts = self.dropped(), self.verdicts[self.verdicts != STAYS]
        begins = np.flatnonzero(np.diff(places["block"].astype(np.int64), prepend=-1))
        for begin, end in pairwise([*begins.tolist(), len(places)]):
            part = slice(begin, end)
            reasons = (REASONS[verdict] for verdict in verdicts[part].tolist())
            rows = places["row"][part].tolist()
            yield int(places["block"][begin]), dict(zip(rows, reasons, strict=True))


def select(log: PairLog, config: CleanConfig, twins: int) -> Selection:
    """Decides which pairs stay; see ``choose``.

    Args:
        twins: the number of near-duplicates to name.
    """
    splits, headlines = log.splits.read(), log.headlines.read()
    groups = joined(log.count, _alike(log, headlines))
    found = choose(headlines, groups, splits, config, twins)
    return Selection(found.verdicts, splits, found.repeated, found.twins, log.places)


def choose(
    headlines: NDArray[np.uint64],
    groups: Groups,
    splits: NDArray[np.uint8],
    config: CleanConfig,
    twins: int,
) -> Choice:
    """Decides which pairs stay.

    In a group of near-duplicates, the first one of train stays, else of valid, else of
    test. So no pair changes its split, and no article has a twin in another split.

    Args:
        headlines: the hash of each headline.
        groups: for each pair, the index of its first near-duplicate, or its own.
        splits: the split of each pair, as its index in ALL_SPLITS.
        twins: the number of near-duplicates to name.
    """
    verdicts = np.zeros(len(splits), np.uint8)
    repeated = _mark_repeated(verdicts, headlines, groups, splits, config)
    found = _mark_twins(verdicts, headlines, groups, splits, config, twins)
    return Choice(verdicts, splits, repeated, found)


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> Groups:
    """Joins indices below ``count`` into groups; returns the first one of each's group.

    Args:
        pairs: each has two indices of one group.
    """
    parents = array("i", range(count))
    _merge(parents, pairs)
    roots = np.frombuffer(parents, np.int32)
    while ((higher := roots[roots]) != roots).any():
        roots = higher
    return roots


def _alike(log: PairLog, headlines: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Yields pairs of near-duplicates."""
    for band in log.bands:
        for one, other in equal_keys(band.read()):
            for begin in range(0, len(one), CHUNK):
                some = slice(begin, begin + CHUNK)
                yield from _similar(log, headlines, one[some], other[some])


def _similar(
    log: PairLog, headlines: NDArray[np.uint64], one: Indices, other: Indices
) -> Iterator[tuple[int, int]]:
    signatures = log.signatures.at(one), log.signatures.at(other)
    alike = are_alike(*signatures, headlines[one] == headlines[other])
    return zip(one[alike].tolist(), other[alike].tolist(), strict=True)


def are_alike(one: Signatures, other: Signatures, same: Mask) -> Mask:
    """Tells which articles are near-duplicates.

    Args:
        one, other: the signatures of the articles.
        same: whether both have the same headline.
    """
    limits = np.where(same, ALIKE_WITH_HEADLINE, ALIKE)
    return np.asarray(similarities(one, other) >= limits)


def _merge(parents: "array[int]", pairs: Iterable[tuple[int, int]]) -> None:
    """Puts pairs into one group each: union-find, the smallest index is the root."""

    def root(index: int) -> int:
        while (parent := parents[index]) != index:
            parents[index] = parents[parent]
            index = parents[index]
        return index

    for one, other in pairs:
        first, second = sorted((root(one), root(other)))
        parents[second] = first


def _mark_repeated(
    verdicts: NDArray[np.uint8],
    headlines: NDArray[np.uint64],
    groups: Groups,
    splits: NDArray[np.uint8],
    config: CleanConfig,
) -> list[tuple[int, int]]:
    """Marks headlines that too many different articles share."""
    repeated: list[tuple[int, int]] = []
    if not config.max_repeats:
        return repeated
    is_pair = splits != ALL_SPLITS.index(UNPAIRED)
    for part in equal_runs(headlines, is_pair, config.max_repeats):
        articles = len(np.unique(groups[part]))
        if articles > config.max_repeats:
            verdicts[part] = REPEATS
            repeated.append((int(part[0]), articles))
    return sorted(repeated, key=lambda item: (-item[1], item[0]))


def equal_runs(
    keys: NDArray[np.uint64], wanted: Mask, more_than: int
) -> Iterator[Indices]:
    """Yields the indices of equal keys, in order, if there are more than so many."""
    for places in parts_of(keys, PART):
        places = places[wanted[places]]
        order = np.argsort(keys[places], kind="stable")
        ordered = keys[places[order]]
        begins = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] + np.uint64(1)))
        sizes = np.diff(begins, append=len(ordered))
        for begin, size in zip(begins.tolist(), sizes.tolist(), strict=True):
            if size > more_than:
                yield places[order[begin : begin + size]]


def _mark_twins(
    verdicts: NDArray[np.uint8],
    headlines: NDArray[np.uint64],
    groups: Groups,
    splits: NDArray[np.uint8],
    config: CleanConfig,
    wanted: int,
) -> list[Twins]:
    """Marks near-duplicates of pairs that stay."""
    grouped = np.zeros(len(groups), bool)
    followers = np.flatnonzero(groups != np.arange(len(groups), dtype=np.int32))
    grouped[followers] = grouped[groups[followers]] = True
    members = np.flatnonzero(grouped & (verdicts == STAYS))
    order = members[np.lexsort((members, splits[members], groups[members]))]
    twins: list[Twins] = []
    begins = np.flatnonzero(np.diff(groups[order], prepend=-1)).tolist()
    for begin, end in pairwise([*begins, len(order)]):
        for twin in _twins(order[begin:end], headlines, splits, config):
            verdicts[twin.dropped] = IS_TWIN
            if len(twins) < wanted:
                twins.append(twin)
    return twins


def _twins(
    group: Indices,
    headlines: NDArray[np.uint64],
    splits: NDArray[np.uint8],
    config: CleanConfig,
) -> Iterator[Twins]:
    """Yields those of a group that are dropped.

    On the same side as the first one, another headline is another pair. An article
    without headline is only dropped if the first one is held out.
    """
    if len(group) < 2:
        return
    first, seen = int(group[0]), set[int]()
    alone = ALL_SPLITS.index(UNPAIRED)
    for index in group.tolist():
        split, headline = int(splits[index]), int(headlines[index])
        if split == splits[first]:
            repeats = headline in seen and split != alone
            if repeats and not config.keep_near_duplicates:
                yield Twins(first, index)
            seen.add(headline)
        elif split != alone or splits[first] != ALL_SPLITS.index("train"):
            yield Twins(first, index)
