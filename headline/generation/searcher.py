"""Runs one batch of articles through the search."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from headline.engines.base import Engine, SourceBatch
from headline.generation.confidence import Articles, Estimator
from headline.generation.headlines import Headline
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.search.consensus import consensus_order
from headline.search.constraints import Constraint, constraint, opening
from headline.search.rules import Rules, TokenTable
from headline.search.support import is_supported
from headline.settings.search import MOST_HYPOTHESES, DecodeConfig
from headline.text.ids import pad
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.tokenizer import Tokenizer

WIDER = 8  # factor of the beam size if a length limit cuts headlines off


@dataclass(frozen=True)
class SearchTask:
    """An article with the search config and constraint of its headlines."""

    source: Source
    config: DecodeConfig  # its ``max_length`` fits the article, see ``limited``
    constraint: Constraint | None
    asked_length: int  # the ``max_length`` that the user set

    @classmethod
    def of(
        cls, source: Source, config: DecodeConfig, tokenizer: Tokenizer
    ) -> "SearchTask":
        """Makes the task of an article.

        Raises:
            ConfigError: settings contradict each other.
        """
        fitting = limited(config, len(source.text))
        bound = constraint(source, fitting, tokenizer)
        return cls(source, fitting, bound, config.max_length)

    @property
    def length(self) -> int:
        """The number of tokens of the article that the model reads."""
        return len(self.source.encoded.ids)

    @property
    def extra(self) -> Sequence[str]:
        """The characters with ids past the vocab."""
        bound = self.constraint
        return self.source.encoded.extra if bound is None else bound.extra

    @property
    def may_recite(self) -> bool:
        """Whether a headline without support in the article is a fault."""
        # Samples stay in the order of drawing. What the user requires need not be in
        # the article.
        asks = self.constraint is not None and self.constraint.asks
        return not self.config.sample and not asks

    def supports(self, headline: Headline) -> bool:
        """Returns whether the article supports a headline."""
        return is_supported(headline.text, self.source.text)

    def is_cut(self, headline: Headline) -> bool:
        """Returns whether a limit that the user set may have cut the headline off."""
        # The default limit is only a safeguard and does not count: a model early in
        # training writes up to it, and would be searched again at every validation.
        # Nor does the length of a short article count.
        asked = self.asked_length < DecodeConfig.max_length
        whole = headline.text == self.source.text  # the headline is the whole article
        return asked and not whole and len(headline.text) == self.config.max_length


@lru_cache(maxsize=1024)  # one config serves many articles
def limited(config: DecodeConfig, characters: int) -> DecodeConfig:
    """Returns the config with ``max_length`` cut to the characters of the article.

    A headline is shorter than its article, and ``prepare`` accepts no other pairs; only
    for an article of a few characters it can be as long. A longer prefix, required
    words, ``min_length`` or ``target_length`` still get their room.

    Args:
        characters: number of characters of the article that are read.
    """
    words = map(normalise, config.must_include)
    asked = len(opening(config.prefix)) + sum(len(word) + 1 for word in words)
    room = max(asked + max(1, characters), config.min_length, config.target_length)
    return config if room >= config.max_length else replace(config, max_length=room)


class Searcher:
    """Searches the headlines of one batch.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        estimator: of the confidence of headlines, if the model has one.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        engine: Engine[Any],
        estimator: Estimator | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self.estimator = estimator
        self._tokens = TokenTable(tokenizer.vocab.tokens)

    def batch_of(self, sources: Sequence[Source]) -> SourceBatch:
        """Returns the ids of the articles, as an engine encodes them."""
        copy_ids = pad([source.encoded.ids for source in sources])
        return SourceBatch(self.tokenizer.embeddable(copy_ids), copy_ids)

    def search(self, batch: Sequence[SearchTask]) -> list[list[Headline]]:
        """Searches a batch, or its halves if memory is too small for all of it.

        Args:
            batch: articles that are not blank and whose configs are equal in
                ``shared``.

        Returns:
            the headlines of each article, best first.
        """
        try:
            return self._search(batch)
        except Exception as error:
            from headline.network.backend import is_out_of_memory

            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        half = len(batch) // 2
        parts = batch[:half], batch[half:]
        return [found for part in parts for found in self.search(part)]

    def _search(
        self, batch: Sequence[SearchTask], state: Any = None
    ) -> list[list[Headline]]:
        """Searches once, and again with a wider beam if headlines were cut off.

        If a length limit is below what the model would write, it cuts off all
        hypotheses of a small beam: complete, shorter headlines left the beam earlier.

        Args:
            state: the engine's state of the articles, if they are already encoded.
        """
        shared = batch[0].config.shared
        results = self._beam_search(batch, shared, state)
        again = [
            place
            for place, (task, found) in enumerate(zip(batch, results, strict=True))
            if not found or task.is_cut(found[0])
        ]
        if not again or shared.sample:
            return results
        wide = replace(shared, beam_size=min(WIDER * shared.beam_size, MOST_HYPOTHESES))
        found_again = self._beam_search([batch[place] for place in again], wide)
        for place, headlines in zip(again, found_again, strict=True):
            results[place] = headlines
        return results

    def _beam_search(
        self, batch: Sequence[SearchTask], shared: DecodeConfig, state: Any = None
    ) -> list[list[Headline]]:
        sources = self.batch_of([task.source for task in batch])
        ended = beam_search(self.engine, sources, self.rules_of(batch), shared, state)
        found = [
            self._headlines(task, hypotheses)
            for task, hypotheses in zip(batch, ended, strict=True)
        ]
        if self.estimator is None or not shared.wants_confidence:
            return found
        articles = Articles(sources.copy_ids, [task.source for task in batch])
        return self.estimator.estimated(found, ended, articles)

    def rules_of(self, batch: Sequence[SearchTask]) -> Rules:
        """Returns the rules of the headlines of some articles."""
        return Rules(
            tokens=self._tokens,
            configs=[task.config for task in batch],
            constraints=[task.constraint for task in batch],
            spaces=[self._space(task) for task in batch],
        )

    def _space(self, task: SearchTask) -> int | None:
        """Returns the id of a space past the vocab, or None if there is none."""
        if " " not in task.extra:
            return None
        return len(self.tokenizer.vocab) + task.extra.index(" ")

    def _headlines(
        self, task: SearchTask, hypotheses: Sequence[Hypothesis]
    ) -> list[Headline]:
        """Returns the headlines of an article, best first; recited ones come last."""
        consensus, most = task.config.consensus, task.config.num_headlines
        found = self.decoded(task, hypotheses, None if consensus else most)
        if not task.may_recite or all(map(task.supports, found)):
            return (by_consensus(found) if consensus else found)[:most]
        found = self.decoded(task, hypotheses)
        good = [one for one in found if task.supports(one)]
        recited = [one for one in found if not task.supports(one)]
        return ((by_consensus(good) if consensus else good) + recited)[:most]

    def decoded(
        self,
        task: SearchTask,
        hypotheses: Sequence[Hypothesis],
        most: int | None = None,
    ) -> list[Headline]:
        """Returns hypotheses as headlines with different texts, in their order.

        Args:
            most: the most headlines to return; None for all.
        """
        headlines: dict[str, Headline] = {}
        for hypothesis in hypotheses:
            if len(headlines) == most:
                break
            # Normalising removes characters that are invisible here: emoji joiners.
            text = normalise(self.tokenizer.decode(hypothesis.ids, task.extra))
            headline = Headline(
                text, hypothesis.log_prob, ids=hypothesis.ids, extra=tuple(task.extra)
            )
            if text:
                headlines.setdefault(text, headline)
        return list(headlines.values())


def by_consensus(headlines: Sequence[Headline]) -> list[Headline]:
    """Returns the headlines of an article, the most similar to all of them first."""
    scores = [headline.score for headline in headlines]
    order = consensus_order([headline.text for headline in headlines], scores)
    return [headlines[place] for place in order]
