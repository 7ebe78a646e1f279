"""What is compared among all entries: duplicates, near-duplicates, repeated headlines.

Equal keys are in the same bucket, so each bucket is a task of its own. It reads the
keys of its bucket from every part. At last, one task decides which pairs stay; it gets
the few that have a twin or a repeated headline.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headline.data.findings import EXAMPLES, LISTED
from headline.data.near import BANDS, equal_keys
from headline.data.parts.blocks import Array, BlockFile, write_blocks
from headline.data.parts.counting import (
    DIGESTS,
    HEADLINES,
    NO_PAIR,
    band,
    keys_of_bucket,
)
from headline.data.parts.folder import (
    CANDIDATES,
    CHOICE,
    COUNT,
    DUPLICATES,
    Work,
)
from headline.data.selection import (
    ALL_SPLITS,
    CHUNK,
    STAYS,
    Choice,
    Twins,
    are_alike,
    choose,
    equal_runs,
    joined,
)
from headline.data.store import UNPAIRED

Entries = NDArray[np.int64]
Keys = NDArray[np.uint64]


class _Files(dict[int, BlockFile]):
    """The counts of the parts, each opened once."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, part: int) -> BlockFile:
        self[part] = BlockFile(self._work.path(COUNT, part))
        return self[part]


# --- duplicates -----------------------------------------------------------------------


def find_duplicates(work: Work, bucket: int) -> None:
    """Writes the entries of a bucket that repeat an earlier one of their kind."""
    files = _Files(work)
    found = [
        _repeats(*_bucket(work, files, DIGESTS, bucket, is_pairs))
        for is_pairs in (True, False)
    ]
    # Articles without headlines come after the pairs, so the entries are in order.
    write_blocks(work.path(DUPLICATES, bucket), {"entries": np.concatenate(found)})


def _bucket(
    work: Work, files: "_Files", name: str, bucket: int, is_pairs: bool | None = None
) -> tuple[Keys, Entries]:
    """Returns the keys of a bucket and their entries, in the order of entries.

    Args:
        is_pairs: of which kind of parts; None: of both.
    """
    keys, entries = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for part in work.plan.parts:
        if is_pairs in (None, part.is_pairs):
            some, of_part = keys_of_bucket(files[part.index], name, bucket)
            keys.append(some)
            entries.append(of_part + work.totals.firsts[part.index])
    return np.concatenate(keys), np.concatenate(entries)


def _repeats(keys: Keys, entries: Entries) -> Entries:
    """Returns the entries whose key an earlier one has, in order."""
    order = np.argsort(keys, kind="stable")
    again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1
    return np.sort(entries[order[again]])


def duplicates_within(work: Work, begin: int, end: int) -> Entries:
    """Returns the duplicates among entries from ``begin`` up to ``end``, in order."""
    found = []
    for bucket in range(work.plan.buckets):
        entries = BlockFile(work.path(DUPLICATES, bucket)).whole("entries")
        found.append(entries[slice(*np.searchsorted(entries, (begin, end)))])
    return np.sort(np.concatenate(found))


# --- near-duplicates and repeated headlines -------------------------------------------


class _Comparison:
    """Reads what is compared of single entries."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._files = _Files(work)

    @cached_property
    def duplicates(self) -> Entries:
        return duplicates_within(self._work, 0, self._work.totals.all)

    def bucket(self, name: str, bucket: int) -> tuple[Keys, Entries]:
        """Returns the keys of pairs that are no duplicates."""
        keys, entries = _bucket(self._work, self._files, name, bucket)
        places = np.searchsorted(self.duplicates, entries)
        follows = np.append(self.duplicates, -1)[places]
        return keys[follows != entries], entries[follows != entries]

    def at(self, name: str, entries: Entries) -> Array:
        """Returns a column of some entries."""
        parts = self._work.totals.part_of(entries)
        order = np.argsort(parts, kind="stable")
        found: Array | None = None
        begins = np.flatnonzero(np.diff(parts[order], prepend=-1))
        for places in np.split(order, begins[1:]) if len(order) else ():
            part = int(parts[places[0]])
            of_part = entries[places] - self._work.totals.firsts[part]
            values = self._files[part].at(name, of_part)
            if found is None:
                found = np.zeros((len(entries), *values.shape[1:]), values.dtype)
            found[places] = values
        return np.zeros(0, np.uint8) if found is None else found


def find_candidates(work: Work, bucket: int) -> None:
    """Writes the near-duplicates and the repeated headlines of a bucket."""
    compared = _Comparison(work)
    repeated = _repeated(compared, bucket, work.job.cleaning.max_repeats)
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *_alike(compared, bucket)])
    # Most near-duplicates agree in several bands. As one number, pairs sort fast.
    alike = np.unique(pairs[:, 0] * work.totals.all + pairs[:, 1])
    write_blocks(work.path(CANDIDATES, bucket), {"repeated": repeated, "alike": alike})


def _repeated(compared: _Comparison, bucket: int, most: int) -> Entries:
    """Returns the entries of headlines that more than so many pairs share."""
    keys, entries = compared.bucket(HEADLINES, bucket)
    if not most or not len(keys):
        return entries[:0]
    splits = compared.at("split", entries)
    is_pair = (splits != ALL_SPLITS.index(UNPAIRED)) & (splits != NO_PAIR)
    runs = [*equal_runs(keys, is_pair, most)]
    places = np.concatenate([np.zeros(0, np.int64), *runs])
    return np.asarray(entries[places])


def _alike(compared: _Comparison, bucket: int) -> Iterator[Entries]:
    """Yields pairs of near-duplicates, shape ``(pairs, 2)``."""
    for number in range(BANDS):
        keys, entries = compared.bucket(band(number), bucket)
        for one, other in equal_keys(keys):
            for begin in range(0, len(one), CHUNK):
                places = (side[begin : begin + CHUNK] for side in (one, other))
                yield _those_alike(compared, *(entries[some] for some in places))


def _those_alike(compared: _Comparison, one: Entries, other: Entries) -> Entries:
    both = one, other
    signatures = [compared.at("signature", side) for side in both]
    headlines = [compared.at("headline", side) for side in both]
    alike = are_alike(signatures[0], signatures[1], headlines[0] == headlines[1])
    return np.stack([one[alike], other[alike]], axis=1)


# --- the choice -----------------------------------------------------------------------


def decide(work: Work, _: int) -> None:
    """Decides which pairs are left out."""
    paths = [work.path(CANDIDATES, bucket) for bucket in range(work.plan.buckets)]
    found = [*map(BlockFile, paths)]
    alike = np.unique(np.concatenate([one.whole("alike") for one in found]))
    pairs = np.stack(np.divmod(alike, max(1, work.totals.all)), axis=1)
    repeated = np.concatenate([one.whole("repeated") for one in found])
    # Only the order of the entries counts, so the others need not be there.
    entries = np.unique(np.concatenate([repeated, pairs.ravel()]))
    compared = _Comparison(work)
    splits = compared.at("split", entries).astype(np.uint8)
    headlines = compared.at("headline", entries).astype(np.uint64)
    places = np.searchsorted(entries, pairs)
    groups = joined(len(entries), zip(*places.T.tolist(), strict=True))
    cleaning = work.job.cleaning
    chosen = choose(headlines, groups, splits, cleaning, EXAMPLES)
    _write_choice(work, entries, chosen)


def _write_choice(work: Work, entries: Entries, chosen: Choice) -> None:
    gone = np.flatnonzero(chosen.verdicts != STAYS)
    repeated = [
        (int(entries[first]), articles) for first, articles in chosen.repeated[:LISTED]
    ]
    twins = [entries[[*twin]].tolist() for twin in chosen.twins]
    write_blocks(
        work.path(CHOICE),
        {
            "entries": entries[gone],
            "verdicts": chosen.verdicts[gone],
            "splits": chosen.splits[gone],
        },
        {"repeated": repeated, "twins": twins},
    )


def choice_of(work: Work) -> tuple[Entries, Choice]:
    """Returns the entries that are left out, and why; none without cleaning."""
    if not work.job.cleaning.clean:
        nothing = np.zeros(0, np.uint8)
        return np.zeros(0, np.int64), Choice(nothing, nothing, (), ())
    found = BlockFile(work.path(CHOICE))
    repeated = [(first, articles) for first, articles in found.about["repeated"]]
    twins = [Twins(*pair) for pair in found.about["twins"]]
    verdicts, splits = found.whole("verdicts"), found.whole("splits")
    return found.whole("entries"), Choice(verdicts, splits, repeated, twins)
