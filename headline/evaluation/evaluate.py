"""``headline evaluate``: scores a model's headlines on a file of pairs.

The file is opened once and read twice. So a bad file is found before any headline is
written, and only the beginning of each article is kept in memory.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy as shallow_copy
from dataclasses import dataclass, replace
from itertools import repeat, tee
from pathlib import Path
from statistics import fmean, median
from typing import Any

from headline.data.corpus import Pair
from headline.errors import CorpusError
from headline.evaluation.confidence import ConfidenceScores, confidence_scores
from headline.evaluation.metrics import Facts, choice, lead, mark, rouge
from headline.evaluation.predictions import (
    Prediction,
    excerpt,
    read_headlines,
    write_predictions,
)
from headline.evaluation.scores import (
    Scores,
    choices_line,
    difference_table,
    score,
    score_references,
    table,
)
from headline.evaluation.significance import Difference, compare
from headline.evaluation.styled import StyleScores, StyleTally
from headline.formats.files import check_can_be_read_again
from headline.formats.records import as_text, value_of
from headline.formats.tables import (
    CorpusFormat,
    Table,
    find_pair_columns,
    open_table,
)
from headline.generation.batching import windows
from headline.generation.generator import Advance, Generator, ignore
from headline.generation.headlines import Headline
from headline.system.progress import Meter
from headline.text.normalise import normalise


@dataclass(frozen=True)
class Evaluation:
    """Scores of several systems on the same articles.

    The systems are ``model``; ``other``, the model or file to compare with; ``oracle``,
    the headline of each article with the best ROUGE-L; ``lead``; and ``references``.
    """

    predictions: Sequence[Prediction]
    seconds: float  # time that the model took
    scores: Mapping[str, Scores]  # by system
    differences: Mapping[str, Difference]  # model minus other, by metric
    choices: Mapping[str, float]  # how several headlines differ; empty if only one
    styles: StyleScores | None = None  # with one headline in each style
    confidence: ConfidenceScores | None = None  # if the model has a confidence

    @property
    def speed(self) -> float:
        """Articles per second."""
        return len(self.predictions) / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores, ready for JSON."""
        systems = {name: scores.to_dict() for name, scores in self.scores.items()}
        found = {
            "articles": len(self.predictions),
            "articles_per_second": round(self.speed, 2),
        }
        if "other" in systems:
            pairs = self.differences.items()
            tests = {name: difference.to_dict() for name, difference in pairs}
            systems["compare"] = {"other": systems.pop("other")} | tests
        if self.choices:
            rounded = {name: round(value, 2) for name, value in self.choices.items()}
            systems["choices"] = rounded
        if self.styles is not None:
            systems["styles"] = self.styles.to_dict()
        if self.confidence is not None:
            systems["confidence"] = self.confidence.to_dict()
        return found | systems

    def table(self) -> str:
        """Returns the scores as a table for a person."""
        parts = [f"{len(self.predictions):,} articles, {self.speed:,.1f} articles/s"]
        parts.append(table(self.scores))
        if self.choices:
            parts += ["", choices_line(self.choices)]
        if self.differences:
            parts += ["", difference_table(self.differences)]
        if self.styles is not None:
            parts += ["", self.styles.table()]
        if self.confidence is not None:
            parts += ["", self.confidence.table()]
        return "\n".join(parts)

    def write(self, path: Path) -> None:
        """Writes the predictions as a CSV file."""
        write_predictions(path, self.predictions)


def evaluate(
    generator: Generator,
    path: Path,
    form: CorpusFormat,
    other: Generator | Path | None = None,
    meter: Meter | None = None,
) -> Evaluation:
    """Writes headlines for each article of a file and scores them.

    Args:
        path: a table of articles and headlines.
        other: another model, or a file of predictions for these articles, to compare
            with.
        meter: counts the articles that are done.

    Raises:
        ConfigError: search settings contradict each other.
        CorpusError: the file cannot be read or holds no pair, or the predictions are
            for other articles.
    """
    generator = _estimating(generator)
    generator.check(generator.config)
    check_can_be_read_again(path)
    with open_table(path, form) as table:
        pairs = [excerpt(pair) for pair in _pairs(table, form)]
        if meter is not None:
            meter.expect(len(pairs))
        again = _pairs(table, form, tells=False)
        others: Iterable[str | None] = repeat(None)
        if isinstance(other, Path):
            others = read_headlines(other, pairs)
        elif other is not None:
            other.check(other.config)
            again, also = tee(again)  # buffers what one has read and the other has not
            others = _first_headlines(other, also)
        writer = _Writer(generator, _middle_length(pairs), meter)
        predictions = list(writer.predict(again, others))
    _tell_errors(predictions, form)
    return _summary(predictions, writer)


def evaluate_pairs(generator: Generator, pairs: Sequence[Pair]) -> Evaluation:
    """Writes headlines for pairs in memory and scores them.

    Args:
        pairs: articles and headlines, normalised by ``normalise`` and not blank.

    Raises:
        ConfigError: search settings contradict each other.
        CorpusError: there is no pair.
    """
    generator = _estimating(generator)
    generator.check(generator.config)
    if not pairs:
        raise CorpusError("there is no pair with both an article and a headline")
    writer = _Writer(generator, _middle_length(pairs))
    predictions = list(writer.predict(pairs, repeat(None)))
    return _summary(predictions, writer)


def _estimating(generator: Generator) -> Generator:
    """Returns a generator that also estimates the confidence, if the model has one."""
    config = generator.config
    if generator.estimator is None or config.in_styles:
        return generator
    estimating = shallow_copy(generator)
    estimating.config = replace(config, with_confidence=True, min_confidence=0.0)
    return estimating


def _middle_length(pairs: Iterable[Pair]) -> int:
    """Returns the length of Lead: the median length of the references."""
    return int(median(len(pair.target) for pair in pairs))


def _first_headlines(generator: Generator, pairs: Iterable[Pair]) -> Iterator[str]:
    cleaned = (generator.cleaned(*pair) for pair in pairs)
    sources = (generator.read_clean(article) for article in cleaned)
    for headlines in generator.stream(sources):
        yield headlines[0].text


def _tell_errors(predictions: Iterable[Prediction], form: CorpusFormat) -> None:
    """Reports articles whose search settings contradict each other."""
    errors = [one.headlines[0].error for one in predictions if one.headlines[0].error]
    if errors and form.tell is not None:
        form.tell(
            f"{len(errors):,} articles get no headline, the first one because: "
            f"{errors[0]}"
        )


def read_pairs(path: Path, form: CorpusFormat) -> Iterator[Pair]:
    """Yields every row that has both sides; filtering could flatter the model.

    Raises:
        CorpusError: the file cannot be read, lacks a column, or holds no pair.
    """
    with open_table(path, form) as table:
        yield from _pairs(table, form)


def _pairs(table: Table, form: CorpusFormat, tells: bool = True) -> Iterator[Pair]:
    """Yields pairs as ``read_pairs`` does.

    Args:
        tells: whether to report rows that cannot be read; only one reading does.
    """
    empty = True
    source, target = find_pair_columns(table, form)
    for row in table.rows((source, target), tells=tells):
        values = (value_of(row.values, source), value_of(row.values, target))
        pair = Pair(*(normalise(as_text(value) or "") for value in values))
        if row.problem is None and all(pair):
            empty = False
            yield pair
    if empty:
        raise CorpusError(
            f"{table.path} has no row with both an article and a headline"
        )


class _Writer:
    """Writes headlines by every system, and times the model.

    Args:
        length: length of Lead, in characters.
        meter: counts the articles for which the model has written headlines.
    """

    def __init__(
        self, generator: Generator, length: int, meter: Meter | None = None
    ) -> None:
        self.generator = generator
        self.length = length
        self._advance: Advance = ignore if meter is None else meter.advance
        self.seconds = 0.0
        self.tally: StyleTally | None = None
        if generator.config.styles and generator.styles is not None:
            self.tally = StyleTally(generator, generator.styles)

    def predict(
        self, pairs: Iterable[Pair], others: Iterable[str | None]
    ) -> Iterator[Prediction]:
        """Yields a prediction for each pair; ``others`` are the other's headlines."""
        both = zip(pairs, others, strict=False)
        for window in windows(both, self.generator.window_size):
            with self._timed():
                cleaned = [self.generator.cleaned(*pair) for pair, _ in window]
                sources = [*map(self.generator.read_clean, cleaned)]
                found = self.generator.generate(sources, advance=self._advance)
            if self.tally is not None:
                references = [pair.target for pair, _ in window]
                self.tally.add(sources, references, found)
            for (pair, other), headlines, read in zip(
                window, found, cleaned, strict=True
            ):
                yield self._prediction(pair, headlines, other, read)

    def _prediction(
        self,
        pair: Pair,
        headlines: Sequence[Headline],
        other: str | None,
        cleaned: str,
    ) -> Prediction:
        texts = {"model": headlines[0].text}
        if other is not None:
            texts["other"] = other
        if self.generator.written(self.generator.config) > 1:
            texts["oracle"] = _oracle(headlines, pair.target)
        texts["lead"] = lead(cleaned, self.length)
        texts["references"] = pair.target
        facts = Facts.of(pair.source)
        marks = {name: mark(text, pair.target, facts) for name, text in texts.items()}
        return Prediction(excerpt(pair), headlines, texts, marks)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - begin


def _oracle(headlines: Sequence[Headline], reference: str) -> str:
    texts = [headline.text for headline in headlines]
    return max(texts, key=lambda text: rouge(text, reference).rouge_l)


def _summary(predictions: Sequence[Prediction], writer: _Writer) -> Evaluation:
    systems = list(predictions[0].texts)
    scores = {name: _score(name, predictions) for name in systems}
    differences = {}
    if "other" in systems:
        ours, others = (
            [prediction.marks[name].rouge for prediction in predictions]
            for name in ("model", "other")
        )
        differences = compare(ours, others)
    return Evaluation(
        predictions,
        writer.seconds,
        scores,
        differences,
        _choices(predictions),
        None if writer.tally is None else writer.tally.scores(),
        _confidence(predictions, writer.generator),
    )


def _confidence(
    predictions: Sequence[Prediction], generator: Generator
) -> ConfidenceScores | None:
    """Returns the figures of the confidence, if it was estimated."""
    pairs = [
        (one.headlines[0].confidence, one.marks["model"].rouge.rouge_l)
        for one in predictions
    ]
    known = [(chance, score) for chance, score in pairs if chance is not None]
    if not known or generator.estimator is None:
        return None
    chances, scores = zip(*known, strict=True)
    return confidence_scores(chances, scores, generator.estimator.model.good_rouge_l)


def _choices(predictions: Sequence[Prediction]) -> Mapping[str, float]:
    if all(len(prediction.headlines) == 1 for prediction in predictions):
        return {}
    of_each = [
        choice([headline.text for headline in prediction.headlines])
        for prediction in predictions
    ]
    return {name: fmean(each[name] for each in of_each) for name in of_each[0]}


def _score(system: str, predictions: Sequence[Prediction]) -> Scores:
    marks = [prediction.marks[system] for prediction in predictions]
    if system == "references":
        return score_references(marks)
    headlines = [prediction.texts[system] for prediction in predictions]
    return score(marks, headlines, [one.texts["references"] for one in predictions])
