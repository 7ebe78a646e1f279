"""``headline score``: the log-probabilities of the headlines of a file."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headline.data.corpus import Pair
from headline.evaluation.evaluate import read_pairs
from headline.evaluation.predictions import excerpt
from headline.formats.tables import CorpusFormat
from headline.formats.writing import csv_table
from headline.generation.batching import windows
from headline.generation.generator import Generator
from headline.system.outputs import output_stream
from headline.system.progress import Meter

COLUMNS = ("headline", "score", "article")


@dataclass(frozen=True)
class Scored:
    """The headlines of a file with their log-probabilities."""

    pairs: Sequence[Pair]  # the articles cut to EXCERPT characters
    scores: Sequence[float]  # natural logarithms, including EOS

    @property
    def mean(self) -> float:
        """The mean log-probability of a headline."""
        return sum(self.scores) / len(self.scores)

    @property
    def perplexity(self) -> float:
        """Perplexity per character: exp(-mean log-probability), EOS counted as one."""
        characters = sum(len(pair.target) + 1 for pair in self.pairs)
        return math.exp(-sum(self.scores) / characters)

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores, ready for JSON."""
        return {
            "articles": len(self.pairs),
            "score": round(self.mean, 4),
            "perplexity": round(self.perplexity, 4),
            "scores": [round(score, 4) for score in self.scores],
        }

    def table(self) -> str:
        """Returns the means as a table for a person."""
        rows = {
            "mean log-probability": f"{self.mean:8.2f}",
            "perplexity of a character": f"{self.perplexity:8.2f}",
        }
        lines = (f"{name:28}{value}" for name, value in rows.items())
        return "\n".join([f"{len(self.pairs):,} headlines", *lines])

    def write(self, path: Path) -> None:
        """Writes a CSV file with a row for each headline."""
        with output_stream(path) as stream:
            write_row = csv_table(stream, COLUMNS)
            for pair, score in zip(self.pairs, self.scores, strict=True):
                write_row([pair.target, f"{score:.4f}", pair.source])


def score_file(
    generator: Generator, path: Path, form: CorpusFormat, meter: Meter | None = None
) -> Scored:
    """Scores each headline of a file of pairs.

    Args:
        meter: counts the articles that are done.

    Raises:
        CorpusError: the file cannot be read, or holds no pair.
    """
    pairs: list[Pair] = []
    scores: list[float] = []
    for window in windows(read_pairs(path, form), generator.window_size):
        cleaned = [generator.cleaned(*pair) for pair in window]
        sources = [generator.read_clean(article) for article in cleaned]
        scores += generator.score(sources, [pair.target for pair in window])
        pairs += map(excerpt, window)
        if meter is not None:
            meter.advance(len(window))
    return Scored(pairs, scores)
