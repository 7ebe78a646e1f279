"""The answers for an article, as JSON: headlines, scores and explanations."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from headline.generation.explain import ExplainedHeadline, Explanation, Token
from headline.generation.headlines import Headline
from headline.text.source import Source
from headline.text.unsupported import Article, Unsupported

DIGITS = 4  # of a score, as ``generate --with-scores`` writes it
MOST_PLACES = 5  # of the article that one token of a headline is explained by


def to_json(value: Any) -> bytes:
    """Returns compact JSON; it has no lone surrogates, which UTF-8 cannot encode."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def headlines_of(source: Source, headlines: Sequence[Headline]) -> dict[str, Any]:
    """Returns the answer for an article: its headlines, or why there are none."""
    known = Article.of(source.whole)
    answer: dict[str, Any] = {
        "headlines": [headline_fields(one, known) for one in headlines]
    }
    if headlines[0].error is not None:
        answer["error"] = headlines[0].error
    return answer


def headline_fields(headline: Headline, known: Article) -> dict[str, Any]:
    """Returns everything that is told about a headline.

    Args:
        known: what the article has.
    """
    fields = _plain_fields(headline, known)
    return fields if headline.style is None else fields | {"style": headline.style}


def _plain_fields(
    headline: Headline | ExplainedHeadline, known: Article
) -> dict[str, Any]:
    fields = {
        "text": headline.text,
        "score": round(headline.score, DIGITS),
        "unsupported": [_unsupported(one) for one in known.lacking(headline.text)],
    }
    if headline.confidence is not None:
        fields["confidence"] = headline.confidence
    return fields


def _unsupported(one: Unsupported) -> dict[str, Any]:
    fields: dict[str, Any] = {"text": one.text, "start": one.begin, "end": one.end}
    return fields | {"kind": one.kind, "in_pieces": one.in_pieces}


def score_fields(score: float) -> dict[str, Any]:
    """Returns the answer for the score of a headline; a blank article has none."""
    return {"score": round(score, DIGITS) if math.isfinite(score) else None}


def explanation_fields(source: Source, explanation: Explanation) -> dict[str, Any]:
    """Returns where the tokens of headlines come from."""
    known = Article.of(source.whole)
    return {
        "source": explanation.source,
        "unread": explanation.unread,
        "pointer": explanation.pointer,
        "headlines": [_explained(one, known) for one in explanation.headlines],
    }


def _explained(headline: ExplainedHeadline, known: Article) -> dict[str, Any]:
    # The last token ends the headline and has no text.
    tokens = [_token(one) for one in headline.tokens[:-1]]
    return _plain_fields(headline, known) | {"tokens": tokens}


def _token(token: Token) -> dict[str, Any]:
    order = np.argsort(-token.weights, kind="stable")[:MOST_PLACES].tolist()
    places = [
        {"place": place, "weight": round(float(token.weights[place]), DIGITS)}
        for place in order
    ]
    return {
        "text": token.text,
        "probability": round(token.probability, DIGITS),
        "copy_share": round(token.copy_share, DIGITS),
        "copied": token.is_copied,
        "unsure": token.is_unsure,
        "places": places,
    }
