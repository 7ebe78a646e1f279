"""Confidence intervals and tests of scores: the bootstrap over articles.

The articles are resampled many times with replacement. How a score varies over these
samples estimates how it would vary over other articles of the same kind. The seed is
fixed, so the same scores always get the same intervals, and two systems are compared on
the same articles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.evaluation.metrics import Marks, Rouge

RESAMPLES = 1000
SEED = 1
TAILS = 2.5, 97.5  # percentiles; 95% of the values are between them
STANDARD_ERRORS = 2  # a mean lower by more than this is clearly lower, at about 95%
CHUNK = 2_000_000  # numbers drawn at once, to bound the memory

Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """A score of one system minus that of another, on the same articles."""

    difference: float
    interval: Interval  # 95%
    p: float

    def to_dict(self) -> dict[str, Any]:
        """Returns it ready for JSON: p with four decimals, the others with two."""
        return {
            "difference": round(self.difference, 2),
            "interval": rounded(self.interval),
            "p": round(self.p, 4),
        }


def intervals(marks: Sequence[Marks]) -> dict[str, Interval]:
    """Returns the 95% interval of each metric of ``Marks.fractions``.

    The percentile interval: Efron and Tibshirani 1993, "An Introduction to the
    Bootstrap", ch. 13.
    """
    fractions = [one.fractions() for one in marks]
    parts = np.array([list(one.values()) for one in fractions])
    # (articles, metrics, 2) summed over the articles of each resample.
    sums = [np.tensordot(counts, parts, 1) for counts in _draws(len(marks))]
    low, high = np.percentile(_ratios(np.concatenate(sums)), TAILS, axis=0).tolist()
    return dict(zip(fractions[0], zip(low, high, strict=True), strict=True))


def compare(ours: Sequence[Rouge], others: Sequence[Rouge]) -> dict[str, Difference]:
    """Tests whether one system's ROUGE is higher than another's on the same articles.

    p is the share of resamples in which the difference does not have the same sign as
    on the original articles. One such resample is added, so p is never 0; it is 1 for a
    system against itself.

    Reference: Koehn 2004, "Statistical Significance Tests for Machine Translation
    Evaluation" (paired bootstrap resampling).

    Args:
        ours: the scores of one system, one for each article.
        others: the scores of the other system, in the same order.
    """
    names = list(asdict(ours[0]))
    gains = _matrix(ours) - _matrix(others)  # (articles, 3)
    articles = len(gains)
    means = [counts @ gains / articles for counts in _draws(articles)]
    sampled, whole = np.concatenate(means), gains.mean(axis=0)
    misses = (sampled * np.sign(whole) <= 0).sum(axis=0)
    p = (1 + misses) / (1 + RESAMPLES)
    low, high = np.percentile(sampled, TAILS, axis=0)
    return {
        name: Difference(float(whole[n]), (float(low[n]), float(high[n])), float(p[n]))
        for n, name in enumerate(names)
    }


def is_clearly_lower(ours: Sequence[float], others: Sequence[float]) -> bool:
    """Returns whether our scores are lower than the others by more than chance.

    That is, by more than two standard errors of the mean of the paired differences.

    Args:
        ours, others: scores of two systems for the same articles, in the same order.
    """
    losses = np.array(others) - np.array(ours)
    if len(losses) < 2:
        return bool(losses.sum() > 0)
    error = losses.std(ddof=1) / np.sqrt(len(losses))
    return bool(losses.mean() > STANDARD_ERRORS * error)


def rounded(interval: Interval) -> list[float]:
    """Returns both ends with two decimals."""
    return [round(end, 2) for end in interval]


def _draws(articles: int) -> Iterator[Floats]:
    """Yields how often each article is drawn, (R, articles); all R sum to RESAMPLES."""
    generator = np.random.default_rng(SEED)
    most = max(1, CHUNK // articles)
    for begin in range(0, RESAMPLES, most):
        rows = min(most, RESAMPLES - begin)
        drawn = generator.integers(articles, size=(rows, articles))
        drawn += articles * np.arange(rows)[:, None]  # count each row separately
        counts = np.bincount(drawn.ravel(), minlength=rows * articles)
        yield counts.reshape(rows, articles).astype(np.float64)


def _matrix(scores: Sequence[Rouge]) -> Floats:
    return np.array([list(asdict(score).values()) for score in scores])


def _ratios(sums: Floats) -> Floats:
    """Divides numerators by denominators, (..., 2); x / 0 gives 0, as in ``rates``."""
    above, below = sums[..., 0], sums[..., 1]
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
