"""Fits the confidence of a model: how likely its headlines are good.

A logistic regression with a ridge penalty, fitted with Newton's method on the headlines
that the model writes for the valid split. The penalty and the calibration come from
cross-fitting, so that no headline judges itself: the same split chose the weights of
the model, and a few hundred pairs are easily learned by heart.

Shape letters: N headlines, F features, D numbers of an article.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.bundle import (
    Bundle,
    load_bundle,
    read_report,
    save_bundle,
    tidy_model,
    write_report,
)
from headline.data.corpus import Pair
from headline.data.store import Dataset, open_dataset
from headline.errors import Interrupted, TrainingError
from headline.evaluation.confidence import ConfidenceScores, confidence_scores
from headline.evaluation.metrics import rouge
from headline.generation.confidence import (
    FEATURES,
    NUMBERS,
    Articles,
    Estimator,
    Measures,
    drafts_of,
)
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.network.confidence import (
    ConfidenceModel,
    Doubles,
    Likeness,
    logistic,
)
from headline.pages.confidence_section import with_confidence
from headline.search.beams import Hypothesis
from headline.settings.presets import Run
from headline.settings.search import DecodeConfig
from headline.system.folders import locked
from headline.system.interrupt import Wish
from headline.system.progress import Report

Flags = NDArray[np.bool_]

FEWEST = 50  # pairs to fit on
FEWEST_OF_KIND = 8  # good headlines, and others
MOST = 8000  # pairs of the valid split that are used
FOLDS, REPEATS = 10, 5  # the repeats divide the headlines into other folds
# Strengths of the ridge penalty to choose from.
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
STEPS, CLOSE = 50, 1e-9  # of Newton's method
FLAT = 1e-9  # a feature with less deviation is left out
COMMON = 95  # percent of the valid articles that are like the others
SHRINK = 0.05  # added to the diagonal of the correlations


@dataclass(frozen=True)
class Examples:
    """Headlines of the valid split with what the confidence is fitted to."""

    features: Doubles  # (N, F)
    numbers: Doubles  # (N, D)
    rouge_l: Doubles  # (N,)


@dataclass(frozen=True)
class Line:
    """Weights on standardised features."""

    mean: Doubles  # (F,)
    scale: Doubles  # (F,)
    weights: Doubles  # (F,)
    bias: float

    def log_odds(self, features: Doubles) -> Doubles:
        """Returns the log-odds of each row, (N,)."""
        found: Doubles = ((features - self.mean) / self.scale) @ self.weights
        return found + self.bias


# --- the command --------------------------------------------------------------------


def calibrate(
    model_dir: Path,
    data_dir: Path,
    good_rouge_l: float,
    wish: Wish | None = None,
) -> ConfidenceScores:
    """Fits the confidence of a trained model on the valid split and stores it.

    Args:
        good_rouge_l: the least ROUGE-L of a good headline.
        wish: a request to stop.

    Returns:
        its figures, cross-fitted.

    Raises:
        BundleError: there is no model, or a damaged one.
        DataError: the DATA_DIR is missing or damaged.
        TrainingError: there are too few pairs, or all are good or none is.
        Interrupted: a stop was requested; the model is as before.
    """
    dataset = open_dataset(data_dir)
    with locked(model_dir):
        tidy_model(model_dir)
        return add_confidence(model_dir, dataset, good_rouge_l, wish or Wish())


def add_confidence(
    model_dir: Path, dataset: Dataset, good_rouge_l: float, wish: Wish
) -> ConfidenceScores:
    """Does what ``calibrate`` does in a folder that is locked."""
    bundle = load_bundle(model_dir)
    found = examples(bundle, dataset, wish)
    _check_enough(found, good_rouge_l)
    model, scores = fit(found, good_rouge_l)
    save_bundle(model_dir, replace(bundle, confidence=model))
    write_report(model_dir, with_confidence(read_report(model_dir), scores))
    return scores


def end_training(run: Run, dataset: Dataset, report: Report, wish: Wish) -> None:
    """Adds a confidence at the end of a training, or reports why there is none.

    Raises:
        Interrupted: a stop was requested; the model is complete but for this.
    """
    try:
        scores = add_confidence(run.model_dir, dataset, run.train.good_rouge_l, wish)
    except TrainingError as error:
        report(f"no --with-confidence for this model: {error}")
    except Interrupted:
        report(
            "the model is complete, but without --with-confidence: `headline calibrate`"
            " adds it"
        )
        raise
    else:
        report(told(scores))


def told(scores: ConfidenceScores) -> str:
    """Returns the figures of a fit in a line."""
    surest = scores.coverage[20]
    return (
        f"confidence, cross-fitted on the valid split: AUROC {scores.auroc:.3f}, "
        f"ECE {scores.ece:.3f}, ROUGE-L of the surest fifth {surest:.1f}"
    )


def _check_enough(found: Examples, good_rouge_l: float) -> None:
    count = len(found.rouge_l)
    good = int((found.rouge_l >= good_rouge_l).sum())
    if count < FEWEST:
        raise TrainingError(
            f"the confidence needs at least {FEWEST} pairs in the valid split, and "
            f"there are {count}: prepare with a larger --valid-size"
        )
    if min(good, count - good) < FEWEST_OF_KIND:
        raise TrainingError(
            f"the confidence needs at least {FEWEST_OF_KIND} good headlines and as many"
            f" others, and {good} of {count} have a ROUGE-L of at least "
            f"{good_rouge_l:g}: give another --good-rouge-l"
        )


# --- examples -----------------------------------------------------------------------


class Recorder(Estimator):
    """Records the features of headlines instead of estimating from them."""

    def __init__(self, measures: Measures) -> None:
        self.measures = measures
        self.found: dict[int, tuple[Doubles, Doubles]] = {}  # by identity of the source

    def are_unlike(self, sources: Sequence[Any]) -> list[bool]:
        return [False] * len(sources)

    def estimated(
        self,
        found: Sequence[Sequence[Headline]],
        hypotheses: Sequence[Sequence[Hypothesis]],
        articles: Articles,
    ) -> list[list[Headline]]:
        first = [headlines[:1] for headlines in found]
        drafts = drafts_of(first, hypotheses)
        if drafts:
            rows = self.measures.measured(drafts, articles)
            for draft, *row in zip(drafts, *rows, strict=True):
                self.found[id(articles.sources[draft.article])] = row[0], row[1]
        return [[*headlines] for headlines in found]


def examples(bundle: Bundle, dataset: Dataset, wish: Wish) -> Examples:
    """Writes the headlines of the valid split with NumPy and records their features.

    Raises:
        DataError: the CSV file of the split is damaged.
        Interrupted: a stop was requested.
    """
    recorder = Recorder(Measures(bundle.tokenizer))
    config = plain(bundle.decode)
    generator = Generator.from_bundle(replace(bundle, confidence=None), config)
    generator = Generator(
        bundle.tokenizer,
        generator.engine,
        config,
        bundle.max_source_length,
        estimator=recorder,
    )
    pairs = dataset.sample("valid", MOST)
    rows: list[tuple[Doubles, Doubles, float]] = []
    for begin in range(0, len(pairs), generator.window_size):
        wish.check()
        some = pairs[begin : begin + generator.window_size]
        rows += _rows(generator, recorder, some)
    features, numbers, rouge_l = zip(*rows, strict=True) if rows else ((), (), ())
    return Examples(np.array(features), np.array(numbers), np.array(rouge_l))


def plain(config: DecodeConfig) -> DecodeConfig:
    """Returns the search whose best headline is measured."""
    return replace(
        config, num_headlines=1, with_confidence=True, min_confidence=0.0, diversity=0.0
    )


def _rows(
    generator: Generator, recorder: Recorder, pairs: Sequence[Pair]
) -> list[tuple[Doubles, Doubles, float]]:
    sources = [generator.read_clean(pair.source) for pair in pairs]
    recorder.found.clear()
    found = generator.generate(sources)
    return [
        (*recorder.found[id(source)], rouge(headlines[0].text, pair.target).rouge_l)
        for source, headlines, pair in zip(sources, found, pairs, strict=True)
        if id(source) in recorder.found
    ]


# --- the fit ------------------------------------------------------------------------


def fit(
    found: Examples, good_rouge_l: float
) -> tuple[ConfidenceModel, ConfidenceScores]:
    """Fits the confidence; returns it with its cross-fitted figures.

    Args:
        found: some of them good, some not.
        good_rouge_l: the least ROUGE-L of a good headline.
    """
    good = (found.rouge_l >= good_rouge_l).astype(np.float64)
    likeness = fit_likeness(found.numbers)
    ridge = min(RIDGES, key=lambda one: _loss(crossed(found.features, good, one), good))
    log_odds = crossed(found.features, good, ridge)
    line = _line(found.features, good, ridge)
    factor, shift = _stretch(log_odds, good)
    model = ConfidenceModel(
        names=FEATURES,
        mean=_numbers(line.mean),
        scale=_numbers(line.scale),
        weights=_numbers(line.weights * factor),
        bias=float(line.bias * factor + shift),
        likeness=likeness,
        good_rouge_l=good_rouge_l,
    )
    scores = _cross_fitted(found, log_odds, model)
    figures = {"headlines": len(good), "ridge": ridge, **scores.to_dict()}
    return replace(model, fit=figures), scores


def _cross_fitted(
    found: Examples, log_odds: Doubles, model: ConfidenceModel
) -> ConfidenceScores:
    """Returns the figures of headlines that their own fit has not seen.

    Args:
        log_odds: cross-fitted, before they are stretched.
    """
    good = (found.rouge_l >= model.good_rouge_l).astype(np.float64)

    def stretched(train: Flags, test: Flags) -> Doubles:
        factor, shift = _stretch(log_odds[train], good[train])
        return factor * log_odds[test] + shift

    again = _by_folds(good, stretched)
    chances = 100 * logistic(again + model.reduction(found.numbers))
    return confidence_scores(
        chances.tolist(), found.rouge_l.tolist(), model.good_rouge_l
    )


def _stretch(log_odds: Doubles, good: Doubles) -> tuple[float, float]:
    """Returns the factor and the shift that calibrate log-odds.

    Platt 1999, "Probabilistic outputs for support vector machines".
    """
    line = _line(log_odds[:, None], good, 0.0)
    # Not below 0: a fit worse than chance tells nothing but the share of good ones.
    factor = max(0.0, float(line.weights[0] / line.scale[0]))
    return factor, line.bias - float(line.mean[0]) * factor


def fit_likeness(numbers: Doubles) -> Likeness:
    """Fits how the numbers of articles usually lie, (N, D)."""
    mean, scale = numbers.mean(axis=0), numbers.std(axis=0)
    scale = np.where(scale > FLAT, scale, 1.0)
    scaled = (numbers - mean) / scale
    correlations = scaled.T @ scaled / len(scaled)
    precision = np.linalg.inv(correlations + SHRINK * np.eye(len(correlations)))
    likeness = Likeness(
        names=NUMBERS,
        mean=_numbers(mean),
        scale=_numbers(scale),
        precision=tuple(map(_numbers, precision)),
        bound=1.0,
    )
    bound = float(np.percentile(likeness.distances(numbers), COMMON))
    return replace(likeness, bound=max(bound, FLAT))


def crossed(features: Doubles, good: Doubles, ridge: float) -> Doubles:
    """Returns the log-odds of each headline by a fit without its fold, (N,)."""

    def fitted(train: Flags, test: Flags) -> Doubles:
        return _line(features[train], good[train], ridge).log_odds(features[test])

    return _by_folds(good, fitted)


def _by_folds(good: Doubles, fitted: Callable[[Flags, Flags], Doubles]) -> Doubles:
    """Returns what ``fitted`` returns for each fold, given masks of train and test.

    It is the mean over several divisions into folds: one alone depends on chance. Each
    fold has its share of the good headlines. Otherwise a fold with few of them would be
    judged by a fit that saw many, and the other way round.
    """
    found = np.zeros((REPEATS, len(good)))
    for seed in range(REPEATS):
        order = np.random.default_rng(seed).permutation(len(good))
        order = order[np.argsort(good[order], kind="stable")]
        folds = np.empty(len(good), np.intp)
        folds[order] = np.arange(len(good)) % FOLDS
        for fold in range(min(FOLDS, len(good))):
            test = folds == fold
            found[seed, test] = fitted(~test, test)
    means: Doubles = found.mean(axis=0)
    return means


def _line(features: Doubles, good: Doubles, ridge: float) -> Line:
    """Fits a logistic regression by Newton's method.

    It minimises the log-loss plus ridge / 2 times the squared weights; the bias is
    free. See Hastie, Tibshirani and Friedman 2009, "The Elements of Statistical
    Learning", sec. 4.4.1.

    Args:
        features: (N, F).
        good: 1 for a good headline, else 0, (N,).
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > FLAT, scale, 1.0)
    scaled = np.column_stack([(features - mean) / scale, np.ones(len(good))])
    penalty = np.full(scaled.shape[1], ridge + FLAT)
    penalty[-1] = FLAT
    weights = np.zeros(scaled.shape[1])
    for _ in range(STEPS):
        chances = logistic(scaled @ weights)
        slope = scaled.T @ (chances - good) + penalty * weights
        spread = chances * (1 - chances)
        curvature = (scaled * spread[:, None]).T @ scaled + np.diag(penalty)
        change = np.linalg.solve(curvature, slope)
        weights = weights - change
        if np.abs(change).max() < CLOSE:
            break
    return Line(mean, scale, weights[:-1], float(weights[-1]))


def _loss(log_odds: Doubles, good: Doubles) -> float:
    """Returns the mean log-loss."""
    return float(np.logaddexp(0, np.where(good > 0, -log_odds, log_odds)).mean())


def _numbers(values: Doubles) -> tuple[float, ...]:
    return tuple(map(float, values))
