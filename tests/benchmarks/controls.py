"""What each control of the search costs and gives, on a model and a file of pairs.

    python -m tests.benchmarks.controls models/news prepared/news/test.csv

Prints a table for each control: exact numbers, n-grams that may not come back,
lengths, and several headlines.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from headline.bundle import load_bundle
from headline.cli.models import single_blas_thread
from headline.data.corpus import Pair
from headline.evaluation.evaluate import read_pairs
from headline.evaluation.metrics import Facts, choice, mark, rates, rouge
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.text.tokenizer import WordTokenizer

Found = Sequence[Sequence[Headline]]


@dataclass(frozen=True)
class Bench:
    """A model and the pairs to measure it on."""

    generator: Generator
    pairs: Sequence[Pair]

    def found(self, **settings: Any) -> tuple[Found, float]:
        """Returns headlines under some settings, and the seconds of processor time."""
        generator = self.generator
        config = replace(generator.config, **settings)
        begin = time.process_time()
        found = generator.generate(
            [pair.source for pair in self.pairs], [config] * len(self.pairs)
        )
        return found, time.process_time() - begin

    def rates(self, headlines: Sequence[str]) -> dict[str, float]:
        """Returns the metrics of one headline of each article."""
        return dict(
            rates(
                [
                    mark(text, pair.target, Facts.of(pair.source))
                    for text, pair in zip(headlines, self.pairs, strict=True)
                ]
            )
        )

    def row(self, found: Found, *names: str) -> list[float]:
        """Returns some of the metrics of the first headlines."""
        values = self.rates([headlines[0].text for headlines in found])
        return [values[name] for name in names]


def print_table(title: str, head: Sequence[str], rows: Iterator[list[Any]]) -> None:
    """Prints the rows as they come."""
    click.echo(f"\n| {title} | {' | '.join(head)} |")
    click.echo("|---" * (len(head) + 1) + "|")
    for name, *values in rows:
        click.echo(f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} |")


def exact_numbers(bench: Bench) -> Iterator[list[Any]]:
    """Whole numbers and Latin words, on and off."""
    for exact in (False, True):
        found, _ = bench.found(exact_numbers=exact)
        names = "rouge_l", "unsupported_numbers", "unsupported_latin"
        yield ["on" if exact else "off", *bench.row(found, *names)]


def ngrams(bench: Bench) -> Iterator[list[Any]]:
    """Repeated bigrams, and the time against that of no rule, the least of three."""
    texts = [pair.target for pair in bench.pairs]
    references = bench.rates(texts)
    yield ["references", float("nan"), references["repeated_bigrams"], float("nan")]
    sizes = (0, 2, 3, 4)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    last: dict[int, Found] = {}
    for _, size in itertools.product(range(3), sizes):
        last[size], seconds = bench.found(no_repeat_ngram_size=size)
        times[size].append(seconds)
    for size in sizes:
        values = bench.row(last[size], "rouge_l", "repeated_bigrams")
        yield [f"n = {size}", *values, min(times[size]) / min(times[0])]


def lengths(bench: Bench) -> Iterator[list[Any]]:
    """Length limits and wishes, and how many headlines end inside of a word."""
    settings: list[dict[str, Any]] = [
        {},
        {"max_length": 12},
        {"max_length": 12, "beam_size": 16},
        {"target_length": 12},
        {"target_length": 12, "max_length": 12},
        {"min_length": 20},
        {"target_length": 20},
    ]
    for asked in settings:
        found, _ = bench.found(**asked)
        texts = [headlines[0].text for headlines in found]
        name = ", ".join(f"{key} {value}" for key, value in asked.items()) or "free"
        cut = fmean(
            ends_inside_a_word(text, pair.source)
            for text, pair in zip(texts, bench.pairs, strict=True)
        )
        spoken = [len(text) for text in texts]
        values = fmean(spoken), min(spoken), max(spoken)
        yield [name, *bench.row(found, "rouge_l"), *values, 100 * cut]


def ends_inside_a_word(headline: str, article: str) -> bool:
    """Tells whether a headline ends where no word of the article does.

    Looks for the longest end of the headline, of two characters at least, that the
    article has: it is cut if jieba has no word ending at any of those places.
    """
    for begin in range(len(headline) - 1):
        part = headline[begin:]
        if part in article:
            return not (_ends(article, part) & _boundaries(article))
    return False


def _ends(article: str, part: str) -> set[int]:
    starts = range(len(article) - len(part) + 1)
    return {place + len(part) for place in starts if article.startswith(part, place)}


@cache
def _boundaries(article: str) -> frozenset[int]:
    return frozenset(itertools.accumulate(map(len, WordTokenizer.split(article))))


def choices(bench: Bench) -> Iterator[list[Any]]:
    """Five headlines of each article."""
    several: dict[str, dict[str, Any]] = {
        "beam": {},
        "diversity 0.5": {"diversity": 0.5},
        "diversity 1": {"diversity": 1.0},
        "diversity 2": {"diversity": 2.0},
        "sample, top-p 0.9, temperature 0.8": {
            "sample": True,
            "top_p": 0.9,
            "temperature": 0.8,
            "seed": 7,
        },
    }
    for name, asked in several.items():
        found, _ = bench.found(num_headlines=5, **asked)
        yield [name, *choice_metrics(found, bench.pairs)]


def choice_metrics(found: Found, pairs: Sequence[Pair]) -> list[float]:
    """ROUGE-L of the first and of the best, and how far the five differ."""
    texts = [[headline.text for headline in headlines] for headlines in found]
    scores = [
        [rouge(text, pair.target).rouge_l for text in of_one]
        for of_one, pair in zip(texts, pairs, strict=True)
    ]
    differ = [choice(of_one) for of_one in texts]
    names = "distinct_2", "pairwise_rouge_l", "different"
    return [
        fmean(of_one[0] for of_one in scores),
        fmean(max(of_one) for of_one in scores),
        *(fmean(each[name] for each in differ) for name in names),
    ]


TABLES: dict[str, tuple[Callable[[Bench], Iterator[list[Any]]], list[str]]] = {
    "exact numbers": (
        exact_numbers,
        ["ROUGE-L", "unsupported numbers %", "unsupported Latin %"],
    ),
    "no repeated n-gram": (ngrams, ["ROUGE-L", "repeated bigrams %", "time"]),
    "length": (
        lengths,
        ["ROUGE-L", "mean", "shortest", "longest", "ending inside a word %"],
    ),
    "five headlines": (
        choices,
        [
            "ROUGE-L of the first",
            "of the best",
            "distinct-2 %",
            "pairwise",
            "different",
        ],
    ),
}


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--articles", default=1000, show_default=True, help="Most to measure on.")
@click.option("--table", "names", multiple=True, type=click.Choice(list(TABLES)))
def main(model_dir: Path, file: Path, articles: int, names: tuple[str, ...]) -> None:
    """Print what the controls of MODEL_DIR cost and give on the pairs of FILE."""
    single_blas_thread()
    bundle = load_bundle(model_dir)
    generator = Generator.from_bundle(bundle, bundle.decode)
    pairs = list(itertools.islice(read_pairs(file, CorpusFormat()), articles))
    bench = Bench(generator, pairs)
    click.echo(f"{len(pairs)} articles")
    for name in names or TABLES:
        function, head = TABLES[name]
        print_table(name, head, function(bench))


if __name__ == "__main__":
    main()
