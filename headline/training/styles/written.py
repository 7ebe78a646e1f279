"""Headlines that the model itself writes, in all styles, to learn the styles from.

A corpus has one headline for an article, so style and article are hard to tell apart.
Here each article has the best headline of the model in each of several styles.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from headline.data.store import evenly
from headline.engines.base import Engine
from headline.generation.batching import windows
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.network.styles.form import Form
from headline.network.styles.posterior import StyleJudge
from headline.settings.search import DecodeConfig
from headline.settings.styles import StyleConfig
from headline.system.progress import Meter, Report
from headline.text.source import Source
from headline.text.tokenizer import Tokenizer
from headline.training.styles.pairs import Pairs

BEAM, SAMPLES, TOP_P = 8, 16, 0.95  # headlines of an article, searched and drawn
CLEAR = math.log(0.7)  # least log q(y|t, a) of a headline that is learned from
MOST_TIMES = 3  # that the headlines of a rare style are used
LENGTH_PENALTY = 0.6  # see ``DecodeConfig``


@dataclass(frozen=True)
class Written:
    """A headline that the model wrote for a pair's article, and its style."""

    pair: int
    headline: str
    style: int


@dataclass(frozen=True)
class Writer:
    """Writes many headlines for an article.

    Args:
        engine: runs the model, without styles.
        tokenizer, decode, max_length: of the model; see ``Generator``.
    """

    engine: Engine[Any]
    tokenizer: Tokenizer
    decode: DecodeConfig
    max_length: int

    def write(self, sources: Sequence[Source], seed: int) -> list[list[Headline]]:
        """Returns different headlines of each article: the likeliest, and samples."""
        plain = replace(self.decode, consensus=False, diversity=0.0)
        searching = replace(plain, beam_size=BEAM, num_headlines=BEAM)
        drawing = replace(
            plain, sample=True, num_headlines=SAMPLES, top_p=TOP_P, seed=seed
        )
        found: list[dict[str, Headline]] = [{} for _ in sources]
        for config in (searching, drawing):
            generator = Generator(self.tokenizer, self.engine, config, self.max_length)
            written = generator.generate(sources)
            for known, headlines in zip(found, written, strict=True):
                for one in headlines:
                    known.setdefault(one.text, one)
        return [list(known.values()) for known in found]


def write_in_styles(
    writer: Writer,
    pairs: Pairs,
    judge: StyleJudge,
    config: StyleConfig,
    report: Report,
) -> list[Written]:
    """Writes headlines for some articles, and keeps the best of each clear style.

    Raises:
        Interrupted: the engine of the writer was asked to stop.
    """
    places = evenly(len(pairs), config.articles)
    found: list[Written] = []
    with Meter("write", "articles", report, len(places)) as meter:
        for window in windows(places, writer.decode.batch_size):
            sources = [pairs.sources[place] for place in window]
            written = writer.write(sources, config.seed)
            for place, headlines in zip(window, written, strict=True):
                found += best_in_styles(judge, pairs, place, headlines)
            meter.advance(len(window))
    return found


def best_in_styles(
    judge: StyleJudge, pairs: Pairs, place: int, headlines: Sequence[Headline]
) -> Iterator[Written]:
    """Yields the best headline of each style that an article has a clear one of.

    Args:
        place: of the article in ``pairs``.
    """
    headlines = [one for one in headlines if one.text]
    if not headlines:
        return
    article = pairs.sources[place].text
    forms = [Form.of(one.text, article) for one in headlines]
    features = np.repeat(pairs.features[place][None], len(forms), axis=0)
    posterior = judge.posterior(forms, features)
    styles = posterior.argmax(axis=1)
    for style in range(judge.styles):
        clear = np.flatnonzero((styles == style) & (posterior[:, style] >= CLEAR))
        if len(clear):
            best = max((headlines[at] for at in clear), key=_rank)
            yield Written(place, best.text, style)


def _rank(headline: Headline) -> float:
    length = len(headline.text) + 1  # with EOS
    penalty: float = ((5 + length) / 6) ** LENGTH_PENALTY
    return headline.score / penalty


def repeats(styles: Sequence[int], count: int) -> list[int]:
    """Returns how often the headlines of each style are used, so that none is rare.

    Args:
        styles: the style of each headline.
        count: number of styles.
    """
    found = np.bincount(styles, minlength=count)
    times = found.max() / np.maximum(found, 1)
    return [min(MOST_TIMES, max(1, round(float(one)))) for one in times]
