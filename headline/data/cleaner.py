"""Cleaning of pairs by the rules of their corpus.

A worker process cleans a block of pairs; this says what it removed, and gives what is
needed to find repeated headlines and near-duplicates among all pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.data.affixes import START
from headline.data.cleaning import Reason
from headline.data.near import Bands, Signatures, signatures
from headline.data.rules import Rules, forms_of, overlaps
from headline.settings.clean import CleanConfig
from headline.text.boilerplate import Removal

SHOWN = 60  # characters of an example

# The kinds of removals. The first two are of headlines.
AFFIX_START, AFFIX_END = "affix at the start", "affix at the end"
TITLE, OPENING, CLOSING = "title", "opening", "closing"


class Hit(NamedTuple):
    """A removal from a pair."""

    row: int  # index in the block
    kind: str
    rule: str
    before: str  # what an example shows
    after: str


@dataclass(frozen=True)
class Keys:
    """What is compared among all pairs; each array has a row for each pair."""

    headlines: NDArray[np.uint64]  # hashes
    signatures: Signatures
    bands: Bands

    def at(self, rows: NDArray[np.intp]) -> "Keys":
        """Returns the keys of some rows."""
        return Keys(self.headlines[rows], self.signatures[rows], self.bands[rows])


@dataclass(frozen=True)
class Cleaned:
    """Columns of texts after cleaning, with what was removed and which rows fail."""

    columns: Sequence[Sequence[str]]
    hits: Sequence[Hit]
    faults: Mapping[int, Reason]
    plain: Sequence[str]  # the headlines without those affixes that stay, to compare


@dataclass(frozen=True)
class Cleaner:
    """Cleans normalised columns.

    Args:
        longest: the characters of an article that a model reads; near-duplicates are
            judged by them.
    """

    rules: Rules
    config: CleanConfig
    longest: int

    def clean_pairs(self, targets: Sequence[str], sources: Sequence[str]) -> Cleaned:
        """Cleans headlines and their articles."""
        hits: list[Hit] = []
        new_targets, new_sources, plain = [], [], []
        for row, (target, source) in enumerate(zip(targets, sources, strict=True)):
            titles = [target]
            for affix, rest in self.rules.headlines.removals(target):
                kind = AFFIX_START if affix.end == START else AFFIX_END
                hits.append(Hit(row, kind, affix.text, titles[-1], rest))
                titles.append(rest)
            new_targets.append(titles[-1])
            titles = forms_of(titles, self.rules.kept)
            plain.append(titles[-1])
            new_sources.append(self._clean_article(row, source, titles, hits))
        faults = self._unrelated(new_targets, new_sources)
        return Cleaned([new_targets, new_sources], hits, faults, plain)

    def clean_articles(self, sources: Sequence[str]) -> Cleaned:
        """Cleans articles without headlines."""
        hits: list[Hit] = []
        cleaned = [
            self._clean_article(row, source, (), hits)
            for row, source in enumerate(sources)
        ]
        return Cleaned([cleaned], hits, {}, [""] * len(cleaned))

    def _clean_article(
        self, row: int, source: str, titles: Sequence[str], hits: list[Hit]
    ) -> str:
        for removal in self.rules.articles.removals(source, titles):
            hits.append(_hit(row, removal))
            source = removal.after
        return source

    def _unrelated(
        self, targets: Sequence[str], sources: Sequence[str]
    ) -> dict[int, Reason]:
        if not self.config.min_overlap:
            return {}
        found = overlaps(targets, sources, self.rules.weights)
        rows = np.flatnonzero(found < self.config.min_overlap).tolist()
        return dict.fromkeys(rows, Reason.UNRELATED)

    def keys(self, cleaned: Cleaned) -> Keys:
        """Returns what is compared among all pairs."""
        heads = [text[: self.longest] for text in cleaned.columns[-1]]
        return Keys(_hashes(cleaned.plain), *signatures(heads))


def _hit(row: int, removal: Removal) -> Hit:
    """Shows the end of the article at which something was removed."""
    at_end = removal.kind == CLOSING
    shown = slice(-SHOWN, None) if at_end else slice(SHOWN)
    # A title line is its own rule; counting each of them would take memory.
    rule = "" if removal.kind == TITLE else removal.rule
    return Hit(row, removal.kind, rule, removal.before[shown], removal.after[shown])


def _hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    digests = (blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), "<u8")
