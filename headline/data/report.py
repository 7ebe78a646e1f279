"""The report of ``headline prepare``: counts and lengths, for data.json and a table."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headline import __version__
from headline.data.cleaning import Reason
from headline.data.store import CLEANING, SIDES, SPLITS, UNPAIRED, Corpus
from headline.settings.prepare import PrepareConfig
from headline.text.tokenizer import Tokenizer

PERCENTILES = (5, 50, 95, 100)


@dataclass
class FileCounts:
    """The weight of one file and its pairs in each split."""

    file: str
    weight: float
    pairs: Counter[str] = field(default_factory=Counter)  # by split

    @property
    def train(self) -> Corpus:
        """The train pairs of the file, with its weight."""
        return Corpus(self.file, self.weight, self.pairs["train"])

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts, ready for JSON."""
        pairs = {split: self.pairs[split] for split in SPLITS}
        return {"file": self.file, "weight": self.weight, **pairs}


@dataclass
class Counts:
    """The counts of one preparation."""

    corpora: list[FileCounts]
    unpaired: dict[str, int]  # pseudo-pairs of each file
    rows: int = 0
    cut: int = 0  # articles longer than ``max_source_length``
    rejects: Counter[str] = field(default_factory=Counter)
    lengths: Mapping[str, Counter[int]] = field(  # pairs by characters
        default_factory=lambda: {side: Counter() for side in SIDES}
    )

    def pairs(self, split: str) -> int:
        """Returns the number of pairs in a split, from all files."""
        return sum(corpus.pairs[split] for corpus in self.corpora)


def summarise(
    config: PrepareConfig, counts: Counts, tokenizer: Tokenizer
) -> dict[str, Any]:
    """Returns the part of data.json that describes the corpus and its preparation."""
    pairs = {split: counts.pairs(split) for split in SPLITS}
    unpaired = {UNPAIRED: sum(counts.unpaired.values())} if counts.unpaired else {}
    rejects = {str(reason): counts.rejects[reason] for reason in Reason}
    return {
        "version": __version__,
        "config": config.to_dict(),
        "counts": {
            "rows": counts.rows,
            "rejected": counts.rejects.total(),
            **pairs,
            **unpaired,
            "articles_cut": counts.cut,
            "tokens": len(tokenizer.vocab),
            "generable": tokenizer.vocab.vocab_size,
        },
        "corpora": [corpus.to_dict() for corpus in counts.corpora],
        **({UNPAIRED: counts.unpaired} if counts.unpaired else {}),
        "rejects": {reason: count for reason, count in rejects.items() if count},
        "lengths": {side: _percentiles(counts.lengths[side]) for side in SIDES},
    }


def _percentiles(lengths: Counter[int]) -> dict[str, int]:
    """Returns ``PERCENTILES`` of the lengths, by the nearest rank."""
    values = sorted(lengths)
    below = np.cumsum([lengths[value] for value in values])
    places = np.around(np.array(PERCENTILES) / 100 * (below[-1] - 1))
    found = np.searchsorted(below, places, side="right").tolist()
    return {
        f"p{share}": values[place]
        for share, place in zip(PERCENTILES, found, strict=True)
    }


def summary_table(summary: Mapping[str, Any]) -> str:
    """Returns the counts and length percentiles as a readable table."""
    lines = []
    for name, count in summary["counts"].items():
        lines.append(f"{name.replace('_', ' '):24}{count:>12,}")
        if name == "rejected":
            reasons = summary["rejects"].items()
            lines += [f"  {reason:34}{number:>12,}" for reason, number in reasons]
    lines += _cleaned_lines(summary.get(CLEANING))
    head = "".join(f"{f'p{share}':>8}" for share in PERCENTILES)
    lines.append(f"{'length in characters':24}{head}")
    for side, name in zip(SIDES, ("article", "headline"), strict=True):
        row = "".join(f"{length:>8,}" for length in summary["lengths"][side].values())
        lines.append(f"  {name:22}{row}")
    unpaired = summary.get(UNPAIRED, {})
    if len(summary["corpora"]) + len(unpaired) > 1:
        lines += _corpora_lines(summary["corpora"], unpaired)
    return "\n".join(lines)


def _cleaned_lines(found: Mapping[str, Any] | None) -> list[str]:
    """Returns one line for each kind of removal that was made."""
    if found is None:
        return []
    counts = {"title lines of articles": found["titles"]["pairs"]}
    for name, key in (
        ("affixes of headlines", "affixes"),
        ("datelines", "openings"),
        ("closing lines", "closings"),
    ):
        counts[name] = sum(one["pairs"] for one in found[key])
    made = [f"  {name:34}{count:>12,}" for name, count in counts.items() if count]
    return ["removed", *made] if made else []


def _corpora_lines(
    corpora: Iterable[Mapping[str, Any]], unpaired: Mapping[str, int]
) -> list[str]:
    """Returns one line per file; the name comes last because it may be long."""
    head = "".join(f"{name:>12}" for name in ("weight", *SPLITS))
    lines = [f"{head}  corpus"]
    for corpus in corpora:
        row = "".join(f"{corpus[split]:>12,}" for split in SPLITS)
        lines.append(f"{corpus['weight']:>12g}{row}  {corpus['file']}")
    for file, pairs in unpaired.items():
        lines.append(f"{f'{pairs:,} pseudo-pairs':>48}  {file}")
    return lines
