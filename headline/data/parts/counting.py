"""From the rows of a part to entries: rows that may become pairs.

An entry has a digest, by which duplicates are found, and the pair with what is compared
among all pairs. Keys that must be compared with those of other parts are sorted by
bucket, so that a task that looks for equal ones reads only its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaning import Reject, rejects
from headline.data.corpus import Pair
from headline.data.near import BANDS
from headline.data.parts.blocks import (
    Array,
    Block,
    BlockFile,
    packed,
    write_blocks,
    writing,
)
from headline.data.parts.folder import COUNT, TOTALS, Work
from headline.data.parts.plan import read_part
from headline.data.pieces import Lexicon, Pairs
from headline.data.selection import ALL_SPLITS
from headline.data.store import SIDES
from headline.formats.records import Rows
from headline.text.ids import Ragged

NO_PAIR = 255  # as a split: the entry has no pair
DIGESTS, HEADLINES = "digests", "headlines"  # names of keys


def band(number: int) -> str:
    """Returns the name of the keys of a band; see ``near.signatures``."""
    return f"band {number}"


def count_part(work: Work, task: int) -> None:
    """Turns the rows of a part into entries, and writes all that is known of them."""
    part = work.plan.parts[task]
    work.check_input(part)
    sorting, name = work.sorting(part), work.name_of(part)
    lexicon, keys, total = Lexicon(), _Keys(work.plan.buckets), 0
    entries = 0
    with writing(work.path(COUNT, task)) as (writer, about):
        for rows in read_part(sorting.reader, part):
            pairs = sorting.sort(rows.texts)
            found = _Entries(rows, pairs, entries)
            entries += len(found)
            total += len(rows)
            keys.add(found)
            columns = found.columns() | found.spool(lexicon)
            writer.append(columns | {"rejects": found.rejects(name)})
        writer.flush()
        for block in keys.sorted():
            writer.append(block)
            writer.flush()
        writer.append({"pieces": packed(lexicon.pieces)})
        about |= {"rows": total, "entries": entries}
    work.check_input(part)


def add_up(work: Work, _: int) -> None:
    """Numbers the entries of all parts."""
    parts = work.plan.parts
    counts = [BlockFile(work.path(COUNT, part.index)).about for part in parts]
    firsts = np.cumsum([0, *(count["entries"] for count in counts)])
    write_blocks(work.path(TOTALS), {"firsts": firsts.astype(np.int64)})


class _Entries:
    """The entries of a block of rows.

    Args:
        first: the number of the first entry in its part.
    """

    def __init__(self, rows: Rows, pairs: Pairs, first: int) -> None:
        self._rows, self._pairs, self._first = rows, pairs, first
        self.digests = np.frombuffer(
            b"".join(pairs.digests[row] for row in sorted(pairs.digests)), "<u8"
        )
        self._of_rows = np.array(sorted(pairs.digests), np.int64)
        # The pairs are grouped by split; entries are in the order of the rows.
        self._order = np.argsort(pairs.rows, kind="stable")
        self._of_pairs = np.searchsorted(self._of_rows, pairs.rows[self._order])

    def __len__(self) -> int:
        return len(self._of_rows)

    def columns(self) -> dict[str, Array]:
        """Returns what is known of each entry, and lists of some."""
        numbers = np.array(self._rows.numbers, np.int64)
        splits = [ALL_SPLITS.index(split) for split in self._pairs.splits]
        of_pairs = np.repeat(splits, [*self._pairs.splits.values()])
        lengths = np.stack(self._pairs.lengths, axis=1)
        return {
            "number": numbers[self._of_rows],
            "split": self._spread(of_pairs.astype(np.uint8), NO_PAIR),
            "lengths": self._spread(lengths.astype(np.uint32)),
            **self._compared(),
            "texts": packed(self._texts()),
            "hits": packed(self._hits()),
        }

    def _spread(self, values: Array, other: int = 0) -> Array:
        """Gives each entry the value of its pair, or another if it has none."""
        shape = (len(self), *values.shape[1:])
        spread = np.full(shape, other, values.dtype)
        spread[self._of_pairs] = values[self._order]
        return spread

    def _compared(self) -> Block:
        """Returns what is compared of near-duplicates; nothing without cleaning."""
        if self._pairs.keys is None:
            return {}
        return {
            "signature": self._spread(self._pairs.keys.signatures),
            "headline": self._spread(self._pairs.keys.headlines),
        }

    def keys(self) -> dict[str, NDArray[np.uint64]]:
        """Returns the keys of all entries, by name."""
        if self._pairs.keys is None:
            return {DIGESTS: self.digests}
        bands = self._spread(self._pairs.keys.bands)
        return {
            DIGESTS: self.digests,
            HEADLINES: self._spread(self._pairs.keys.headlines),
            **{band(number): bands[:, number] for number in range(BANDS)},
        }

    def spool(self, lexicon: Lexicon) -> dict[str, Array]:
        """Returns both sides of the pairs, as numbers of a lexicon."""
        numbers = lexicon.numbers(self._pairs.pieces)
        if numbers.max(initial=0) <= np.iinfo(np.uint16).max:  # as of all characters
            numbers = numbers.astype(np.uint16)
        block: dict[str, Array] = {}
        for name, side in zip(SIDES, self._pairs.sides, strict=True):
            texts = reordered(side, self._order)
            lengths = np.zeros(len(self), np.int64)
            lengths[self._of_pairs] = texts.lengths
            block[f"{name} numbers"] = numbers[texts.numbers]
            block[f"{name} lengths"] = lengths
        return block

    def rejects(self, name: str) -> Array:
        """Returns the rejects, with the entries of those that may be duplicates too."""
        entries = dict(zip(self._of_rows.tolist(), range(len(self)), strict=True))
        of_numbers = {
            self._rows.numbers[row]: self._first + entry
            for row, entry in entries.items()
            if row in self._pairs.faults
        }
        found = rejects(self._rows, name, self._pairs.faults)
        return packed([*reject_values(one), of_numbers.get(one.row)] for one in found)

    def _texts(self) -> Iterator[Sequence[Any]]:
        """Yields the held-out pairs with their entries, in the order of rows."""
        held_out: list[Pair | None] = []
        for split, count in self._pairs.splits.items():
            held_out += self._pairs.texts.get(split) or [None] * count
        for place, entry in zip(
            self._order.tolist(), self._of_pairs.tolist(), strict=True
        ):
            if (pair := held_out[place]) is not None:
                yield self._first + entry, *pair

    def _hits(self) -> Iterator[Sequence[Any]]:
        """Yields what was removed from pairs, with their entries."""
        entries = dict(
            zip(self._of_rows.tolist(), range(self._first, 1 << 62), strict=False)
        )
        for row, *hit in self._pairs.hits:
            if row in entries and row not in self._pairs.faults:
                yield entries[row], *hit


def reject_values(one: Reject) -> Sequence[Any]:
    """Returns a reject without its file, ready for JSON."""
    return one.row, one.reason.value, one.excerpt


def reordered(texts: Ragged, order: NDArray[np.intp]) -> Ragged:
    """Returns the rows in another order."""
    lengths = texts.lengths[order]
    begins = (np.cumsum(texts.lengths) - texts.lengths)[order]
    shifts = begins - (np.cumsum(lengths) - lengths)
    places = np.arange(int(lengths.sum())) + np.repeat(shifts, lengths)
    return Ragged(texts.numbers[places], lengths)


@dataclass
class _Keys:
    """The keys of the entries of a part."""

    buckets: int
    _found: dict[str, list[NDArray[np.uint64]]] = field(default_factory=dict)

    def add(self, entries: _Entries) -> None:
        for name, keys in entries.keys().items():
            self._found.setdefault(name, []).append(keys)

    def sorted(self) -> Iterator[Block]:
        """Yields a block for each kind of keys, sorted by bucket, then by entry."""
        for name, parts in self._found.items():
            keys = np.concatenate(parts)
            of_buckets = keys % np.uint64(self.buckets)
            order = np.argsort(of_buckets, kind="stable")
            counts = np.bincount(of_buckets.astype(np.intp), minlength=self.buckets)
            yield {
                name: keys[order],
                f"{name} entries": order.astype(np.uint32),
                f"{name} firsts": np.concatenate(([0], np.cumsum(counts))),
            }


def keys_of_bucket(
    found: BlockFile, name: str, bucket: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Returns the keys of a bucket with their entries in the part, in order."""
    for keys, entries, firsts in found.blocks(
        name, f"{name} entries", f"{name} firsts"
    ):
        begin, end = firsts[bucket : bucket + 2].tolist()
        return np.array(keys[begin:end]), entries[begin:end].astype(np.int64)
    return np.zeros(0, np.uint64), np.zeros(0, np.int64)
