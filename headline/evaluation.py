"""``headline evaluate``: how good a model's headlines are on a file of pairs."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from headline.corpus import Pair
from headline.errors import CorpusError
from headline.files import replacing
from headline.generator import Generator, windows
from headline.metrics import Rouge, lead, mean_rouge, rouge
from headline.tables import (
    CorpusFormat,
    as_text,
    find_pair_columns,
    open_table,
)
from headline.text import normalise

LEAD_CHARACTERS = 200  # kept of each article for the baseline
COLUMNS = ("reference", "headline", "score", "rouge_1", "rouge_2", "rouge_l", "article")


@dataclass(frozen=True)
class Prediction:
    """A headline beside the one that a person wrote."""

    pair: Pair
    headline: str
    score: float


@dataclass(frozen=True)
class Evaluation:
    """Scores of the model and of the baseline on the same articles."""

    predictions: Sequence[Prediction]
    model: Rouge
    lead: Rouge

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores, ready for JSON."""
        return {
            "articles": len(self.predictions),
            "model": self.model.to_dict(),
            "lead": self.lead.to_dict(),
        }

    def table(self) -> str:
        """Returns the scores as a table for a person."""
        rows = [f"{'':8}{'ROUGE-1':>9}{'ROUGE-2':>9}{'ROUGE-L':>9}"]
        for name, scores in (("model", self.model), ("lead", self.lead)):
            numbers = scores.rouge_1, scores.rouge_2, scores.rouge_l
            rows.append(f"{name:8}" + "".join(f"{number:9.2f}" for number in numbers))
        return "\n".join([f"{len(self.predictions)} articles", *rows])


def evaluate(generator: Generator, path: Path, form: CorpusFormat) -> Evaluation:
    """Writes a headline for each article of a file and scores it.

    Args:
        path: CSV, TSV or JSONL with articles and titles.

    Raises:
        CorpusError: the file cannot be read, or holds no pair.
    """
    predictions = list(_predict(generator, _pairs(path, form)))
    if not predictions:
        raise CorpusError(f"{path} has no row with both an article and a headline")
    references = [prediction.pair.target for prediction in predictions]
    # As long as headlines are here: the middle one of the references.
    length = int(median(len(reference) for reference in references))
    leads = [lead(prediction.pair.source, length) for prediction in predictions]
    headlines = [prediction.headline for prediction in predictions]
    model = mean_rouge(headlines, references)
    return Evaluation(predictions, model, mean_rouge(leads, references))


def _pairs(path: Path, form: CorpusFormat) -> Iterator[Pair]:
    """Yields every row that has both sides: no filter may flatter the model."""
    with open_table(path, form) as table:
        source, target = find_pair_columns(table, form)
        for row in table:
            values = (row.values.get(source), row.values.get(target))
            pair = Pair(*(normalise(as_text(value) or "") for value in values))
            if row.problem is None and all(pair):
                yield pair


def _predict(generator: Generator, pairs: Iterator[Pair]) -> Iterator[Prediction]:
    for window in windows(pairs, generator.window_size):
        found = generator.generate([pair.source for pair in window])
        for pair, headlines in zip(window, found, strict=True):
            kept = Pair(pair.source[:LEAD_CHARACTERS], pair.target)
            yield Prediction(kept, headlines[0].text, headlines[0].score)


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Writes a CSV file: one row for each article, with its own scores."""
    with (
        replacing(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for prediction in predictions:
            scores = rouge(prediction.headline, prediction.pair.target).to_dict()
            row = {"reference": prediction.pair.target, "headline": prediction.headline}
            row |= {"score": f"{prediction.score:.4f}"}
            writer.writerow(row | scores | {"article": prediction.pair.source})
