"""The result for an article: a headline, or why there is none."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Headline:
    """A headline and its log-probability, or why there is none."""

    text: str
    score: float  # natural log of its probability, including EOS
    # The name or number of the style that it was written in, if one was asked for; then
    # the score is that of the model in this style.
    style: str | None = field(default=None, kw_only=True)
    # Why this article has no headline; then the text is blank.
    error: str | None = field(default=None, kw_only=True)
    # The estimated chance that the headline is good, in percent with one decimal, if it
    # was asked for.
    confidence: float | None = field(default=None, kw_only=True)
    # Whether the article is unlike those that the model was trained on, if it can tell.
    unlike: bool = field(default=False, kw_only=True, compare=False)
    # Whether it was below ``min_confidence``; then the text is blank.
    withheld: bool = field(default=False, kw_only=True, compare=False)
    # Further headlines, best first, if the Python API asks for several.
    others: tuple["Headline", ...] = field(default=(), kw_only=True)
    # The decoded ids, and the characters of the ids past the vocab.
    ids: tuple[int, ...] = field(default=(), compare=False, repr=False)
    extra: tuple[str, ...] = field(default=(), compare=False, repr=False)


BLANK = Headline("", 0.0)
