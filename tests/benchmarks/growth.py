"""How articles a second grow and fall with each size, and how far the limit is.

All but the workers are measured in one process, with a headline of the same number of
steps for each article; networks of other sizes have random weights.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from math import gcd
from statistics import fmean
from typing import Any

from headline.bundle import Bundle
from headline.engines.numpy.engine import NumpyEngine
from headline.generation.batching import windows
from headline.generation.generator import Generator
from headline.generation.parallel import ParallelGenerator
from headline.system.workers import cores
from headline.text.tokenizer import CharTokenizer, Vocab
from tests.benchmarks.engines import FixedSteps
from tests.benchmarks.flops import Cost, article_flops
from tests.benchmarks.machine import best_rate, matrix_rates
from tests.benchmarks.rows import Row, compared, in_turns
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import of_length
from tests.scripted import random_weights

LENGTHS = (50, 100, 200, 500, 1000, 2000)
BEAM_SIZES = (1, 2, 4, 8, 16)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
VOCAB_SIZES = (1000, 3000, 10000, 30000)
WIDTHS = (64, 128, 256, 512)
LENGTH = 100  # characters of an article, where lengths are not what differs
STEPS = 18  # tokens of a headline, EOS included
FIRST_IDEOGRAPH = 0x4E00


@dataclass(frozen=True)
class Point:
    """A generator, and the articles it writes again and again."""

    generator: Generator
    articles: list[str]
    at_once: int  # articles

    @classmethod
    def of(cls, bundle: Bundle, subject: Subject, length: int = LENGTH) -> "Point":
        """Reads articles of one length, of which a batch is searched at once."""
        size = bundle.decode.batch_size
        engine = NumpyEngine(bundle.model, bundle.weights, bundle.decode.shortlist)
        generator = Generator(
            bundle.tokenizer, FixedSteps(engine, STEPS), bundle.decode, length
        )
        return cls(generator, of_length(subject.texts, length, size), size)

    def rate(self, seconds: float) -> float:
        """Returns articles a second, after so many seconds at least."""
        written, begin = 0, time.perf_counter()
        for batch in windows(cycle(self.articles), self.at_once):
            self.generator.generate(batch)
            written += len(batch)
            passed = time.perf_counter() - begin
            if passed >= seconds:
                break
        return written / passed


def measure(subject: Subject) -> Iterator[Row]:
    """Yields the rows of each growth."""
    bundle = subject.bundle
    hypotheses = bundle.decode.batch_size * bundle.decode.beam_size
    yield from matrix_rates(bundle.model, hypotheses)
    yield from _lengths(subject)
    beams = {f"beam of {n}": _searched(bundle, beam_size=n) for n in BEAM_SIZES}
    yield from _bundles(subject, beams, "beam of 4")
    batches = {f"batch of {n}": _searched(bundle, batch_size=n) for n in BATCH_SIZES}
    yield from _bundles(subject, batches, "batch of 32")
    yield from _vocab_sizes(subject)
    widths = {f"width of {width}": _of_width(bundle, width) for width in WIDTHS}
    yield from _bundles(subject, widths, "width of 128")
    yield from _workers(subject)


def _compared(subject: Subject, points: Mapping[str, Point], to: str) -> Iterator[Row]:
    """Yields articles a second of all points, measured in turns."""
    actions = {
        name: partial(point.rate, subject.seconds) for name, point in points.items()
    }
    samples = in_turns(actions, subject.rounds)
    yield from compared("growth", samples, "articles/s", to)


def _bundles(subject: Subject, bundles: Mapping[str, Bundle], to: str) -> Iterator[Row]:
    points = {name: Point.of(bundle, subject) for name, bundle in bundles.items()}
    yield from _compared(subject, points, to)


def _lengths(subject: Subject) -> Iterator[Row]:
    """Articles a second, and what share of the matrix rate that is."""
    names = {length: f"article of {length} characters" for length in LENGTHS}
    points = {
        name: Point.of(subject.bundle, subject, length)
        for length, name in names.items()
    }
    limit = best_rate()
    for row in _compared(subject, points, names[LENGTH]):
        yield row
        cost = _flops(subject.bundle, points[row.name].articles)
        yield Row("growth", f"{row.name}, operations", cost / 1e6, "MFLOP")
        share = 100 * row.value * cost / limit
        yield Row("growth", f"{row.name}, of the limit", share, "% of the matrix rate")


def _flops(bundle: Bundle, articles: list[str]) -> int:
    """Returns the operations of an article, all being of one length."""
    cost = Cost(
        length=len(articles[0]),
        distinct=round(fmean(len(set(article)) for article in articles)),
        steps=STEPS,
        beam_size=bundle.decode.beam_size,
        shortlist=bundle.decode.shortlist,
    )
    return article_flops(bundle.model, cost)


def _vocab_sizes(subject: Subject) -> Iterator[Row]:
    """With the shortlist, and with the whole vocab."""
    bundle = subject.bundle
    counts = Counter("".join(subject.texts))
    bundles = {
        f"vocab of {size:,}": _of_vocab_size(bundle, counts, size)
        for size in VOCAB_SIZES
    }
    bundles |= {
        f"{name}, no shortlist": _searched(each, shortlist=0)
        for name, each in bundles.items()
    }
    yield from _bundles(subject, bundles, "vocab of 3,000")


def _searched(bundle: Bundle, **settings: Any) -> Bundle:
    """Returns the model with other settings of the search."""
    return replace(bundle, decode=replace(bundle.decode, **settings))


def _of_vocab_size(bundle: Bundle, counts: Counter[str], size: int) -> Bundle:
    """Returns a random model with other characters beside those of the articles."""
    last = FIRST_IDEOGRAPH + max(VOCAB_SIZES)
    counts = counts + Counter(map(chr, range(FIRST_IDEOGRAPH, last)))
    tokenizer = CharTokenizer(Vocab.from_counts(counts, size, 1))
    model = replace(bundle.model, vocab_size=tokenizer.vocab.vocab_size)
    return replace(
        bundle, model=model, tokenizer=tokenizer, weights=random_weights(model)
    )


def _of_width(bundle: Bundle, width: int) -> Bundle:
    """Returns a random model of another width."""
    heads = gcd(bundle.model.heads, width)
    model = replace(bundle.model, width=width, heads=heads)
    return replace(bundle, model=model, weights=random_weights(model))


def _workers(subject: Subject) -> Iterator[Row]:
    """Held-out articles with the model's own headlines, all of them at once."""
    bundle = subject.bundle
    single = Generator.from_bundle(bundle, bundle.decode)
    points = {}
    for count in range(1, cores() + 1):
        generator = single if count == 1 else ParallelGenerator(single, count)
        texts = list(subject.texts)
        points[f"workers: {count}"] = Point(generator, texts, len(texts))
    yield from _compared(subject, points, "workers: 1")
