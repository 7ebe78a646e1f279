"""Preparations of dirty corpora in several files, for tests of their parts."""

import random
from pathlib import Path
from typing import Any

from headline.data.corpus import Pair
from headline.data.job import Job
from headline.formats.tables import CorpusFormat
from headline.pages.corpus_report import render
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from tests.corpora import write_pairs
from tests.data.dirt import (
    reprinted,
    sample_pairs,
    with_affix,
    with_closing,
    with_dateline,
    with_title,
)

DIRT = (with_affix, 0.3), (with_title, 0.1), (with_dateline, 0.3), (with_closing, 0.2)


def dirty_pairs(count: int, seed: int = 3) -> list[Pair]:
    """Returns pairs of the sample corpus with every kind of dirt, and some twice."""
    rng = random.Random(seed)
    pairs = []
    for pair in sample_pairs(count):
        for dirtied, share in DIRT:
            pair = dirtied(pair, rng) if rng.random() < share else pair
        pairs.append(pair)
    twins = [reprinted(pair, rng) for pair in rng.sample(pairs, count // 10)]
    # Of reprints with their own headline, some are kept in the same split.
    others = [Pair(twin.source, twin.target + "续") for twin in twins[::2]]
    boilerplate = [Pair(pair.source, "今日要闻") for pair in rng.sample(pairs, 9)]
    pairs += [*twins, *others, *boilerplate, *rng.sample(pairs, count // 10)]
    rng.shuffle(pairs)
    return pairs


def dirty_job(folder: Path, count: int = 400, **more: Any) -> Job:
    """Makes two corpora, and articles of which some are twins of held-out ones."""
    pairs = dirty_pairs(count)
    half = len(pairs) // 2
    titled = [
        [(title, text) for text, title in part] for part in (pairs[:half], pairs[half:])
    ]
    rng = random.Random(1)
    articles = [reprinted(pair, rng).source for pair in pairs[::3]]
    more_articles = [pair.source for pair in sample_pairs(count + 60)[count:]]
    alone = folder / "archive.csv"
    write_pairs(alone, [("", text) for text in (*articles, *more_articles)])
    return Job(
        **{
            "files": [
                write_pairs(folder / "a.csv", titled[0]),
                write_pairs(folder / "b.csv", titled[1]),
            ],
            "data_dir": folder / "single",
            "format": CorpusFormat(),
            "config": PrepareConfig(min_count=2, valid_size=0.1, test_size=0.1),
            "cleaning": CleanConfig(),
            "unpaired": [alone],
            "page": render,
            **more,
        }
    )
