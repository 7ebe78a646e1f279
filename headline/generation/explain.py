"""Explains for each token of a headline whether it was copied, and from where.

The headline is replayed with NumPy, whichever engine wrote it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from headline.bundle import Bundle, load_bundle
from headline.engines.base import TINY, Floats, SourceBatch
from headline.engines.numpy.engine import NumpyEngine
from headline.engines.numpy.trace import Trace, traces
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.text.boilerplate import NO_RULES, ArticleRules
from headline.text.normalise import normalise
from headline.text.source import Readable, Source
from headline.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from headline.network.styles.catalogue import Styles


# A less likely token is one that the model was unsure about. On the valid splits of TV
# news and wire stories these are 4% and 6% of the characters; 66% and 70% of them are
# not in the editor's headline in this order (of the others 41% and 51%).
UNSURE = 0.3


@dataclass(frozen=True)
class Token:
    """A token of a headline, and where it comes from."""

    text: str  # "" for EOS
    probability: float
    copy_share: float  # share of the probability that comes from copying, 0 to 1
    weights: Floats  # (S,): copy weights if copied, attention if generated

    @property
    def is_copied(self) -> bool:
        """Whether at least half of the probability comes from copying."""
        return self.copy_share >= 0.5

    @property
    def is_unsure(self) -> bool:
        """Whether the model was unsure about it; EOS does not count."""
        return bool(self.text) and self.probability < UNSURE


@dataclass(frozen=True)
class ExplainedHeadline:
    """A candidate of an article."""

    text: str
    score: float  # from the search
    tokens: tuple[Token, ...]  # including EOS
    style: str | None = None  # the name or number of its style, if it has one
    confidence: float | None = None  # in percent, if it was asked for


@dataclass(frozen=True)
class Explanation:
    """An article with its candidates, best first."""

    source: tuple[str, ...]  # the S tokens of the article, as texts
    unread: str  # the rest of the article, past the limit that the model reads
    headlines: tuple[ExplainedHeadline, ...]
    pointer: bool  # False: the model cannot copy


class Explainer:
    """Replays headlines.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        max_source_length: characters of an article that are read.
        rules: what is removed from articles before they are read.
        styles: of the model, if it has some.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        engine: NumpyEngine,
        max_source_length: int,
        rules: ArticleRules = NO_RULES,
        styles: "Styles | None" = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.max_source_length = max_source_length
        self.rules, self.styles = rules, styles

    @classmethod
    def load(cls, model_dir: Path) -> Self:
        """Opens a MODEL_DIR.

        Raises:
            BundleError: the folder holds no model, or a damaged one.
        """
        return cls.from_bundle(load_bundle(model_dir))

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Runs a bundle with NumPy."""
        engine = NumpyEngine(bundle.model, bundle.weights)
        longest, rules, styles = bundle.max_source_length, bundle.rules, bundle.styles
        return cls(bundle.tokenizer, engine, longest, rules, styles)

    @classmethod
    def beside(cls, generator: Generator, bundle: Bundle) -> Self:
        """Explains what a generator writes; reuses its engine if that is NumPy's.

        Args:
            bundle: the bundle that the generator runs.
        """
        if not isinstance(generator.engine, NumpyEngine):
            return cls.from_bundle(bundle)
        engine = generator.engine.without_shortlist()
        longest, rules = generator.max_source_length, generator.rules
        return cls(generator.tokenizer, engine, longest, rules, bundle.styles)

    @property
    def pointer(self) -> bool:
        """Whether the model can copy."""
        return self.engine.config.pointer

    def explain(self, article: Readable, headlines: Sequence[Headline]) -> Explanation:
        """Replays the headlines that a ``Generator`` with the same model wrote.

        Args:
            article: raw text, or the result of the generator's ``read``; a blank
                article has no headline to explain.
        """
        longest = self.max_source_length
        source = Source.read(article, self.tokenizer, longest, self.rules)
        ids, extra = source.encoded.ids, source.encoded.extra
        return Explanation(
            tuple(self._text(token, extra) for token in ids.tolist()),
            source.unread,
            tuple(self._replayed(source, headlines)) if len(ids) else (),
            self.pointer,
        )

    def _replayed(
        self, source: Source, headlines: Sequence[Headline]
    ) -> list[ExplainedHeadline]:
        found: dict[str | None, Iterator[Trace]] = {}
        for style in {headline.style for headline in headlines}:
            targets = [each.ids for each in headlines if each.style == style]
            found[style] = iter(
                traces(self.engine, self._batch(source, style), targets)
            )
        return [
            ExplainedHeadline(
                headline.text,
                headline.score,
                self._tokens(headline, next(found[headline.style])),
                headline.style,
                headline.confidence,
            )
            for headline in headlines
        ]

    def _batch(self, source: Source, style: str | None) -> SourceBatch:
        """Returns the article alone, in a style if one is given."""
        copy_ids, condition = source.encoded.ids[None], None
        if style is not None and self.styles is not None:
            condition = np.array([self.styles.place_of(style)], np.int32)
        return SourceBatch(self.tokenizer.embeddable(copy_ids), copy_ids, condition)

    def _tokens(self, headline: Headline, trace: Trace) -> tuple[Token, ...]:
        texts = [*(self._text(token, headline.extra) for token in headline.ids), ""]
        return tuple(_token(text, trace, place) for place, text in enumerate(texts))

    def _text(self, token: int, extra: Sequence[str]) -> str:
        return self.tokenizer.decode([token], extra)


def _token(text: str, trace: Trace, place: int) -> Token:
    copied = float(trace.copied[place])
    probability = copied + float(trace.generated[place])
    share = copied / max(probability, float(TINY))
    # A generated token was not copied, so show the attention instead.
    weights = trace.copy if share >= 0.5 else trace.attention
    return Token(text, probability, share, weights[place])


def encoded_headline(
    headline: str | Headline, source: Source, generator: Generator
) -> Headline:
    """Turns any text into a headline of an article, with its ids and its score."""
    text = normalise(headline if isinstance(headline, str) else headline.text)
    encoded = generator.tokenizer.encode(text, source.encoded.extra)
    (score,) = generator.score([source], [text])
    extra = tuple(encoded.extra)
    return Headline(text, score, ids=tuple(encoded.ids.tolist()), extra=extra)
