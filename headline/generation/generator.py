"""``Generator``: article texts in, n-best headlines out.

``generate``, ``evaluate`` and the validation during training all use it, so the samples
and scores of training are what users get.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from headline.bundle import Bundle, load_bundle
from headline.engines.base import Engine, StyleEngine
from headline.errors import ConfigError
from headline.generation import exact_names
from headline.generation.batching import WINDOW, batches_by_length, windows
from headline.generation.confidence import Estimator, estimator_of
from headline.generation.headlines import BLANK, Headline
from headline.generation.searcher import Searcher, SearchTask
from headline.search.score_targets import score_targets
from headline.settings.base import Device
from headline.settings.search import DecodeConfig
from headline.text.boilerplate import NO_RULES, ArticleRules
from headline.text.normalise import normalise
from headline.text.source import Readable, Source
from headline.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from headline.network.styles.catalogue import Styles

NO_CONFIDENCE = (
    "this model has no confidence yet: run `headline calibrate -m MODEL_DIR DATA_DIR`"
)

Advance = Callable[[int], None]  # called with the number of articles just done


def ignore(number: int) -> None:
    """Does nothing: an ``Advance`` for callers that need no count."""


class Generator:
    """Writes headlines for articles.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        config: how to search.
        max_source_length: characters of an article that are read.
        rules: what is removed from articles before they are read.
        styles: of the model, if it has some; then ``engine`` is a ``StyleEngine``.
        estimator: of the confidence of headlines, if the model has one; then
            ``engine`` is a ``DoubtEngine``.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        engine: Engine[Any],
        config: DecodeConfig,
        max_source_length: int,
        rules: ArticleRules = NO_RULES,
        styles: "Styles | None" = None,
        estimator: Estimator | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.config = config
        self.max_source_length = max_source_length
        self.rules, self.styles = rules, styles
        self.estimator = estimator
        self._searcher = _searcher(tokenizer, engine, styles, estimator)

    @classmethod
    def load(cls, model_dir: Path | str, config: DecodeConfig | None = None) -> Self:
        """Opens a MODEL_DIR on the CPU, without Keras.

        Args:
            config: how to search; the model's own config if left out.

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
            device: ``auto`` loads Keras to look for a GPU, and uses the CPU if there
                is none.

        Raises:
            TrainingError: a GPU is requested and there is none.
        """
        engine = _engine(bundle, config, device)
        return cls(
            bundle.tokenizer,
            engine,
            config,
            bundle.max_source_length,
            bundle.rules,
            bundle.styles,
            estimator_of(bundle.tokenizer, bundle.confidence),
        )

    def read(self, article: Readable) -> Source:
        """Reads an article as the model does; returns a ``Source`` unchanged."""
        longest = self.max_source_length
        return Source.read(article, self.tokenizer, longest, self.rules)

    def read_clean(self, text: str) -> Source:
        """Reads an article that is already normalised and without boilerplate."""
        return Source.of_normalised(text, self.tokenizer, self.max_source_length)

    def cleaned(self, article: str, headline: str) -> str:
        """Removes the boilerplate from a normalised article as ``prepare`` does.

        Args:
            headline: the reference, which may be the first line of the article.
        """
        return self.rules.clean(article, [headline]) if self.rules else article

    def generate(
        self,
        articles: Sequence[Readable],
        configs: Sequence[DecodeConfig] | None = None,
        advance: Advance = ignore,
    ) -> list[list[Headline]]:
        """Writes headlines for each article.

        Args:
            articles: raw texts, or results of ``read``; a blank article gets one blank
                headline.
            configs: how to search, for each article; the generator's own if left out.
            advance: called after each batch with the number of articles just done.

        Returns:
            for each article, in order, at most ``num_headlines`` headlines with
            different texts, best first; with ``styles`` one in each style, the
            likeliest style first. If the settings of an article contradict each
            other, it gets one blank headline with an ``error``.

        Raises:
            TypeError: ``articles`` is one text.
            ValueError: there are more or fewer configs than articles.
        """
        configs = self._configs(articles, configs)
        results = [[BLANK] for _ in articles]
        tasks: dict[int, SearchTask] = {}
        for place, (article, config) in enumerate(zip(articles, configs, strict=True)):
            try:
                tasks[place] = self._task(article, config)
            except ConfigError as error:
                results[place] = [Headline("", 0.0, error=str(error))]
        searched = 0
        for places in self._batches(tasks):
            batch = [tasks[place] for place in places]
            found = exact_names.search(self._searcher, batch)
            for place, task, headlines in zip(places, batch, found, strict=True):
                results[place] = _kept(headlines or [BLANK], task.config)
            self._mark_unlike(places, batch, results)
            advance(len(places))
            searched += len(places)
        advance(len(articles) - searched)  # blank ones, and those with an error
        return results

    def _mark_unlike(
        self,
        places: Sequence[int],
        batch: Sequence[SearchTask],
        results: list[list[Headline]],
    ) -> None:
        """Marks the headlines of articles that are unlike the training corpus."""
        if self.estimator is None or not batch:
            return
        unlike = self.estimator.are_unlike([task.source for task in batch])
        for place, is_unlike in zip(places, unlike, strict=True):
            if is_unlike:
                results[place] = [replace(one, unlike=True) for one in results[place]]

    def _configs(
        self, articles: Sequence[Readable], configs: Sequence[DecodeConfig] | None
    ) -> Sequence[DecodeConfig]:
        """Returns how to search for each article; see ``generate`` for the errors."""
        _check_no_text(articles, "articles")
        if configs is None:
            return [self.config] * len(articles)
        _check_as_many(len(articles), len(configs), "configs")
        return configs

    def stream(self, articles: Iterable[Readable]) -> Iterator[list[Headline]]:
        """Does what ``generate`` does for any number of articles, window by window.

        Raises:
            TypeError: ``articles`` is one text.
        """
        _check_no_text(articles, "articles")  # now, and not at the first headline
        return self._stream(articles)

    def _stream(self, articles: Iterable[Readable]) -> Iterator[list[Headline]]:
        for window in windows(articles, self.window_size):
            yield from self.generate(window)

    @property
    def window_size(self) -> int:
        """Number of articles to pass at once, so that sorting by length pays off."""
        return WINDOW * self.config.batch_size

    @property
    def ready_size(self) -> int:
        """Number of articles to pass at once if someone waits for the headlines."""
        return self.config.batch_size

    def score(
        self, articles: Sequence[Readable], headlines: Sequence[str]
    ) -> list[float]:
        """Returns the log-probability of one headline for each article.

        Args:
            articles: raw texts, or results of ``read``; none blank.
            headlines: one for each article, written by ``generate`` or anyone else.

        Returns:
            natural logs of the probabilities, including EOS. A headline that
            ``generate`` wrote gets its score again. A word model segments the headline
            anew, and these words may differ from those it wrote.

        Raises:
            TypeError: ``articles`` or ``headlines`` is one text.
            ValueError: there are more or fewer headlines than articles.
        """
        _check_no_text(articles, "articles")
        _check_no_text(headlines, "headlines")
        _check_as_many(len(articles), len(headlines), "headlines")
        scores = np.zeros(len(articles))
        sources = [self.read(article) for article in articles]
        targets = [
            self.tokenizer.encode(normalise(headline), source.encoded.extra).ids
            for headline, source in zip(headlines, sources, strict=True)
        ]
        lengths = {at: len(source.encoded.ids) for at, source in enumerate(sources)}
        for places in batches_by_length(lengths, self.config.batch_size):
            batch = self._searcher.batch_of([sources[place] for place in places])
            asked = [targets[place] for place in places]
            scores[places] = score_targets(self.engine, batch, asked)
        return list(scores.tolist())

    def features(self, articles: Sequence[Readable]) -> NDArray[np.float32]:
        """Returns what the judges of styles read of articles; none is blank.

        Returns:
            shape ``(N, 2 H)``; see ``StyleEngine.features``.
        """
        engine = cast(StyleEngine[Any], self.engine)
        sources = [self.read(article) for article in articles]
        lengths = {at: len(source.encoded.ids) for at, source in enumerate(sources)}
        rows: dict[int, NDArray[np.float32]] = {}
        for places in batches_by_length(lengths, self.config.batch_size):
            batch = self._searcher.batch_of([sources[place] for place in places])
            found = engine.features(engine.encode(batch))
            rows |= dict(zip(places, found, strict=True))
        return np.array([rows[place] for place in range(len(sources))])

    def check(self, config: DecodeConfig) -> None:
        """Checks that the config can be satisfied, independent of the article.

        Raises:
            ConfigError: settings contradict each other.
        """
        self._task("", config)

    def written(self, config: DecodeConfig) -> int:
        """Returns the most headlines that an article gets with a config."""
        return config.written(len(self.styles.labels) if self.styles else 0)

    def _task(self, article: Readable, config: DecodeConfig) -> SearchTask:
        if config.in_styles:
            _check_style(config, self.styles)
        if config.wants_confidence and self.estimator is None:
            name = "with_confidence" if config.with_confidence else "min_confidence"
            raise ConfigError(NO_CONFIDENCE, name)
        return SearchTask.of(self.read(article), config, self.tokenizer)

    def _batches(self, tasks: Mapping[int, SearchTask]) -> Iterator[list[int]]:
        """Yields places of articles to search together; skips blank ones."""
        alike: dict[DecodeConfig, dict[int, int]] = {}
        for place, task in tasks.items():
            if task.length:
                alike.setdefault(task.config.shared, {})[place] = task.length
        for lengths in alike.values():
            yield from batches_by_length(lengths, self.config.batch_size)


def _check_style(config: DecodeConfig, styles: "Styles | None") -> None:
    """Checks that a model has the styles that are asked for.

    Raises:
        ConfigError: it has none, or not the one.
    """
    if styles is None:
        raise ConfigError(
            "this model has no headline styles yet: run `headline styles -m MODEL_DIR"
            " DATA_DIR`",
            "styles" if config.styles else "style",
        )
    if config.style:
        styles.place_of(config.style)


def _kept(headlines: list[Headline], config: DecodeConfig) -> list[Headline]:
    """Returns the headlines; those below ``min_confidence`` without their text."""
    least = config.min_confidence
    if not least:
        return headlines
    return [
        one if one.confidence is None or one.confidence >= least else _blanked(one)
        for one in headlines
    ]


def _blanked(headline: Headline) -> Headline:
    # The ids stay, so that the explanation can show what was withheld.
    return replace(headline, text="", withheld=True)


def _searcher(
    tokenizer: Tokenizer,
    engine: Engine[Any],
    styles: "Styles | None",
    estimator: Estimator | None,
) -> Searcher:
    if styles is None:
        return Searcher(tokenizer, engine, estimator)
    from headline.generation.styled import StyledSearcher

    return StyledSearcher(tokenizer, cast(StyleEngine[Any], engine), styles, estimator)


def _check_no_text(texts: Iterable[Readable], name: str) -> None:
    # A string is also a sequence of strings: its characters.
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
        # This loads Keras, which only ``auto`` and ``gpu`` may do.
        from headline.network.backend import choose_backend, select_device, share_cores

        choose_backend()
        from headline.engines.keras_engine import KerasEngine

        select_device("gpu")
        share_cores()
        return KerasEngine.from_weights(bundle.model, bundle.weights, config.shortlist)
    from headline.engines.numpy.engine import NumpyEngine

    return NumpyEngine(bundle.model, bundle.weights, config.shortlist)
