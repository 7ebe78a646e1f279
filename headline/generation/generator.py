"""``Generator``: article texts in, n-best headlines out.

It serves ``generate`` and ``evaluate`` with the NumPy engine, and the samples and
scores during training with the Keras engine, so that what one sees is what one gets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from headline.bundle import Bundle, load_bundle
from headline.engines.base import Engine, SourceBatch
from headline.errors import ConfigError
from headline.search.beam_search import beam_search, score_targets
from headline.search.beams import Hypothesis
from headline.search.consensus import consensus_order
from headline.search.constraints import Constraint, Source, constraint, opening
from headline.search.rules import Rules, TokenTable
from headline.settings.base import Device
from headline.settings.search import MOST_HYPOTHESES, DecodeConfig
from headline.text.ids import pad
from headline.text.normalise import normalise
from headline.text.tokenizer import Encoded, Tokenizer

WINDOW = 16  # batches that are sorted by length together
LONG = 256  # tokens; of longer articles a batch holds fewer
WIDER = 8  # times the beam, where a length limit cuts headlines off

Item = TypeVar("Item")
Advance = Callable[[int], None]  # with the number of articles that are done


@dataclass(frozen=True)
class Headline:
    """A headline and how likely the model finds it, or why there is none."""

    text: str
    score: float  # natural log of its probability, its end included
    # Why this article has no headline; the text is blank then.
    error: str | None = field(default=None, kw_only=True)
    # As decoded, and the characters that have ids past the vocab.
    ids: tuple[int, ...] = field(default=(), compare=False, repr=False)
    extra: tuple[str, ...] = field(default=(), compare=False, repr=False)


def ignore(number: int) -> None:
    """Counts nothing: an ``Advance`` for whoever does not want to know."""


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
        self._tokens = TokenTable(tokenizer.vocab.tokens)

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
        """Runs a bundle: on the CPU with NumPy alone, on a GPU with Keras.

        Args:
            config: how to search.
            device: ``auto`` loads Keras to look for a GPU, and takes the CPU if there
                is none.

        Raises:
            TrainingError: a GPU is asked for and there is none.
        """
        engine = _engine(bundle, config, device)
        return cls(bundle.tokenizer, engine, config, bundle.max_source_length)

    def generate(
        self,
        articles: Sequence[str],
        configs: Sequence[DecodeConfig] | None = None,
        advance: Advance = ignore,
    ) -> list[list[Headline]]:
        """Writes headlines for each article.

        Args:
            articles: raw texts; a blank one gets one blank headline.
            configs: how to search for each; the generator's own if left out.
            advance: called now and then with the number of articles that are done.

        Returns:
            of each article, in their order, at most ``num_headlines`` headlines of
            different texts, best first. Where what is asked of an article contradicts
            itself, it has one blank headline, with the ``error``.

        Raises:
            TypeError: ``articles`` is one text.
            ValueError: there are more or fewer configs than articles.
        """
        configs = self._configs(articles, configs)
        results = [[BLANK] for _ in articles]
        tasks: dict[int, Task] = {}
        for place, (article, config) in enumerate(zip(articles, configs, strict=True)):
            try:
                tasks[place] = self._task(article, config)
            except ConfigError as error:
                results[place] = [Headline("", 0.0, error=str(error))]
        searched = 0
        for places in self._batches(tasks):
            found = self._search_in_memory([tasks[place] for place in places])
            for place, headlines in zip(places, found, strict=True):
                results[place] = headlines or [BLANK]
            advance(len(places))
            searched += len(places)
        advance(len(articles) - searched)  # blank ones, and those with an error
        return results

    def _configs(
        self, articles: Sequence[str], configs: Sequence[DecodeConfig] | None
    ) -> Sequence[DecodeConfig]:
        """Returns how to search for each article; see ``generate`` for the errors."""
        _check_no_text(articles, "articles")
        if configs is None:
            return [self.config] * len(articles)
        _check_as_many(len(articles), len(configs), "configs")
        return configs

    def stream(self, articles: Iterable[str]) -> Iterator[list[Headline]]:
        """As ``generate``, for any number of articles: a window of them at a time.

        Raises:
            TypeError: ``articles`` is one text.
        """
        _check_no_text(articles, "articles")  # now, and not at the first headline
        return self._stream(articles)

    def _stream(self, articles: Iterable[str]) -> Iterator[list[Headline]]:
        for window in windows(articles, self.window_size):
            yield from self.generate(window)

    @property
    def window_size(self) -> int:
        """Articles to hand over at once, so that sorting them by length pays."""
        return WINDOW * self.config.batch_size

    @property
    def ready_size(self) -> int:
        """Articles to hand over at once, where one waits for their headlines."""
        return self.config.batch_size

    def score(self, articles: Sequence[str], headlines: Sequence[str]) -> list[float]:
        """Returns how likely the model finds a headline of each article.

        Args:
            articles: raw texts, none blank.
            headlines: one of each, as ``generate`` wrote it or anybody else.

        Returns:
            natural logs of the probabilities, the end included: of a headline that
            ``generate`` wrote, its score. A word model scores the words that its
            vocab cuts, which may be others than it wrote.

        Raises:
            TypeError: one of both is one text.
            ValueError: there are more or fewer headlines than articles.
        """
        _check_no_text(articles, "articles")
        _check_no_text(headlines, "headlines")
        _check_as_many(len(articles), len(headlines), "headlines")
        scores = np.zeros(len(articles))
        sources = [
            Source.read(article, self.tokenizer, self.max_source_length).encoded
            for article in articles
        ]
        lengths = {place: len(source.ids) for place, source in enumerate(sources)}
        for places in batches_by_length(lengths, self.config.batch_size):
            batch = self._batch([sources[place] for place in places])
            targets = [
                self.tokenizer.encode(normalise(headlines[at]), sources[at].extra).ids
                for at in places
            ]
            scores[places] = score_targets(self.engine, batch, targets)
        return list(scores.tolist())

    def check(self, config: DecodeConfig) -> None:
        """Looks whether headlines can be as the config asks, whatever the article.

        Raises:
            ConfigError: what is asked of them contradicts itself.
        """
        self._task("", config)

    def _task(self, article: str, config: DecodeConfig) -> "Task":
        source = Source.read(article, self.tokenizer, self.max_source_length)
        fitting = limited(config, len(source.text))
        bound = constraint(source, fitting, self.tokenizer)
        return Task(source, fitting, bound, config.max_length)

    def _batches(self, tasks: Mapping[int, "Task"]) -> Iterator[list[int]]:
        """Yields places of articles that are searched together; blank ones never."""
        alike: dict[DecodeConfig, dict[int, int]] = {}
        for place, task in tasks.items():
            if length := len(task.source.encoded.ids):
                alike.setdefault(task.config.shared, {})[place] = length
        for lengths in alike.values():
            yield from batches_by_length(lengths, self.config.batch_size)

    def _search_in_memory(self, batch: Sequence["Task"]) -> list[list[Headline]]:
        """Searches a batch, or its halves where there is no memory for all of it."""
        try:
            return self._search(batch)
        except Exception as error:
            from headline.network.backend import is_out_of_memory

            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        half = len(batch) // 2
        parts = batch[:half], batch[half:]
        return [found for part in parts for found in self._search_in_memory(part)]

    def _search(self, batch: Sequence["Task"]) -> list[list[Headline]]:
        """Searches once, and again with more hypotheses where there was no room.

        Where a limit falls short of what the model would write, a few hypotheses are
        all cut off by it: the complete, shorter headlines left the beam long before.
        """
        shared = batch[0].config.shared
        results = self._beam_search(batch, shared)
        again = [
            place
            for place, (task, found) in enumerate(zip(batch, results, strict=True))
            if not found or _is_cut(found[0], task)
        ]
        if not again or shared.sample:
            return results
        wide = replace(shared, beam_size=min(WIDER * shared.beam_size, MOST_HYPOTHESES))
        found_again = self._beam_search([batch[place] for place in again], wide)
        for place, headlines in zip(again, found_again, strict=True):
            results[place] = headlines
        return results

    def _beam_search(
        self, batch: Sequence["Task"], shared: DecodeConfig
    ) -> list[list[Headline]]:
        sources = self._batch([task.source.encoded for task in batch])
        rules = Rules(
            tokens=self._tokens,
            configs=[task.config for task in batch],
            constraints=[task.constraint for task in batch],
            spaces=[self._space(task) for task in batch],
        )
        found = beam_search(self.engine, sources, rules, shared)
        return [
            self._headlines(task, hypotheses)
            for task, hypotheses in zip(batch, found, strict=True)
        ]

    def _batch(self, articles: Sequence[Encoded]) -> SourceBatch:
        copy_ids = pad([article.ids for article in articles])
        return SourceBatch(self.tokenizer.embeddable(copy_ids), copy_ids)

    def _space(self, task: "Task") -> int | None:
        """Returns the id of a space that only the article has; the vocab has none."""
        if " " not in task.extra:
            return None
        return len(self.tokenizer.vocab) + task.extra.index(" ")

    def _headlines(
        self, task: "Task", hypotheses: Sequence[Hypothesis]
    ) -> list[Headline]:
        headlines: dict[str, Headline] = {}
        consensus, most = task.config.consensus, task.config.num_headlines
        for hypothesis in hypotheses:
            if len(headlines) == most and not consensus:
                break
            # A joiner of emoji, say, is not seen beside other characters.
            text = normalise(self.tokenizer.decode(hypothesis.ids, task.extra))
            headline = Headline(
                text, hypothesis.log_prob, hypothesis.ids, tuple(task.extra)
            )
            if text:
                headlines.setdefault(text, headline)
        found = list(headlines.values())
        if consensus:
            scores = [headline.score for headline in found]
            order = consensus_order([headline.text for headline in found], scores)
            found = [found[place] for place in order]
        return found[:most]


@dataclass(frozen=True)
class Task:
    """An article with what is asked of its headlines."""

    source: Source
    config: DecodeConfig  # with room for no more than the article, see ``limited``
    constraint: Constraint | None
    asked_length: int  # the limit of whoever asks

    @property
    def extra(self) -> Sequence[str]:
        """The characters that have ids of their own."""
        bound = self.constraint
        return self.source.encoded.extra if bound is None else bound.extra


@lru_cache(maxsize=1024)  # one config serves many articles
def limited(config: DecodeConfig, characters: int) -> DecodeConfig:
    """Returns the config with room for the characters of the article and no more.

    A headline is shorter than its article, so ``prepare`` accepts no other; only an
    article of a few characters is as long. Whoever asks for more gets it.

    Args:
        characters: of the article, as it is read.
    """
    words = map(normalise, config.must_include)
    asked = len(opening(config.prefix)) + sum(len(word) + 1 for word in words)
    room = max(asked + max(1, characters), config.min_length, config.target_length)
    return config if room >= config.max_length else replace(config, max_length=room)


def _is_cut(headline: Headline, task: Task) -> bool:
    """Tells whether a limit that somebody asked for may have cut the headline off."""
    # The default is no wish but a guard: a model that has hardly begun to learn
    # writes up to it, and would be searched again at every validation.
    # The length of a short article is none, either.
    asked = task.asked_length < DecodeConfig.max_length
    whole = headline.text == task.source.text  # nothing of the article was cut off
    return asked and not whole and len(headline.text) == task.config.max_length


def batches_by_length(lengths: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """Yields places in batches, neighbours in length together: little is padding.

    A batch takes memory by its articles times the longest of them. So where that one
    is longer than ``LONG``, the batch is halved until it is as small as one of short
    articles; halves keep few the shapes that an engine compiles.

    Args:
        lengths: tokens of the article at each place.
        most: articles of a batch.
    """
    order = sorted(lengths, key=lengths.__getitem__)
    start = 0
    while start < len(order):
        size, batch = most, order[start : start + most]
        while size > 1 and size * lengths[batch[-1]] > most * LONG:
            size //= 2
            batch = batch[:size]
        yield batch
        start += size


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields the items in lists of at most ``size``."""
    remaining = iter(items)
    while window := list(islice(remaining, size)):
        yield window


def _check_no_text(texts: Iterable[str], name: str) -> None:
    # A text is a sequence of texts, too: its characters.
    if isinstance(texts, str):
        raise TypeError(f"{name} must be a list of texts, not one text: pass [text]")


def _check_as_many(articles: int, others: int, name: str) -> None:
    if others != articles:
        raise ValueError(
            f"{name} must be as many as the articles: "
            f"got {others:,} for {articles:,} articles"
        )


def cpu_or_gpu(device: Device) -> Device:
    """Returns ``cpu`` or ``gpu``; for ``auto`` it loads Keras to look for a GPU."""
    if device != "auto":
        return device
    from headline.network.backend import find_device

    return find_device()


def _engine(bundle: Bundle, config: DecodeConfig, device: Device) -> Engine[Any]:
    if cpu_or_gpu(device) == "gpu":
        # Loads Keras, which only ``auto`` and ``gpu`` may do.
        from headline.engines.keras_engine import KerasEngine
        from headline.network.backend import select_device

        select_device("gpu")
        return KerasEngine.from_weights(bundle.model, bundle.weights, config.shortlist)
    from headline.engines.numpy_engine import NumpyEngine

    return NumpyEngine(bundle.model, bundle.weights, config.shortlist)
