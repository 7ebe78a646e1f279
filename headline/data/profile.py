"""What ``report.html`` tells of a corpus and data.json does not.

Texts to show and to measure are a random sample of the pairs. It is read from the
numbers of their pieces while these are turned into ids, so it needs no pass of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import numpy as np

from headline.data.cleaning import Reason, Reject
from headline.data.store import Sides
from headline.text.ids import Ragged
from headline.text.scripts import script_of
from headline.text.tokenizer import Vocab

SAMPLED = 1000  # pairs: a share of them is right to about three percentage points
SHOWN = 20  # of them, whose texts are kept
SEED = 20  # any number: the same corpus always gives the same pairs


class Drawn(NamedTuple):
    """A pair of the sample; the article is cut as a model reads it."""

    split: str
    source: str
    target: str


class Measured(NamedTuple):
    """What is kept of a pair that is not shown."""

    found: float  # share of the headline's letters and digits that the article has
    script: str  # see ``script_of``


def found_share(pair: Drawn) -> float:
    """Returns the share of the headline's letters and digits that the article has."""
    known = set(pair.source)
    found = [one in known for one in pair.target if one.isalnum()]
    return sum(found) / len(found) if found else 1.0


class PairSample:
    """Pairs drawn at random from all splits.

    Args:
        sizes: the number of pairs of each split.
        pieces: the pieces of the lexicon.
    """

    def __init__(self, sizes: Mapping[str, int], pieces: Sequence[str]) -> None:
        self._pieces = pieces
        every = sum(sizes.values())
        drawn = Random(SEED).sample(range(every), min(every, SAMPLED))  # noqa: S311
        self._order = drawn
        self._shown: dict[int, Drawn] = dict.fromkeys(drawn[:SHOWN], _NOTHING)
        self._measured: dict[int, Measured] = {}
        self._begins = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
        self._sorted = np.sort(np.array(drawn, np.int64))

    def watch(self, split: str, blocks: Iterable[Sides]) -> Iterator[Sides]:
        """Yields the pairs of a split as they come, and keeps those drawn."""
        if split not in self._begins:
            yield from blocks
            return
        first = 0
        for sides in blocks:
            self.look(split, first, sides)
            first += len(sides[0].lengths)
            yield sides
            del sides  # while the next are read

    def look(self, split: str, first: int, sides: Sides) -> None:
        """Keeps those of some pairs that were drawn.

        Args:
            first: the number of the first pair in its split.
        """
        if split not in self._begins:
            return
        begin = int(self._begins[split]) + first
        end = begin + len(sides[0].lengths)
        some = slice(*np.searchsorted(self._sorted, (begin, end)))
        if len(places := self._sorted[some]):
            self._take(split, begin, places, sides)

    def _take(self, split: str, begin: int, places: Any, sides: Sides) -> None:
        rows = places - begin
        sources, targets = (self._texts(side, rows) for side in sides)
        for place, *texts in zip(places.tolist(), sources, targets, strict=True):
            pair = Drawn(split, *texts)
            script = script_of(pair.source + pair.target)
            self._measured[place] = Measured(found_share(pair), script)
            if place in self._shown:
                self._shown[place] = pair

    def _texts(self, side: Ragged, rows: Any) -> Iterator[str]:
        ends = np.cumsum(side.lengths)[rows].tolist()
        lengths = side.lengths[rows].tolist()
        spans = zip(ends, lengths, strict=True)
        numbers = (side.numbers[end - length : end].tolist() for end, length in spans)
        for text in numbers:
            yield "".join([self._pieces[one] for one in text])

    def taken(self) -> dict[str, Any]:
        """Returns what has been kept so far, ready for JSON; see ``add``."""
        shown = [(at, *pair) for at, pair in self._shown.items() if pair != _NOTHING]
        measured = [(at, *found) for at, found in self._measured.items()]
        return {"drawn": shown, "measured": measured}

    def add(self, taken: Mapping[str, Any]) -> None:
        """Adds what the same sample has kept of other pairs."""
        self._shown |= {at: Drawn(*pair) for at, *pair in taken["drawn"]}
        self._measured |= {at: Measured(*found) for at, *found in taken["measured"]}

    def pairs(self) -> list[Drawn]:
        """Returns the first pairs that were drawn."""
        return [*self._shown.values()]

    def measures(self) -> list[Measured]:
        """Returns the measures of all pairs, in the order in which they were drawn."""
        return [self._measured[place] for place in self._order]


_NOTHING = Drawn("", "", "")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The data of the report of a corpus.

    Attributes:
        summary: what data.json has about the corpus.
        lengths: the number of pairs by characters, for each side.
        characters: the occurrences of each character in what is trained on, most
            frequent first.
        rare: those of them that a model can copy but not write of its own.
        sample: pairs drawn at random, of which only the first ones are kept.
        measured: what was measured on all pairs drawn at random.
        rejects: the first rejects for each reason.
        dry_run: no dataset was written.
    """

    summary: Mapping[str, Any]
    lengths: Mapping[str, Counter[int]]
    characters: Mapping[str, int]
    rare: Mapping[str, int]
    sample: Sequence[Drawn]
    measured: Sequence[Measured]
    rejects: Mapping[Reason, Sequence[Reject]]
    dry_run: bool = False


def characters_of(pieces: Mapping[str, int]) -> dict[str, int]:
    """Returns the occurrences of each character, most frequent first."""
    counts: Counter[str] = Counter()
    for piece, count in pieces.items():
        for character in piece:
            counts[character] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered)


def rare_of(characters: Mapping[str, int], vocab: Vocab) -> dict[str, int]:
    """Returns the characters that are not among the generable tokens."""
    generable = set(vocab.tokens[: vocab.vocab_size])
    return {one: count for one, count in characters.items() if one not in generable}
