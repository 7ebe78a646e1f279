"""What cleaning keeps between the passes of ``prepare``.

The first pass puts the rows into a file and learns the rules. The second one cleans the
pairs. Which of them stay is known only when all have been seen, so rejects and the
texts of the held-out splits wait in files, and are written in the order of the rows.
"""

import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaner import Cleaner
from headline.data.cleaning import Reject, rejects
from headline.data.corpus import Pair
from headline.data.findings import (
    EXAMPLES,
    Findings,
    Rejected,
    choices,
    removals,
    wanted_texts,
)
from headline.data.pieces import Pairs, Spool
from headline.data.report import Counts
from headline.data.rules import Rules, learn
from headline.data.sample import RowFile, Sample
from headline.data.selection import ALL_SPLITS, PLACE, PairLog, Selection, select
from headline.data.store import SIDES, SPLITS, UNPAIRED, Draft
from headline.formats.records import Rows
from headline.settings.clean import CleanConfig
from headline.text.normalise import normalise


class CleaningPass:
    """The state of a cleaning.

    Args:
        stack: closes the files.
        folder: the folder of the files.
        longest: the characters of an article that a model reads.
    """

    def __init__(
        self, stack: ExitStack, folder: Path, config: CleanConfig, longest: int
    ) -> None:
        self._stack, self._folder = stack, folder
        self._config, self._longest = config, longest
        self._rules = Rules()
        self._log = PairLog(stack, folder)
        self._rejects, self._texts = self._opened("rejects"), self._opened("texts")
        self._row_files: list[RowFile] = []
        self._findings = Findings()
        self._names: list[str] = []  # the file of each block

    def _opened(self, name: str) -> BinaryIO:
        return self._stack.enter_context((self._folder / name).open("w+b"))

    def first_pass(self, found: Iterable[Rows]) -> Iterator[Rows]:
        """Yields rows as they are read, and puts them into a file."""
        name = f"rows.{len(self._row_files)}"
        rows = RowFile(self._stack, self._folder / name)
        learns = not self._row_files  # from the pairs, not from lone articles
        self._row_files.append(rows)
        sample = Sample()
        for block in found:
            rows.write(block)
            if learns:
                sample.add(*block.texts)
            yield block
        if learns:
            self._rules = learn(*sample.texts(), self._config)

    def second_pass(self) -> Iterator[Rows]:
        """Yields the rows of the last first pass."""
        return self._row_files[-1].read()

    @property
    def cleaner(self) -> Cleaner:
        """The cleaner with the rules that have been learned."""
        return Cleaner(self._rules, self._config, self._longest)

    # --- second pass ------------------------------------------------------------------

    def reject(self, found: list[Reject], name: str) -> None:
        """Takes the rejects of the next block, and the name of its file."""
        self._names.append(name)
        pickle.dump(found, self._rejects, pickle.HIGHEST_PROTOCOL)

    def keep_text(self, split: str, pair: Pair) -> None:
        """Takes a pair of a held-out split."""
        pickle.dump((split, tuple(pair)), self._texts, pickle.HIGHEST_PROTOCOL)

    def take(self, file: int, pairs: Pairs, new: NDArray[np.bool_]) -> None:
        """Takes the pairs of a block whose rows are ``new``."""
        assert pairs.keys is not None
        self._findings.add(pairs.hits, set(np.flatnonzero(~new).tolist()))
        kept = np.flatnonzero(new[pairs.rows])
        kept = kept[np.argsort(pairs.rows[kept], kind="stable")]
        places = np.zeros(len(kept), PLACE)
        places["block"], places["file"] = len(self._names) - 1, file
        places["row"] = pairs.rows[kept]
        splits = [ALL_SPLITS.index(split) for split in pairs.splits]
        places["split"] = np.repeat(splits, [*pairs.splits.values()])[kept]
        for side, lengths in enumerate(pairs.lengths):
            places["lengths"][:, side] = lengths[kept]
        self._log.append(places, pairs.keys.at(kept))

    # --- the choice -------------------------------------------------------------------

    def finish(
        self, spool: Spool, counts: Counts, draft: Draft, rejected: Rejected
    ) -> dict[str, Any]:
        """Leaves out what must not stay, and writes what has waited.

        Args:
            rejected: gets the rejects, to show some of them.

        Returns:
            the part of data.json about the cleaning.
        """
        chosen = select(self._log, self._config, EXAMPLES)
        for split in draft.splits:
            spool.keep(split, chosen.kept(split))
        _discount(counts, chosen, self._longest)
        self._write_texts(chosen, draft)
        for one in self._rejects_of(chosen, counts):
            draft.reject(one.file, one.row, one.reason.value, one.excerpt)
            rejected.add(one)
        texts = self._texts_of(chosen, wanted_texts(chosen))
        return {
            "config": self._config.to_dict(),
            **removals(self._rules, self._findings),
            **choices(chosen, texts),
            "rejects": rejected.to_dict(),
        }

    def _write_texts(self, chosen: Selection, draft: Draft) -> None:
        stays = {split: iter(chosen.kept(split).tolist()) for split in SPLITS[1:]}
        for split, pair in _loaded(self._texts):
            if next(stays[split]):
                draft.keep_text(split, Pair(*pair))

    def _rejects_of(self, chosen: Selection, counts: Counts) -> Iterator[Reject]:
        """Yields all rejects in the order of the rows, and counts the late ones."""
        late = chosen.late_faults()
        number, faults = next(late, (-1, {}))
        blocks = self._blocks()
        for block, found in enumerate(_loaded(self._rejects)):
            rows = next(blocks) if faults else None
            if rows is not None and block == number:
                more = rejects(replace(rows, others=()), self._names[block], faults)
                counts.rejects.update(one.reason.value for one in more)
                found = sorted(found + more, key=lambda one: one.row)
                number, faults = next(late, (-1, {}))
            yield from found

    def _blocks(self) -> Iterator[Rows]:
        for rows in self._row_files:
            yield from rows.read()

    def _texts_of(self, chosen: Selection, wanted: set[int]) -> dict[int, Pair]:
        """Reads some pairs again, and cleans them."""
        pairs = sorted(wanted)
        found_at = chosen.places.at(np.array(pairs, np.int64))
        both = zip(found_at["block"].tolist(), found_at["row"].tolist(), strict=True)
        places = dict(zip(both, pairs, strict=True))
        blocks = {block for block, _ in places}
        found: dict[int, Pair] = {}
        for number, rows in enumerate(self._blocks()):
            if len(found) == len(wanted):
                break
            if number in blocks:
                for (block, row), pair in places.items():
                    if block == number:
                        texts = [one[row] for one in rows.texts]
                        found[pair] = cleaned_pair(self.cleaner, texts)
        return found


def cleaned_pair(cleaner: Cleaner, texts: Sequence[str]) -> Pair:
    """Cleans the texts of a row: a headline, if there is one, and an article."""
    *targets, source = map(normalise, texts)
    if not targets:
        return Pair(cleaner.clean_articles([source]).columns[0][0], "")
    ((target,), (source,)) = cleaner.clean_pairs(targets, [source]).columns
    return Pair(source, target)


def _loaded(stream: BinaryIO) -> Iterator[Any]:
    """Yields the objects that were dumped into a file."""
    stream.seek(0)
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301  written by this process
        except EOFError:
            return


def _discount(counts: Counts, chosen: Selection, longest: int) -> None:
    """Takes pairs that do not stay out of the counts."""
    gone = chosen.dropped()
    names = [*counts.unpaired]
    for split, name in enumerate(ALL_SPLITS):
        of_split = gone[gone["split"] == split]
        files, numbers = np.unique(of_split["file"], return_counts=True)
        for file, number in zip(files.tolist(), numbers.tolist(), strict=True):
            if name == UNPAIRED:
                counts.unpaired[names[file]] -= number
            else:
                counts.corpora[file].pairs[name] -= number
    counts.cut -= int((gone["lengths"][:, 0] > longest).sum())
    of_pairs = gone[gone["split"] != ALL_SPLITS.index(UNPAIRED)]
    for side, name in enumerate(SIDES):
        counts.lengths[name].subtract(of_pairs["lengths"][:, side].tolist())
        for length in [one for one, n in counts.lengths[name].items() if not n]:
            del counts.lengths[name][length]  # not to be drawn in the report
