"""What comes of an article: a headline, or why there is none."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Headline:
    """A headline and how likely the model finds it, or why there is none."""

    text: str
    score: float  # natural log of its probability, its end included
    # Why this article has no headline; the text is blank then.
    error: str | None = field(default=None, kw_only=True)
    # The next best, best first, where several were asked for from Python.
    others: tuple["Headline", ...] = field(default=(), kw_only=True)
    # As decoded, and the characters that have ids past the vocab.
    ids: tuple[int, ...] = field(default=(), compare=False, repr=False)
    extra: tuple[str, ...] = field(default=(), compare=False, repr=False)


BLANK = Headline("", 0.0)
