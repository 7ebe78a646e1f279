"""Where each token of a headline comes from: copied from the article, or written.

The model is replayed with NumPy, whatever engine wrote the headline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from headline.bundle import Bundle, load_bundle
from headline.engines.base import TINY, Floats, SourceBatch
from headline.engines.numpy.engine import NumpyEngine
from headline.engines.numpy.trace import Trace, traces
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.text.source import Readable, Source
from headline.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Token:
    """A token of a headline, and what the model made it from."""

    text: str  # "" for the end
    probability: float
    copy_share: float  # of the probability: what copying gave to it, 0 to 1
    weights: Floats  # (S,): where it was copied from; if written, where it looked

    @property
    def is_copied(self) -> bool:
        """Tells whether copying gave at least half of the probability."""
        return self.copy_share >= 0.5


@dataclass(frozen=True)
class ExplainedHeadline:
    """A candidate of an article."""

    text: str
    score: float  # as the search gave it
    tokens: tuple[Token, ...]  # the end included


@dataclass(frozen=True)
class Explanation:
    """An article with its candidates, best first."""

    source: tuple[str, ...]  # the article's tokens as texts, as many as S
    unread: str  # what stands past the most that the model reads
    headlines: tuple[ExplainedHeadline, ...]
    pointer: bool  # False: the model cannot copy


class Explainer:
    """Replays headlines.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        max_source_length: characters of an article that are read.
    """

    def __init__(
        self, tokenizer: Tokenizer, engine: NumpyEngine, max_source_length: int
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.max_source_length = max_source_length

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
        return cls(bundle.tokenizer, engine, bundle.max_source_length)

    @classmethod
    def beside(cls, generator: Generator, bundle: Bundle) -> Self:
        """Explains what a generator writes, with its engine where that is NumPy's.

        Args:
            bundle: which the generator runs.
        """
        if not isinstance(generator.engine, NumpyEngine):
            return cls.from_bundle(bundle)
        engine = generator.engine.without_shortlist()
        return cls(generator.tokenizer, engine, generator.max_source_length)

    @property
    def pointer(self) -> bool:
        """Tells whether the model can copy."""
        return self.engine.config.pointer

    def explain(self, article: Readable, headlines: Sequence[Headline]) -> Explanation:
        """Replays what a ``Generator`` with the same model wrote for an article.

        Args:
            article: raw text, or what the generator has read of it; a blank one has no
                headline to explain.
        """
        source = Source.read(article, self.tokenizer, self.max_source_length)
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
        copy_ids = source.encoded.ids[None]
        batch = SourceBatch(self.tokenizer.embeddable(copy_ids), copy_ids)
        targets = [headline.ids for headline in headlines]
        found = traces(self.engine, batch, targets)
        return [
            ExplainedHeadline(
                headline.text, headline.score, self._tokens(headline, trace)
            )
            for headline, trace in zip(headlines, found, strict=True)
        ]

    def _tokens(self, headline: Headline, trace: Trace) -> tuple[Token, ...]:
        texts = [*(self._text(token, headline.extra) for token in headline.ids), ""]
        return tuple(_token(text, trace, place) for place, text in enumerate(texts))

    def _text(self, token: int, extra: Sequence[str]) -> str:
        return self.tokenizer.decode([token], extra)


def _token(text: str, trace: Trace, place: int) -> Token:
    copied = float(trace.copied[place])
    probability = copied + float(trace.generated[place])
    share = copied / max(probability, float(TINY))
    # What was written was not copied from anywhere: show what the model looked at.
    weights = trace.copy if share >= 0.5 else trace.attention
    return Token(text, probability, share, weights[place])
