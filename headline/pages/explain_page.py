"""``generate --explain``: articles with their headlines, each character linked to where
it was copied from, as one HTML page.

Its script shades an article for the character that is pointed at, tapped or focused.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, count
from pathlib import Path

import numpy as np

from headline.engines.base import Floats
from headline.errors import HeadlineError
from headline.generation.explain import (
    UNSURE,
    ExplainedHeadline,
    Explanation,
    Token,
)
from headline.pages.heat_map import (
    HeatMap,
    heat_map,
    kind_of,
    percent,
    shades_of,
    visible,
)
from headline.pages.rendering import fill, pieces
from headline.system.outputs import output_stream
from headline.text.unsupported import Article, Unsupported

STRONG = 1 / 8  # of a headline's greatest weight: smaller weights are not shown

HOLE = "\0"  # place of the articles on the page; our texts never have this character


@dataclass(frozen=True, kw_only=True)
class TokenView:
    """A token of a headline, as a button."""

    text: str
    shown: str  # the same with a sign for a space and for the end
    title: str
    kind: str  # CSS classes
    share: int  # of copying, in percent
    numbered: bool  # whether the share is shown
    shades: str  # of the article: places and percents, such as ``3:100 7:25``


@dataclass(frozen=True, kw_only=True)
class CandidateView:
    """A headline with its tokens."""

    text: str
    style: str  # its name or number; "" without one
    score: str
    confidence: str  # in percent; "" without one
    shades: str  # of the article, for the whole headline
    lacking: str  # what the article lacks, or has in pieces only; "" if nothing
    tokens: Sequence[TokenView]
    map: HeatMap


@dataclass(frozen=True, kw_only=True)
class ArticleView:
    """The data of ``article.html``: an article with its candidates, best first."""

    number: int
    kind: str = ""  # CSS class
    headline: str = ""  # the best
    source: Sequence[tuple[str, int | None]] = ()  # tokens with their shades, if any
    unread: str = ""
    candidates: Sequence[CandidateView] = ()  # none if the article is blank


@contextmanager
def explanation_page(
    path: Path, pointer: bool
) -> Iterator[Callable[[Explanation], None]]:
    """Yields a function that adds an article; the page exists if the body succeeds.

    Args:
        pointer: whether the model can copy.

    Raises:
        HeadlineError: the page cannot be written.
    """
    _check_folder(path)
    with output_stream(path) as stream:
        page = fill(
            "explain.html", pointer=pointer, articles=HOLE, unsure=percent(UNSURE)
        )
        before, after = page.split(HOLE)
        stream.write(before)
        numbers = count(1)

        def write(explanation: Explanation) -> None:
            stream.writelines(section(next(numbers), explanation))

        yield write
        stream.write(after)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise HeadlineError(f"cannot write {path}: there is no folder {path.parent}")


# --- an article -----------------------------------------------------------------------


def section(number: int, explanation: Explanation) -> Iterator[str]:
    """Yields an article with its candidates, in pieces."""
    return pieces("article.html", article=_article(number, explanation))


def _article(number: int, explanation: Explanation) -> ArticleView:
    if not explanation.headlines:
        return ArticleView(number=number)
    facts = Article.of("".join(explanation.source) + explanation.unread)
    return ArticleView(
        number=number,
        kind=kind_of(explanation.pointer),
        headline=explanation.headlines[0].text,
        source=_source(explanation),
        unread=explanation.unread,
        candidates=[
            _candidate(one, explanation, facts) for one in explanation.headlines
        ],
    )


def _source(explanation: Explanation) -> list[tuple[str, int | None]]:
    """Returns the article, shaded for the whole of its best headline."""
    whole = _whole(explanation.headlines[0], explanation.pointer)
    shades = dict(shades_of(whole, len(whole)))
    return [(text, shades.get(place)) for place, text in enumerate(explanation.source)]


def _candidate(
    headline: ExplainedHeadline, explanation: Explanation, facts: Article
) -> CandidateView:
    pointer, source = explanation.pointer, explanation.source
    texts = [token.text for token in headline.tokens]
    lacking = facts.lacking("".join(texts))
    marks = _marks(texts, lacking)
    return CandidateView(
        text=headline.text,
        style=headline.style or "",
        score=f"{headline.score:.2f}",
        confidence=_percent(headline.confidence),
        shades=_pairs(shades_of(_whole(headline, pointer), len(source))),
        lacking=", ".join(map(_told, lacking)),
        tokens=[
            _token(token, pointer, mark)
            for token, mark in zip(headline.tokens, marks, strict=True)
        ],
        map=heat_map(headline.tokens, source),
    )


def _percent(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.1f}%"


def _marks(texts: Sequence[str], lacking: Sequence[Unsupported]) -> list[str]:
    """Returns the class of each token that belongs to what the article lacks, or ""."""
    ends = [*accumulate(map(len, texts))]
    return [
        "lacking"
        if any(one.begin < end and end - len(text) < one.end for one in lacking)
        else ""
        for text, end in zip(texts, ends, strict=True)
    ]


def _told(one: Unsupported) -> str:
    return f"{one.text} (in pieces only)" if one.in_pieces else one.text


def _token(token: Token, pointer: bool, mark: str) -> TokenView:
    """Describes a token; ``mark`` is a class, or ""."""
    shown = visible(token.text)
    numbered = pointer and bool(token.text)
    title = f"{shown}  probability {percent(token.probability)}"
    if numbered:
        title += f", P(copy) {percent(token.copy_share)}"
    unsure = "unsure" if token.is_unsure else ""
    end = "" if token.text else "end"
    kinds = filter(None, (kind_of(token.is_copied), end, unsure, mark))
    return TokenView(
        text=token.text,
        shown=shown,
        title=title,
        kind=" ".join(kinds),
        share=round(100 * token.copy_share),
        numbered=numbered,
        shades=_pairs(shades_of(token.weights)),
    )


def _pairs(shades: Sequence[tuple[int, int]]) -> str:
    return " ".join(f"{place}:{shade}" for place, shade in shades)


def _whole(headline: ExplainedHeadline, pointer: bool) -> Floats:
    """Returns the greatest weight of each token of the article, shape ``(S,)``.

    If the model has a pointer, generated tokens are left out: they were not copied.
    """
    rows = [
        token.weights
        for token in headline.tokens
        if token.text and (token.is_copied or not pointer)
    ]
    none = np.zeros_like(headline.tokens[0].weights)
    greatest: Floats = np.max([none, *rows], axis=0)
    return np.where(greatest >= STRONG * greatest.max(), greatest, 0)
