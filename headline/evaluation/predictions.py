"""The predictions of an evaluation: each headline beside its reference, as a CSV file.

``headline evaluate -o`` writes the file and ``--compare`` reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from headline.data.corpus import Pair
from headline.errors import CorpusError
from headline.evaluation.metrics import Marks
from headline.formats.records import Row
from headline.formats.tables import CorpusFormat, Table, open_table
from headline.formats.writing import csv_table
from headline.generation.headlines import Headline
from headline.system.outputs import output_stream

EXCERPT = 200  # characters kept of each article
COLUMNS = (
    "reference",
    "headline",
    "score",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "unsupported_numbers",
    "unsupported_latin",
    "unsupported_names",
    "article",
)
CONFIDENCE = "confidence"  # column, if it was estimated
READ = ("reference", "headline", "article")
SAME = "--compare takes a file that -o wrote for the same articles"


@dataclass(frozen=True)
class Prediction:
    """A model's headlines for an article, and the reference.

    ``texts`` and ``marks`` hold one headline per system, by the system's name.
    """

    pair: Pair  # the article cut to EXCERPT characters
    headlines: Sequence[Headline]  # best first
    texts: Mapping[str, str]
    marks: Mapping[str, Marks]  # against the whole article


def excerpt(pair: Pair) -> Pair:
    """Returns the pair with its article cut to EXCERPT characters."""
    return Pair(pair.source[:EXCERPT], pair.target)


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Writes a row for each article: its headlines, and the metrics of the best one.

    A column ``confidence`` follows if it was estimated. Further headlines are in the
    columns ``headline_2`` and so on. Unsupported numbers, Latin words and names are
    separated by spaces.
    """
    most = max(len(prediction.headlines) for prediction in predictions)
    more = [f"headline_{rank}" for rank in range(2, most + 1)]
    chances = [one.headlines[0].confidence for one in predictions]
    extra = [] if all(chance is None for chance in chances) else [CONFIDENCE]
    with output_stream(path) as stream:
        write_row = csv_table(stream, [*COLUMNS, *extra, *more])
        for prediction in predictions:
            texts = [headline.text for headline in prediction.headlines[1:]]
            gaps = [""] * (len(more) - len(texts))
            chance = [prediction.headlines[0].confidence for _ in extra]
            write_row([*_cells(prediction), *chance, *texts, *gaps])


def _cells(prediction: Prediction) -> list[object]:
    """Returns the values of ``COLUMNS``."""
    best, marks = prediction.headlines[0], prediction.marks["model"]
    return [
        prediction.pair.target,
        best.text,
        f"{best.score:.4f}",
        *marks.rouge.to_dict().values(),
        " ".join(marks.unsupported_numbers),
        " ".join(marks.unsupported_latin),
        " ".join(marks.unsupported_names),
        prediction.pair.source,
    ]


def read_headlines(path: Path, pairs: Sequence[Pair]) -> list[str]:
    """Reads the headline of each row that ``write_predictions`` wrote.

    Args:
        pairs: the pairs that the rows must match, articles cut to EXCERPT characters.

    Raises:
        CorpusError: the file cannot be read, or has other articles or references.
    """
    with open_table(path, CorpusFormat(encoding="utf-8")) as table:
        _check_columns(table)
        rows = zip_longest(table.rows(READ), pairs)
        return [_headline(path, row, pair, len(pairs)) for row, pair in rows]


def _check_columns(table: Table) -> None:
    for name in READ:
        if name not in table.columns:
            raise CorpusError(
                f"{table.path} has no column {name!r}: --compare takes a file that "
                "`headline evaluate -o` wrote"
            )


def _headline(path: Path, row: Row | None, pair: Pair | None, articles: int) -> str:
    if row is None:
        raise CorpusError(
            f"{path} has fewer rows than there are articles, {articles:,}: {SAME}"
        )
    if row.problem is not None:
        raise CorpusError(f"{path}: row {row.number} is damaged: {row.problem}")
    if pair is None:
        raise CorpusError(
            f"{path} has more rows than there are articles, {articles:,}; the first "
            f"surplus one is row {row.number}: {SAME}"
        )
    for name, wanted in (("article", pair.source), ("reference", pair.target)):
        if row.values[name] != wanted:
            brief = repr(row.values[name][:20])
            raise CorpusError(
                f"{path}: row {row.number} has another {name}: {brief} "
                f"instead of {wanted[:20]!r}"
            )
    return str(row.values["headline"])
