"""Sample headlines over the epochs, as HTML, marked where the reference agrees."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from itertools import groupby
from typing import Any

from headline.evaluation.metrics import rouge

STYLE = """
.samples { display: grid; gap: 0 2.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }
.sample { padding: .8rem 0; }
.sample p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
.sample .article { opacity: .7; font-size: .9rem; }
.sample table { display: block; max-height: 36rem; overflow-y: auto; }
.sample td, .sample th { font-weight: normal; overflow-wrap: anywhere; }
.sample td:nth-child(2), .sample th:nth-child(2) { width: 100%; font-size: 1.05rem; }
.sample th:nth-child(2) { font-weight: 600; }
.sample td:first-child, .sample th:first-child { white-space: nowrap; opacity: .7;
  font-size: .85rem; }
.sample .kept td:first-child { opacity: 1; font-weight: 600; }
b { font-weight: inherit; background: rgb(15 138 95 / 22%); border-radius: 2px;
  padding: .1em 0; }
"""

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class Turn:
    """A headline that was written for an article in some epochs in a row."""

    first: int
    last: int
    text: str


def turns(samples: Iterable[Sample]) -> list[Turn]:
    """Joins the epochs after which the headline of an article was the same."""
    found = []
    for text, same in groupby(samples, key=lambda sample: str(sample["headline"])):
        epochs = [int(sample["epoch"]) for sample in same]
        found.append(Turn(epochs[0], epochs[-1], text))
    return found


def marked(headline: str, reference: str) -> str:
    """Returns the headline as HTML, with what the reference has too, in the same order,
    in ``b``."""
    matcher = SequenceMatcher(None, headline, reference, autojunk=False)
    parts, end = [], 0
    for block in matcher.get_matching_blocks():  # the last of which is empty
        parts.append(escape(headline[end : block.a]))
        end = block.a + block.size
        if block.size:
            parts.append(f"<b>{escape(headline[block.a : end])}</b>")
    return "".join(parts)


def samples_view(samples: Sequence[Sample], kept: int) -> str:
    """Shows each article with its reference and the headlines written for it.

    Args:
        samples: with ``epoch``, ``source``, ``reference`` and ``headline``, by epoch.
        kept: the epoch whose weights were kept.
    """
    articles: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        key = sample["source"], sample["reference"]
        articles.setdefault(key, []).append(sample)
    parts = [
        _article(source, reference, turns(found), kept)
        for (source, reference), found in articles.items()
    ]
    return f'<div class="samples">{"".join(parts)}</div>'


def _article(source: str, reference: str, found: Sequence[Turn], kept: int) -> str:
    rows = "".join(_row(turn, reference, kept) for turn in found)
    return (
        f'<div class="sample"><p class="article">{escape(source)}…</p><table>'
        f"<tr><th>reference</th><th>{escape(reference)}</th><th></th></tr>{rows}"
        "</table></div>"
    )


def _row(turn: Turn, reference: str, kept: int) -> str:
    kind, star = ' class="kept"', " ★"
    if not turn.first <= kept <= turn.last:
        kind = star = ""
    epochs = f"{turn.first}" if turn.first == turn.last else f"{turn.first}–{turn.last}"
    score = rouge(turn.text, reference).rouge_l
    return (
        f"<tr{kind}><td>epoch {epochs}{star}</td>"
        f"<td>{marked(turn.text, reference)}</td>"
        f'<td class="number">{score:.0f}</td></tr>'
    )
