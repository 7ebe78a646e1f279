"""``Generator``: article texts in, n-best headlines out.

It serves ``generate`` and ``evaluate`` with the NumPy engine, and the samples and
scores during training with the Keras engine, so that what one sees is what one gets.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

from headline.bundle import Bundle, load_bundle
from headline.config import DecodeConfig, Device
from headline.dataset import pad
from headline.engines.base import Engine
from headline.search import Hypothesis, Lengths, beam_search
from headline.text import normalise
from headline.tokenizer import Encoded, Tokenizer

WINDOW = 32  # batches that are sorted by length together

Item = TypeVar("Item")


@dataclass(frozen=True)
class Headline:
    """A headline and its score: log-probability over length penalty, at most 0."""

    text: str
    score: float
    ids: tuple[int, ...] = field(default=(), compare=False, repr=False)  # as decoded


BLANK = Headline("", 0.0)


class Generator:
    """Writes headlines for articles.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        config: how to search.
        max_source_length: characters of an article that are read.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        engine: Engine[Any],
        config: DecodeConfig,
        max_source_length: int,
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.config = config
        self.max_source_length = max_source_length
        self._lengths = Lengths(tokenizer.lengths)

    @classmethod
    def load(cls, model_dir: Path | str, config: DecodeConfig | None = None) -> Self:
        """Opens a MODEL_DIR on the CPU, without Keras.

        Args:
            config: how to search; if left out, as the model says.

        Raises:
            BundleError: the folder holds no model, or a damaged one.
        """
        bundle = load_bundle(Path(model_dir))
        return cls.from_bundle(bundle, config or bundle.decode)

    @classmethod
    def from_bundle(
        cls, bundle: Bundle, config: DecodeConfig, device: Device = "cpu"
    ) -> Self:
        """Runs a bundle: on the CPU with NumPy alone, on a GPU with Keras."""
        engine = _engine(bundle, device)
        return cls(bundle.tokenizer, engine, config, bundle.max_source_length)

    def generate(self, articles: Sequence[str]) -> list[list[Headline]]:
        """Writes headlines for each article.

        Args:
            articles: raw texts; a blank one gets one blank headline.

        Returns:
            of each article, in their order, at most ``config.num_headlines``
            headlines of different texts, best first.
        """
        encoded = [self._encode(article) for article in articles]
        results = [[BLANK] for _ in encoded]
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(encoded)), key=lambda place: len(encoded[place].ids))
        order = [place for place in order if len(encoded[place].ids)]
        for begin in range(0, len(order), self.config.batch_size):
            places = order[begin : begin + self.config.batch_size]
            batch = self._search([encoded[place] for place in places])
            for place, headlines in zip(places, batch, strict=True):
                results[place] = headlines
        return results

    def stream(self, articles: Iterable[str]) -> Iterator[list[Headline]]:
        """As ``generate``, for any number of articles: a window of them at a time."""
        for window in windows(articles, self.window_size):
            yield from self.generate(window)

    @property
    def window_size(self) -> int:
        """Articles to hand over at once, so that sorting them by length pays."""
        return WINDOW * self.config.batch_size

    def _encode(self, article: str) -> Encoded:
        return self.tokenizer.encode(normalise(article)[: self.max_source_length])

    def _search(self, batch: Sequence[Encoded]) -> list[list[Headline]]:
        copy_ids = pad([article.ids for article in batch])
        found = beam_search(
            self.engine,
            self.tokenizer.embeddable(copy_ids),
            copy_ids,
            self._lengths,
            self.config,
        )
        return [
            self._headlines(article, hypotheses)
            for article, hypotheses in zip(batch, found, strict=True)
        ]

    def _headlines(
        self, article: Encoded, hypotheses: Sequence[Hypothesis]
    ) -> list[Headline]:
        headlines: dict[str, Headline] = {}
        for hypothesis in hypotheses:
            text = self.tokenizer.decode(hypothesis.ids, article.extra).strip()
            headline = Headline(text, hypothesis.score, hypothesis.ids)
            headlines.setdefault(text, headline)
        return list(headlines.values())


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields the items in lists of at most ``size``."""
    remaining = iter(items)
    while window := list(islice(remaining, size)):
        yield window


def _engine(bundle: Bundle, device: Device) -> Engine[Any]:
    if device == "gpu":
        # Loads Keras, which no other road here may do.
        from headline.engines.backend import select_device
        from headline.engines.keras_engine import KerasEngine

        select_device(device)
        return KerasEngine.from_weights(bundle.model, bundle.weights)
    from headline.engines.numpy_engine import NumpyEngine

    return NumpyEngine(bundle.model, bundle.weights)
