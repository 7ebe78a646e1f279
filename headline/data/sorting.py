"""The work of ``prepare`` on rows that worker processes can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaning import Reason
from headline.data.corpus import Pair, RowReader
from headline.data.pieces import Pairs
from headline.data.store import SIDES, SPLITS, Sides
from headline.settings.prepare import PrepareConfig
from headline.text.tokenizer import TOKENIZERS


def split_of(source: str, config: PrepareConfig) -> str:
    """Returns the split of an article, which depends only on a hash of its text."""
    digest = blake2b(source.encode("utf-8"), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64  # uniform in [0, 1]
    if place < config.test_size:
        return "test"
    return "valid" if place < config.test_size + config.valid_size else "train"


@dataclass(frozen=True)
class Sorting:
    """The work on rows that worker processes can do.

    Args:
        split: the split of all pairs; None: by a hash of the article.
    """

    reader: RowReader
    config: PrepareConfig
    split: str | None = None

    def sort(self, texts: Sequence[Sequence[str]]) -> Pairs:
        """Turns the texts of ``Rows`` into pairs, and the pairs into pieces."""
        judged = self.reader.judge(texts)
        faults: dict[int, Reason] = {}
        rows: dict[str, list[int]] = {}  # by split
        pairs: dict[str, list[Pair]] = {}
        for row, made in enumerate(judged.found):
            if isinstance(made, Pair):
                split = self.split or split_of(judged.articles[row], self.config)
                rows.setdefault(split, []).append(row)
                pairs.setdefault(split, []).append(made)
            else:
                faults[row] = made
        splits = {split: len(rows[split]) for split in rows}
        ordered = [*chain.from_iterable(pairs.values())]
        places = np.array([*chain.from_iterable(rows.values())], np.intp)
        held_out = {split: pairs.get(split, []) for split in SPLITS[1:]}
        keys = None if judged.keys is None else judged.keys.at(places)
        return Pairs(
            faults,
            judged.digests,
            splits,
            places,
            *self._cut(ordered),
            held_out,
            judged.hits,
            keys,
        )

    def _cut(
        self, pairs: Sequence[Pair]
    ) -> tuple[Sequence[str], Sides, Sequence[NDArray[np.int64]]]:
        """Returns distinct pieces, both sides as their indices, and uncut lengths."""
        longest = self.config.max_source_length
        sources = [pair.source[:longest] for pair in pairs]
        targets = [pair.target for pair in pairs]
        pieces = TOKENIZERS[self.config.tokenizer].split_all(sources + targets)
        sides = tuple(pieces.texts.split([len(pairs)] * len(SIDES)))
        texts = [pair.source for pair in pairs], targets
        lengths = [np.array([*map(len, side)], np.int64) for side in texts]
        return pieces.distinct, sides, lengths
