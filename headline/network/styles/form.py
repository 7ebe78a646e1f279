"""The form of a headline, given its article: length, copying, punctuation, characters.

Styles are found by form and not by topic, so a form has only what an editor could
change without changing the news. ``FormSpace`` turns forms into the 0s and 1s that the
style VAE reads and reconstructs.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Number = TypeVar("Number", int, float)

# Where the first bigram of the headline begins in the article: the first place of each
# bucket after the first. One more bucket is for bigrams that the article lacks.
PLACES = (1, 8, 25, 60)
ENDS = 150  # frequent first characters of headlines, and as many last ones
FREQUENT = 300  # frequent characters, whose presence is a feature
LENGTHS, COPIED = 10, 5  # buckets of lengths and of copied shares, equally frequent

# Marks of punctuation whose presence is a feature. Between digits, a colon separates
# goals or minutes, and a comma thousands. A space beside a Latin word or behind a
# number belongs to that, and does not part two clauses.
MARKS: Mapping[str, "re.Pattern[str]"] = {
    "colon": re.compile("：|:(?![0-9])"),
    "space": re.compile(r"(?<=[^!-~]) (?=[^A-Za-z(])"),
    "comma": re.compile("[，；;]|,(?![0-9])"),
    "question": re.compile("[？?！!]"),
    "quote": re.compile('[“"「『]'),
}


@dataclass(frozen=True)
class Form:
    """The form of one headline."""

    text: str  # the headline
    place: int  # where its first two characters stand in the article; -1 if nowhere
    copied: float  # share of its bigrams that the article has, 0 to 1
    marks: frozenset[str]  # the names of its ``MARKS``

    @classmethod
    def of(cls, headline: str, article: str) -> Self:
        """Returns the form of a headline.

        Args:
            headline: normalised; not empty.
            article: the part of the article that the model reads, normalised.
        """
        bigrams = [one + other for one, other in pairwise(headline)]
        found = sum(bigram in article for bigram in bigrams)
        marks = (name for name, mark in MARKS.items() if mark.search(headline))
        return cls(
            text=headline,
            place=article.find(headline[:2]),
            copied=found / max(1, len(bigrams)),
            marks=frozenset(marks),
        )


class Group(NamedTuple):
    """Features that belong together: adjacent columns of an encoded form."""

    name: str
    begin: int
    end: int
    is_choice: bool  # exactly one of them is 1; otherwise each is 0 or 1 by itself
    weight: float  # of its reconstruction loss


@dataclass(frozen=True)
class FormSpace:
    """What is told apart in the forms of a corpus, and the columns of the features.

    Attributes:
        lengths: bounds of lengths, ascending; the least length of each bucket but the
            first, in characters.
        copied: bounds of the share of copied bigrams, in the same way.
        first, last, frequent: characters with a feature of their own.
    """

    lengths: tuple[int, ...]
    copied: tuple[float, ...]
    first: str
    last: str
    frequent: str

    @classmethod
    def of(cls, forms: Sequence[Form]) -> Self:
        """Returns the space for the forms of a corpus; there is at least one."""
        return cls(
            lengths=_bounds([len(form.text) for form in forms], LENGTHS),
            copied=_bounds([round(form.copied, 3) for form in forms], COPIED),
            first=_frequent((form.text[0] for form in forms), ENDS),
            last=_frequent((form.text[-1] for form in forms), ENDS),
            frequent=_frequent("".join(form.text for form in forms), FREQUENT),
        )

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of features, in the order of their columns.

        A style is what can be asked of a headline about any article, so what depends on
        the article (digits, names) counts little or nothing.
        """
        sizes = (
            ("length", len(self.lengths), False, 1.0),
            ("place", len(PLACES) + 2, True, 1.5),
            ("colon", 1, False, 4.0),
            ("space", 1, False, 5.0),
            ("comma", 1, False, 4.0),
            ("question", 1, False, 4.0),
            ("quote", 1, False, 1.0),
            ("copied", len(self.copied), False, 1.5),
            ("first", len(self.first) + 1, True, 0.3),
            ("last", len(self.last) + 1, True, 0.3),
            ("frequent", len(self.frequent), False, 0.05),
        )
        ends = np.cumsum([size for _, size, _, _ in sizes]).tolist()
        return tuple(
            Group(name, end - size, end, is_choice, weight)
            for (name, size, is_choice, weight), end in zip(sizes, ends, strict=True)
        )

    @property
    def size(self) -> int:
        """F, the number of features."""
        return self.groups[-1].end

    def encode(self, forms: Sequence[Form]) -> Floats:
        """Returns the features of N forms, 0 or 1, float32 of shape ``(N, F)``."""
        features = np.zeros((len(forms), self.size), np.float32)
        for row, form in zip(features, forms, strict=True):
            row[self._columns(form)] = 1
        return features

    def _columns(self, form: Form) -> list[int]:
        """Returns the columns of the features that a form has."""
        begins, text = self._begins, form.text
        place = len(PLACES) + 1
        if form.place >= 0:
            place = bisect_right(PLACES, form.place)
        columns = [begins["place"] + place, *(begins[mark] for mark in form.marks)]
        # Each bound that is reached is 1, so that near lengths have near codes.
        columns += range(
            begins["length"], begins["length"] + bisect_right(self.lengths, len(text))
        )
        columns += range(
            begins["copied"], begins["copied"] + bisect_right(self.copied, form.copied)
        )
        columns.append(self._ends["first"].get(text[0], begins["last"] - 1))
        columns.append(self._ends["last"].get(text[-1], begins["frequent"] - 1))
        frequent = self._ends["frequent"]
        return columns + [frequent[c] for c in set(text) if c in frequent]

    @cached_property
    def _begins(self) -> dict[str, int]:
        return {group.name: group.begin for group in self.groups}

    @cached_property
    def _ends(self) -> dict[str, dict[str, int]]:
        """The column of each character, by the groups of characters."""
        return {
            name: {c: i for i, c in enumerate(characters, self._begins[name])}
            for name, characters in (
                ("first", self.first),
                ("last", self.last),
                ("frequent", self.frequent),
            )
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the space, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Makes the space from what ``to_dict`` returned.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        texts = {name: raw[name] for name in ("first", "last", "frequent")}
        if not all(type(text) is str for text in texts.values()):
            raise ValueError("the characters of the styles must be texts")
        lengths, copied = map(int, raw["lengths"]), map(float, raw["copied"])
        return cls(lengths=tuple(lengths), copied=tuple(copied), **texts)


def _bounds(values: Sequence[Number], buckets: int) -> tuple[Number, ...]:
    """Returns what parts the values into equally frequent buckets, without repeats."""
    ordered = sorted(values)
    cuts = {ordered[len(ordered) * place // buckets] for place in range(1, buckets)}
    return tuple(sorted(cuts - {ordered[0]}))


def _frequent(characters: Iterable[str], most: int) -> str:
    """Returns the most frequent characters, ties by code point."""
    counts = Counter(characters)
    return "".join(sorted(counts, key=lambda c: (-counts[c], c))[:most])
