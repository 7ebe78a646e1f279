"""``headline.load``: a trained model, ready to write headlines in any program."""

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy as shallow_copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

from headline.api.settings import SEARCH, search_with
from headline.bundle import load_bundle
from headline.errors import ConfigError, HeadlineError
from headline.generation.batching import windows
from headline.generation.controls import CONTROLS
from headline.generation.explain import Explainer, Explanation, encoded_headline
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.generation.parallel import make_generator
from headline.settings.commands import MachineConfig
from headline.settings.search import GPU_BATCH, DecodeConfig
from headline.system.blas import blas_threads, check_blas_threads

# A text, or as a row of JSON Lines: {"text": ..., "options": {"max_length": 12}}.
Article: TypeAlias = str | Mapping[str, Any]


def load(
    path: Path | str,
    *,
    device: Literal["cpu", "gpu"] = "cpu",
    workers: int = 1,
    threads: int = 1,
) -> "Writer":
    """Opens a model that ``headline train`` wrote; takes about 0.2 seconds.

    Args:
        path: MODEL_DIR.
        device: ``cpu`` needs NumPy alone; ``gpu`` loads Keras.
        workers: processes that share the articles of a call, if they are more than one
            batch. Where they are started by ``spawn`` (not on Linux, or beside other
            threads), a script needs ``if __name__ == "__main__":``.
        threads: threads of NumPy's matrix products in each process. 1 is best except
            for a large model. While a call of a Writer runs, the limit holds for the
            whole program; afterwards the old number is restored.

    Raises:
        BundleError: the folder holds no model, or a damaged one.
        ConfigError: an argument is out of range, or ``threads`` would have no effect.
        TrainingError: a GPU is requested, but there is no GPU or no Keras.
    """
    return Writer(path, device=device, workers=workers, threads=threads)


class Writer:
    """Writes headlines with one model; made by ``headline.load``.

    Any number of threads and forked processes may call it. Its pickle holds its folder
    and its arguments, without arrays; unpickling opens the folder.

    Attributes:
        path: absolute path of the model.
        settings: default search settings of a call.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        device: Literal["cpu", "gpu"],
        workers: int,
        threads: int,
    ) -> None:
        check_blas_threads(threads)
        self._machine = MachineConfig(device=device, workers=workers)
        self._threads = threads
        self.path = Path(path).absolute()
        self._bundle = load_bundle(self.path)
        own = self._bundle.decode
        self.settings = own if device == "cpu" else replace(own, batch_size=GPU_BATCH)
        self._running = self._start()

    def __repr__(self) -> str:
        return f"<headline.Writer {str(self.path)!r}>"

    def __reduce__(self) -> tuple[Callable[[str], "Writer"], tuple[str]]:
        machine = self._machine.to_dict()
        return partial(load, threads=self._threads, **machine), (str(self.path),)

    @overload
    def write(self, texts: Article, **settings: Any) -> Headline: ...

    @overload
    def write(self, texts: Iterable[Article], **settings: Any) -> list[Headline]: ...

    def write(
        self, texts: Article | Iterable[Article], **settings: Any
    ) -> Headline | list[Headline]:
        """Writes the headline of one article, or those of many.

        Args:
            texts: one article gives one result, many give a list in their order. An
                article is a text, or a mapping with its ``text`` and with ``options``,
                settings of its own.
            settings: of the search for all of them, such as ``max_length=12``; see
                ``DecodeConfig`` and ``headline generate --help-all``.

        Returns:
            the best headline of each article: its ``text``, its ``score`` (natural log
            of its probability) and, with ``num_headlines`` above 1, the ``others``.
            With ``with_confidence=True`` each has a ``confidence``, the estimated
            chance in percent that it is good; ``min_confidence=60`` blanks the others.
            With ``style`` or ``styles`` each has its ``style``; with ``styles`` they
            are one in each style of the model, the likeliest style first. If
            an article can have no headline, the result has an ``error`` and a blank
            text. A blank article has a blank headline.

        Raises:
            ConfigError: a setting for all is unknown or out of range, or two of them
                contradict each other.
        """
        if isinstance(texts, str | Mapping):
            (headline,) = self._write([texts], self._search(settings))
            return headline
        return self._write(list(texts), self._search(settings))

    def pipe(self, texts: Iterable[Article], **settings: Any) -> Iterator[Headline]:
        """Yields what ``write`` returns, for any number of articles.

        It takes a few thousand articles at a time, and holds no more of them.

        Raises:
            TypeError: ``texts`` is one article.
            ConfigError: as ``write`` does.
        """
        if isinstance(texts, str | Mapping):
            raise TypeError("pipe takes many articles; for one there is write")
        return self._pipe(texts, self._search(settings))

    def _pipe(
        self, texts: Iterable[Article], config: DecodeConfig
    ) -> Iterator[Headline]:
        with self.searching(config) as generator:
            size = generator.window_size
        for window in windows(texts, size):
            yield from self._write(window, config)

    @overload
    def score(self, texts: str, headlines: str) -> float: ...  # type: ignore[overload-overlap]

    @overload
    def score(self, texts: Iterable[str], headlines: Iterable[str]) -> list[float]: ...

    def score(
        self, texts: str | Iterable[str], headlines: str | Iterable[str]
    ) -> float | list[float]:
        """Returns the log-probability of one headline for each article.

        Args:
            texts: one article, or many.
            headlines: one headline, or one for each article, whoever wrote it.

        Returns:
            natural logs of the probabilities; NaN for a blank article.

        Raises:
            TypeError: one argument is a text and the other is many.
            ValueError: there are more or fewer headlines than articles.
        """
        if isinstance(texts, str) != isinstance(headlines, str):
            raise TypeError("score takes one text and one headline, or many of both")
        if isinstance(texts, str) and isinstance(headlines, str):
            return self._score([texts], [headlines])[0]
        return self._score(list(texts), list(headlines))

    def explain(self, text: str, headline: str | Headline) -> Explanation:
        """Explains for each token of a headline whether it was copied, and from where.

        Args:
            text: the article.
            headline: what ``write`` returned for it, or any text.

        Returns:
            the tokens of the article, and the headline with its tokens, each with its
            probability, its copied share and its weights over the article. A blank
            article has no headline to explain.
        """
        with self.searching(self.settings) as generator:
            source = generator.read(text)
            explainer = Explainer.beside(generator, self._bundle)
            if source.text and (isinstance(headline, str) or not headline.ids):
                headline = encoded_headline(headline, source, generator)
            shown = [] if isinstance(headline, str) else [headline]
            return explainer.explain(source, shown)

    @contextmanager
    def searching(self, config: DecodeConfig) -> Iterator[Generator]:
        """Yields a generator with a search config, under a lock if one is needed.

        Raises:
            HeadlineError: the process was forked from one that uses a GPU.
        """
        running = self._here()
        with blas_threads(self._threads), running.alone:
            generator = shallow_copy(running.generator)
            generator.config = config
            yield generator

    def _search(self, settings: Mapping[str, Any]) -> DecodeConfig:
        return search_with(self.settings, settings, SEARCH)

    def _write(
        self, articles: Sequence[Article], config: DecodeConfig
    ) -> list[Headline]:
        asked = [_Asked.of(article, config) for article in articles]
        with self.searching(config) as generator:
            generator.check(config)
            found = generator.generate(
                [one.text for one in asked], [one.config for one in asked]
            )
        return [
            one.result(headlines) for one, headlines in zip(asked, found, strict=True)
        ]

    def _score(self, texts: Sequence[str], headlines: Sequence[str]) -> list[float]:
        if len(texts) != len(headlines):
            raise ValueError(
                "score needs as many headlines as texts: "
                f"got {len(headlines):,} for {len(texts):,}"
            )
        scores = [math.nan] * len(texts)
        with self.searching(self.settings) as generator:
            sources = [*map(generator.read, texts)]
            places = [at for at, source in enumerate(sources) if source.text]
            found = generator.score(
                [sources[at] for at in places], [headlines[at] for at in places]
            )
        for at, score in zip(places, found, strict=True):
            scores[at] = score
        return scores

    def _here(self) -> "_Running":
        """Returns the running model of this process, which may be a new fork."""
        if self._running.process != os.getpid():
            if self._machine.device == "gpu":
                raise HeadlineError(
                    "a Writer on a GPU does not survive a fork: load it in the new "
                    "process, or start processes by spawn"
                )
            self._running = self._start()
        return self._running

    def _start(self) -> "_Running":
        machine = self._machine
        # A daemon, such as a worker of a pool, cannot start processes.
        count = 1 if _is_daemon() else machine.workers or 1
        generator = make_generator(
            self._bundle, self.settings, machine.device, count, self._threads
        )
        shared = count == 1 and machine.device == "cpu"
        alone = nullcontext() if shared else threading.Lock()
        return _Running(generator, alone, os.getpid())


@dataclass(frozen=True)
class _Running:
    """A model in one process."""

    generator: Generator
    alone: AbstractContextManager[Any]  # a lock if only one thread may search at a time
    process: int


def _is_daemon() -> bool:
    from multiprocessing import current_process

    return current_process().daemon


@dataclass(frozen=True)
class _Asked:
    """An article of a call, and the search config of its headlines."""

    text: str
    config: DecodeConfig
    error: str | None = None  # why there can be no headline

    @classmethod
    def of(cls, article: object, config: DecodeConfig) -> "_Asked":
        """Reads an article; an invalid one gets an error."""
        given = article if isinstance(article, Mapping) else {"text": article}
        text, options = given.get("text"), given.get("options") or {}
        if not isinstance(text, str):
            return cls("", config, f"an article must be a text; got {text!r:.60}")
        if not isinstance(options, Mapping):
            return cls("", config, f"options must be a mapping; got {options!r:.60}")
        try:
            return cls(text, search_with(config, options, CONTROLS))
        except ConfigError as error:
            return cls("", config, str(error))

    def result(self, headlines: Sequence[Headline]) -> Headline:
        """Returns the best headline, with the others."""
        if self.error is not None:
            return Headline("", 0.0, error=self.error)
        return replace(headlines[0], others=tuple(headlines[1:]))
