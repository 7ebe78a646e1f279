"""The pairs that styles are found on: texts, forms and features of the articles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headline.data.store import Dataset, evenly
from headline.engines.base import Floats, StyleEngine
from headline.generation.batching import batches_by_length
from headline.generation.searcher import Searcher
from headline.network.styles.form import Form
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.tokenizer import Tokenizer

Check = Callable[[], None]  # raises ``Interrupted`` if a stop was requested

BATCH = 128  # articles that are encoded together
MOST_HELD_OUT = 2_000  # pairs of the valid split that styles are measured on


@dataclass(frozen=True)
class Pairs:
    """N pairs of article and headline."""

    sources: Sequence[Source]
    headlines: Sequence[str]
    forms: Sequence[Form]
    features: Floats  # (N, 2H): see ``StyleEngine.features``
    tokenizer: Tokenizer  # that the sources are encoded with

    def __len__(self) -> int:
        return len(self.headlines)


@dataclass(frozen=True)
class Reader:
    """Reads the pairs of a dataset as a trained model does.

    The dataset may have another vocab than the model, so its pairs are read as texts.

    Args:
        tokenizer: of the model.
        max_length: characters of an article that the model reads.
        engine: runs the model.
        check: called between batches.
    """

    tokenizer: Tokenizer
    max_length: int
    engine: StyleEngine[Any]
    check: Check

    def train_pairs(self, dataset: Dataset, most: int) -> Pairs:
        """Reads at most ``most`` pairs of the train split, evenly spaced."""
        split, decode = dataset.splits["train"], dataset.tokenizer.decode
        places = evenly(len(split), most)
        texts = [(decode(split.source[at]), decode(split.target[at])) for at in places]
        return self._pairs(texts)

    def held_out_pairs(self, dataset: Dataset) -> Pairs:
        """Reads pairs of the valid split."""
        found = dataset.sample("valid", MOST_HELD_OUT)
        texts = ((normalise(one.source), normalise(one.target)) for one in found)
        return self._pairs([pair for pair in texts if all(pair)])

    def _pairs(self, texts: Sequence[tuple[str, str]]) -> Pairs:
        sources = [
            Source.of_normalised(article, self.tokenizer, self.max_length)
            for article, _ in texts
        ]
        headlines = [headline for _, headline in texts]
        forms = [
            Form.of(headline, source.text)
            for headline, source in zip(headlines, sources, strict=True)
        ]
        features = self._features(sources)
        return Pairs(sources, headlines, forms, features, self.tokenizer)

    def _features(self, sources: Sequence[Source]) -> Floats:
        """Returns the features of the articles, ``(N, 2H)``."""
        searcher = Searcher(self.tokenizer, self.engine)
        lengths = {place: len(one.encoded.ids) for place, one in enumerate(sources)}
        found: dict[int, Floats] = {}
        for places in batches_by_length(lengths, BATCH):
            self.check()
            batch = searcher.batch_of([sources[place] for place in places])
            features = self.engine.features(self.engine.encode(batch))
            found |= dict(zip(places, features, strict=True))
        if not found:
            return np.zeros((0, 0), np.float32)
        return np.stack([found[place] for place in range(len(sources))])
