"""What cleaning has found and removed, for data.json and the people who read it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from headline.data.affixes import END, START
from headline.data.cleaner import (
    AFFIX_END,
    AFFIX_START,
    CLOSING,
    OPENING,
    SHOWN,
    TITLE,
    Hit,
)
from headline.data.cleaning import Reason, Reject
from headline.data.corpus import Pair
from headline.data.rules import Rules
from headline.data.selection import ALL_SPLITS, Choice

EXAMPLES = 5  # of each rule and each reason
LISTED = 100  # repeated headlines, and affixes that are kept
REASONS = (Reason.REPEATED, Reason.UNRELATED, Reason.NEAR_DUPLICATE)


@dataclass
class Findings:
    """What was removed from all pairs, counted by kind and rule, with examples."""

    counts: dict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    examples: dict[tuple[str, str], list[tuple[str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, hits: Iterable[Hit], rejected: Collection[int]) -> None:
        """Counts the removals from rows that are not rejected."""
        for row, kind, rule, before, after in hits:
            if row in rejected:
                continue
            self.counts[kind][rule] += 1
            self.show(kind, rule, [(before, after)])

    def show(self, kind: str, rule: str, found: Iterable[tuple[str, str]]) -> None:
        """Keeps examples of a rule if they are among its first ones."""
        examples = self.examples[kind, rule]
        examples.extend(islice(found, EXAMPLES - len(examples)))

    def total(self, *kinds: str) -> int:
        """Returns the number of removals of some kinds."""
        return sum(self.counts[kind].total() for kind in kinds)

    def listed(self, kind: str, name: str) -> list[dict[str, Any]]:
        """Returns the rules of a kind, most frequent first, ready for JSON."""
        counts = self.counts[kind]
        return [
            {name: rule, "pairs": n, "examples": self.examples[kind, rule]}
            for rule, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]


@dataclass
class Rejected:
    """The first rejects for each reason."""

    examples: dict[Reason, list[Reject]] = field(
        default_factory=lambda: {reason: [] for reason in Reason}
    )

    def add(self, reject: Reject) -> None:
        """Keeps a reject if it is one of the first for its reason."""
        examples = self.examples[reject.reason]
        if len(examples) < EXAMPLES:
            examples.append(reject)

    def to_dict(self) -> dict[str, Any]:
        """Returns the examples for reasons that only cleaning has, ready for JSON."""
        return {
            str(reason): [
                {"file": one.file, "row": one.row, "excerpt": one.excerpt}
                for one in self.examples[reason]
            ]
            for reason in REASONS
        }


def removals(rules: Rules, found: Findings) -> dict[str, Any]:
    """Returns what was removed from headlines and articles, ready for JSON.

    ``rules`` are those that a model needs.
    """
    ends = (START, AFFIX_START), (END, AFFIX_END)
    kept = [one for one in rules.candidates if one.problem]
    titles = {"pairs": found.total(TITLE), "examples": found.examples[TITLE, ""]}
    return {
        "sampled": rules.sampled,
        "rules": rules.articles.to_dict(),
        "affixes": [
            {"end": end, **one}
            for end, kind in ends
            for one in found.listed(kind, "text")
        ],
        "kept_affixes": [
            {"end": one.affix.end, "text": one.affix.text, "sampled": one.pairs}
            | {"why": one.problem}
            for one in kept[:LISTED]
        ],
        "titles": titles,
        "openings": found.listed(OPENING, "rule"),
        "closings": found.listed(CLOSING, "rule"),
    }


def wanted_texts(chosen: Choice) -> set[int]:
    """Returns the pairs whose texts ``choices`` shows."""
    repeated = {first for first, _ in chosen.repeated[:LISTED]}
    return repeated.union(*chosen.twins[:EXAMPLES])


def choices(chosen: Choice, texts: Mapping[int, Pair]) -> dict[str, Any]:
    """Returns what the choice among all pairs left out, ready for JSON."""
    repeated = [
        {"headline": texts[first].target, "articles": articles}
        for first, articles in chosen.repeated[:LISTED]
    ]
    counts = dict(zip(ALL_SPLITS, chosen.twins_by_split(), strict=True))
    examples = [
        {"kept": _shown(texts[kept]), "dropped": _shown(texts[dropped])}
        for kept, dropped in chosen.twins[:EXAMPLES]
    ]
    return {
        "repeated_headlines": repeated,
        "near_duplicates": {**counts, "examples": examples},
    }


def _shown(pair: Pair) -> Sequence[str]:
    return pair.target, pair.source[:SHOWN]
