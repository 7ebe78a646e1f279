"""One batch of articles through the search: what is asked of each, and what it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from headline.engines.base import Engine, SourceBatch
from headline.generation.headlines import Headline
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.search.consensus import consensus_order
from headline.search.constraints import Constraint, constraint, opening
from headline.search.rules import Rules, TokenTable
from headline.settings.search import MOST_HYPOTHESES, DecodeConfig
from headline.text.ids import pad
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.tokenizer import Tokenizer

WIDER = 8  # times the beam, where a length limit cuts headlines off


@dataclass(frozen=True)
class SearchTask:
    """An article with what is asked of its headlines."""

    source: Source
    config: DecodeConfig  # with room for no more than the article, see ``limited``
    constraint: Constraint | None
    asked_length: int  # the limit of whoever asks

    @classmethod
    def of(
        cls, source: Source, config: DecodeConfig, tokenizer: Tokenizer
    ) -> "SearchTask":
        """Asks for headlines of an article as the config says.

        Raises:
            ConfigError: what is asked contradicts itself.
        """
        fitting = limited(config, len(source.text))
        bound = constraint(source, fitting, tokenizer)
        return cls(source, fitting, bound, config.max_length)

    @property
    def length(self) -> int:
        """Tokens of the article, as many as the model reads."""
        return len(self.source.encoded.ids)

    @property
    def extra(self) -> Sequence[str]:
        """The characters that have ids of their own."""
        bound = self.constraint
        return self.source.encoded.extra if bound is None else bound.extra

    def is_cut(self, headline: Headline) -> bool:
        """Tells whether a limit that somebody asked for may have cut it off."""
        # The default is no wish but a guard: a model that has hardly begun to learn
        # writes up to it, and would be searched again at every validation.
        # The length of a short article is none, either.
        asked = self.asked_length < DecodeConfig.max_length
        whole = headline.text == self.source.text  # nothing of the article was cut off
        return asked and not whole and len(headline.text) == self.config.max_length


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


class Searcher:
    """Searches the headlines of one batch.

    Args:
        tokenizer: of the model.
        engine: runs the model.
    """

    def __init__(self, tokenizer: Tokenizer, engine: Engine[Any]) -> None:
        self.tokenizer = tokenizer
        self.engine = engine
        self._tokens = TokenTable(tokenizer.vocab.tokens)

    def batch_of(self, sources: Sequence[Source]) -> SourceBatch:
        """Returns the ids of the articles, as an engine encodes them."""
        copy_ids = pad([source.encoded.ids for source in sources])
        return SourceBatch(self.tokenizer.embeddable(copy_ids), copy_ids)

    def search(self, batch: Sequence[SearchTask]) -> list[list[Headline]]:
        """Searches a batch, or its halves where there is no memory for all of it.

        Args:
            batch: articles that are not blank, and whose configs share all that
                articles of one batch must share.

        Returns:
            of each article its headlines, best first.
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

    def _search(self, batch: Sequence[SearchTask]) -> list[list[Headline]]:
        """Searches once, and again with more hypotheses where there was no room.

        Where a limit falls short of what the model would write, a few hypotheses are
        all cut off by it: the complete, shorter headlines left the beam long before.
        """
        shared = batch[0].config.shared
        results = self._beam_search(batch, shared)
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
        self, batch: Sequence[SearchTask], shared: DecodeConfig
    ) -> list[list[Headline]]:
        sources = self.batch_of([task.source for task in batch])
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

    def _space(self, task: SearchTask) -> int | None:
        """Returns the id of a space that only the article has; the vocab has none."""
        if " " not in task.extra:
            return None
        return len(self.tokenizer.vocab) + task.extra.index(" ")

    def _headlines(
        self, task: SearchTask, hypotheses: Sequence[Hypothesis]
    ) -> list[Headline]:
        headlines: dict[str, Headline] = {}
        consensus, most = task.config.consensus, task.config.num_headlines
        for hypothesis in hypotheses:
            if len(headlines) == most and not consensus:
                break
            # A joiner of emoji, say, is not seen beside other characters.
            text = normalise(self.tokenizer.decode(hypothesis.ids, task.extra))
            headline = Headline(
                text, hypothesis.log_prob, ids=hypothesis.ids, extra=tuple(task.extra)
            )
            if text:
                headlines.setdefault(text, headline)
        found = list(headlines.values())
        return (by_consensus(found) if consensus else found)[:most]


def by_consensus(headlines: Sequence[Headline]) -> list[Headline]:
    """Returns the headlines of an article, the most like all of them first."""
    scores = [headline.score for headline in headlines]
    order = consensus_order([headline.text for headline in headlines], scores)
    return [headlines[place] for place in order]
