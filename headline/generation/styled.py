"""Writes headlines in the styles of a model.

Candidates for a style are what a search with the decoder in that style finds, headlines
drawn in that style, and the plain headline. The judge of the styles chooses among them.
Shape letters: B articles, K styles, N candidates, H width.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from headline.engines.base import Floats, SourceBatch, StyleEngine
from headline.generation.batching import windows
from headline.generation.confidence import Estimator
from headline.generation.headlines import Headline
from headline.generation.searcher import Searcher, SearchTask
from headline.network.styles.catalogue import Styles
from headline.network.styles.form import Form
from headline.search.beam_search import beam_search, penalty
from headline.search.rules import WISH
from headline.search.score_targets import score_targets
from headline.settings.search import DecodeConfig
from headline.text.ids import Ids
from headline.text.tokenizer import Tokenizer

# Headlines drawn in a style, and how.
SAMPLES, TOP_P, TEMPERATURE = 8, 0.95, 0.8
# Likeliest tokens of a step that a headline in a style is drawn from. More of them are
# slower, and TOP_P leaves hardly any of the others.
DRAWN_FROM = 24
# A candidate's value is its score plus WEIGHT times the log of the judge's probability
# of the style, but no less than FAINTEST: candidates far from the style are all equally
# far, so that no style is worth a broken headline. On TV news a weight of 1.5 and a
# temperature of 0.9 obey more (.85, here .82), but 6% of the headlines have a
# log-probability below -10 (here 3%), and the mean ROUGE-L is 0.9 lower.
WEIGHT, FAINTEST = 1.0, -4.0


class Row(NamedTuple):
    """An article in one of the styles that are asked for."""

    article: int  # its place in the batch
    style: int


@dataclass(frozen=True)
class Encoded:
    """A batch of articles that is already encoded."""

    tasks: Sequence[SearchTask]
    plain: Sequence[Sequence[Headline]]  # the headlines without a style, at most one
    sources: SourceBatch
    state: Any
    features: Floats  # (B, 2 H): see ``StyleEngine.features``


class StyledSearcher(Searcher):
    """A searcher that also knows the styles of its model.

    Args:
        tokenizer: of the model.
        engine: runs the model.
        styles: of the model.
        estimator: see ``Searcher``.
    """

    engine: StyleEngine[Any]

    def __init__(
        self,
        tokenizer: Tokenizer,
        engine: StyleEngine[Any],
        styles: Styles,
        estimator: Estimator | None = None,
    ) -> None:
        super().__init__(tokenizer, engine, estimator)
        self.styles = styles

    def _search(
        self, batch: Sequence[SearchTask], state: Any = None
    ) -> list[list[Headline]]:
        config = batch[0].config.shared
        if not config.in_styles:
            return super()._search(batch, state)
        encoded = self._encoded(batch)
        asked = self._asked(config, encoded.features)
        rows = [Row(at, style) for at, styles in enumerate(asked) for style in styles]
        found: list[list[list[Headline]]] = [[] for _ in batch]
        for some in windows(rows, config.batch_size):
            ranked = self._in_styles(encoded, some)
            for row, headlines in zip(some, ranked, strict=True):
                found[row.article].append(headlines)
        if config.styles:
            return [_one_of_each(several) for several in found]
        return [headlines[: config.num_headlines] for (headlines,) in found]

    def _encoded(self, batch: Sequence[SearchTask]) -> Encoded:
        tasks = [replace(task, config=_plain(task.config)) for task in batch]
        sources = self.batch_of([task.source for task in tasks])
        state = self.engine.encode(sources)
        plain = super()._search(tasks, state)
        return Encoded(tasks, plain, sources, state, self.engine.features(state))

    def _asked(self, config: DecodeConfig, features: Floats) -> Sequence[Sequence[int]]:
        """Returns the styles that are asked of each article, the likeliest first."""
        if config.style:
            return [[self.styles.place_of(config.style)]] * len(features)
        prior = self.styles.judge.prior(features)
        most = config.written(len(self.styles))
        order = np.argsort(-prior, axis=1, kind="stable")[:, :most]
        styles: list[list[int]] = order.tolist()
        return styles

    def _in_styles(self, encoded: Encoded, rows: Sequence[Row]) -> list[list[Headline]]:
        """Returns the candidates of each row with a style, best first."""
        pools = self._pools(encoded, rows)
        places = [place for place, pool in enumerate(pools) for _ in pool]
        candidates = [headline for pool in pools for headline in pool]
        if not candidates:
            return [[] for _ in rows]
        fits = self._fits(encoded, [rows[place] for place in places], candidates)
        valued: list[list[tuple[float, Headline]]] = [[] for _ in rows]
        for place, headline, fit in zip(places, candidates, fits, strict=True):
            value = _score(encoded.tasks[rows[place].article], headline)
            value += WEIGHT * max(fit, FAINTEST)
            label = self.styles.labels[rows[place].style]
            valued[place].append((value, replace(headline, style=label)))
        return [
            [headline for _, headline in sorted(each, key=lambda one: -one[0])]
            for each in valued
        ]

    def _fits(
        self, encoded: Encoded, rows: Sequence[Row], candidates: Sequence[Headline]
    ) -> list[float]:
        """Returns log q(style|headline, article) of each candidate for its row."""
        articles = [row.article for row in rows]
        forms = [
            Form.of(headline.text, encoded.tasks[article].source.text)
            for headline, article in zip(candidates, articles, strict=True)
        ]
        judged = self.styles.judge.posterior(forms, encoded.features[articles])
        of_style = np.array([row.style for row in rows])[:, None]
        fits: list[float] = np.take_along_axis(judged, of_style, 1)[:, 0].tolist()
        return fits

    def _pools(self, encoded: Encoded, rows: Sequence[Row]) -> list[list[Headline]]:
        """Returns the candidates of each row, no two of a row with the same text."""
        articles = np.array([row.article for row in rows], np.int32)
        tasks = [encoded.tasks[article] for article in articles]
        styles, config = None, tasks[0].config.shared
        if not config.by_chance:
            styles = np.array([row.style for row in rows], np.int32)
        state = self.engine.branch(encoded.state, articles, styles)
        ids = encoded.sources.source_ids[articles], encoded.sources.copy_ids[articles]
        sources = SourceBatch(*ids, styles)
        plain = [encoded.plain[article] for article in articles]
        found = [self._scored(plain, sources, state)]
        for each in _searches(config):
            rules = self.rules_of(tasks)
            every = beam_search(self.engine, sources, rules, each, state, DRAWN_FROM)
            found.append([*map(self.decoded, tasks, every)])
        return [_distinct(parts) for parts in zip(*found, strict=True)]

    def _scored(
        self, plain: Sequence[Sequence[Headline]], sources: SourceBatch, state: Any
    ) -> list[list[Headline]]:
        """Returns the plain headlines with their scores in the styles of the rows."""
        targets = [_ids(headlines) for headlines in plain]
        scores = score_targets(self.engine, sources, targets, state).tolist()
        return [
            [replace(headline, score=score) for headline in headlines]
            for headlines, score in zip(plain, scores, strict=True)
        ]


def _plain(config: DecodeConfig) -> DecodeConfig:
    """Returns the config of the plain headline."""
    return replace(config, style="", styles=False, num_headlines=1)


def _searches(plain: DecodeConfig) -> list[DecodeConfig]:
    """Returns how the candidates of a style are searched for and drawn."""
    drawn = replace(
        plain,
        sample=True,
        beam_size=1,
        num_headlines=SAMPLES,
        top_p=TOP_P,
        temperature=TEMPERATURE,
    )
    return [plain, drawn]


def _ids(headlines: Sequence[Headline]) -> Ids:
    return np.array(headlines[0].ids if headlines else (), np.int32)


def _distinct(parts: Sequence[Sequence[Headline]]) -> list[Headline]:
    """Returns the headlines of all parts, the first one of each text."""
    texts: dict[str, Headline] = {}
    for part in parts:
        for headline in part:
            texts.setdefault(headline.text, headline)
    return list(texts.values())


def _score(task: SearchTask, headline: Headline) -> float:
    """Returns what the search would rank a headline by; the higher the better."""
    length = len(headline.ids) + 1
    score = headline.score / penalty(task.config, task.constraint, length)
    target = task.config.target_length
    return score - WISH * abs(len(headline.text) - target) if target else score


def _one_of_each(ranked: Sequence[Sequence[Headline]]) -> list[Headline]:
    """Returns the best headline of each style that no earlier style has taken.

    A style has none if all of its candidates are taken.
    """
    chosen: dict[str, Headline] = {}
    for headlines in ranked:
        new = [one for one in headlines if one.text not in chosen]
        chosen |= {headline.text: headline for headline in new[:1]}
    return list(chosen.values())
