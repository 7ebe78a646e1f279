"""Sample headlines over the epochs, marked where the reference agrees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from headline.evaluation.metrics import rouge

Sample = Mapping[str, Any]
Piece = tuple[str, bool]  # of a headline, and whether the reference has it too


@dataclass(frozen=True)
class Turn:
    """A headline that was written for an article in some epochs in a row."""

    first: int
    last: int
    text: str


@dataclass(frozen=True)
class TurnView:
    """A turn beside the reference of its article."""

    epochs: str
    kept: bool  # whether the kept weights are of one of them
    pieces: Sequence[Piece]
    score: float  # ROUGE-L


@dataclass(frozen=True)
class SampleView:
    """An article with its reference and the headlines written for it."""

    source: str
    reference: str
    turns: Sequence[TurnView]


def turns(samples: Iterable[Sample]) -> list[Turn]:
    """Joins consecutive epochs in which the headline of an article was the same."""
    found = []
    for text, same in groupby(samples, key=lambda sample: str(sample["headline"])):
        epochs = [int(sample["epoch"]) for sample in same]
        found.append(Turn(epochs[0], epochs[-1], text))
    return found


def marked(headline: str, reference: str) -> list[Piece]:
    """Cuts a headline into pieces that the reference has in the same order, and others.

    Returns:
        the pieces in order, none of them empty.
    """
    matcher = SequenceMatcher(None, headline, reference, autojunk=False)
    pieces, end = [], 0
    for block in matcher.get_matching_blocks():  # the last of which is empty
        pieces.append((headline[end : block.a], False))
        end = block.a + block.size
        pieces.append((headline[block.a : end], True))
    return [(text, shared) for text, shared in pieces if text]


def samples_view(samples: Sequence[Sample], kept: int) -> list[SampleView]:
    """Returns the data of ``samples.html``: each article with its headlines.

    Args:
        samples: with ``epoch``, ``source``, ``reference`` and ``headline``, by epoch.
        kept: the epoch whose weights were kept.
    """
    articles: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        key = sample["source"], sample["reference"]
        articles.setdefault(key, []).append(sample)
    return [
        SampleView(
            source, reference, [_turn(turn, reference, kept) for turn in turns(found)]
        )
        for (source, reference), found in articles.items()
    ]


def _turn(turn: Turn, reference: str, kept: int) -> TurnView:
    one = turn.first == turn.last
    return TurnView(
        epochs=f"{turn.first}" if one else f"{turn.first}–{turn.last}",
        kept=turn.first <= kept <= turn.last,
        pieces=marked(turn.text, reference),
        score=rouge(turn.text, reference).rouge_l,
    )
