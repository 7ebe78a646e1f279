"""Where the pairs of the first pass of ``prepare`` go, duplicates removed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaning import Reject, rejects
from headline.data.cleaning_pass import CleaningPass
from headline.data.corpus import Pair, RowReader
from headline.data.duplicates import DigestSet, with_duplicates
from headline.data.findings import Rejected
from headline.data.job import Job
from headline.data.pieces import COUNTED, Numbers, Pairs, Spool
from headline.data.report import Counts
from headline.data.store import CLEANING, SIDES, UNPAIRED, Draft
from headline.formats.records import Rows
from headline.text.ids import Ragged


@dataclass(frozen=True)
class Sink:
    """Where pairs and rejects go.

    Args:
        cleaning: gets rejects and texts, if pairs may still be left out.
    """

    spool: Spool
    draft: Draft
    cleaning: CleaningPass | None
    rejected: Rejected = field(default_factory=Rejected)

    def reject(self, found: list[Reject], name: str) -> None:
        """Takes the rejects of the next block, and the name of its file."""
        if self.cleaning is not None:
            return self.cleaning.reject(found, name)
        for one in found:
            self.draft.reject(one.file, one.row, one.reason.value, one.excerpt)
            self.rejected.add(one)

    def keep_text(self, split: str, pair: Pair) -> None:
        """Takes a pair of a held-out split."""
        (self.cleaning or self.draft).keep_text(split, pair)

    def take(self, file: int, pairs: Pairs, new: NDArray[np.bool_]) -> None:
        """Takes the pairs of a block, of which only those of new rows are used."""
        if self.cleaning is not None:
            self.cleaning.take(file, pairs, new)

    def finish(self, counts: Counts) -> dict[str, Any]:
        """Writes what has waited; returns what data.json has about cleaning."""
        if self.cleaning is None:
            return {}
        found = self.cleaning.finish(self.spool, counts, self.draft, self.rejected)
        return {CLEANING: found}


class Keeper:
    """Removes duplicates, counts rows, and writes pairs and rejects.

    It must get the rows in order.
    """

    def __init__(self, job: Job, reader: RowReader, counts: Counts, sink: Sink) -> None:
        self._job, self._reader, self._counts = job, reader, counts
        self._sink, self._spool = sink, sink.spool
        self._seen = DigestSet()

    def keep(self, rows: Rows, pairs: Pairs) -> Counter[str]:
        """Takes rows and their pairs; returns the number of new pairs in each split."""
        self._counts.rows += len(rows)
        faults = with_duplicates(pairs.faults, pairs.digests, self._seen)
        name = self._reader.names[rows.file]
        found = rejects(rows, name, faults)
        self._counts.rejects.update(reject.reason.value for reject in found)
        self._sink.reject(found, name)
        new = np.ones(len(rows.numbers), bool)
        new[list(faults)] = False
        numbers = self._spool.lexicon.numbers(pairs.pieces)
        kept: Counter[str] = Counter()
        for split, part, sides in pairs.by_split():
            is_new = new[pairs.rows[part]]
            lengths = [lengths[part][is_new] for lengths in pairs.lengths]
            self._count(split, lengths)
            for side, texts in zip(SIDES, sides, strict=True):
                kept_texts = texts if is_new.all() else texts.where(is_new)
                self._write(split, side, kept_texts, numbers)
            for pair in compress(pairs.texts.get(split, ()), is_new):
                self._sink.keep_text(split, pair)
            kept[split] = int(is_new.sum())
        self._sink.take(rows.file, pairs, new)
        return kept

    def _count(self, split: str, lengths: Sequence[NDArray[np.int64]]) -> None:
        longest = self._job.config.max_source_length
        self._counts.cut += int((lengths[0] > longest).sum())
        if split != UNPAIRED:
            for side, of_side in zip(SIDES, lengths, strict=True):
                self._counts.lengths[side].update(of_side.tolist())

    def _write(self, split: str, side: str, texts: Ragged, numbers: Numbers) -> None:
        """Writes texts for the second pass; ``numbers`` are those of their pieces."""
        texts = texts._replace(numbers=numbers[texts.numbers])
        if split in COUNTED:
            self._spool.lexicon.count(texts.numbers)
        self._spool.write(split, side, texts)
