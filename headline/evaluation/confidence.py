"""How well the confidence of headlines tells good ones from others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of equal count, for the calibration error and the reliability diagram
CURVE = range(5, 101, 5)  # percent, for the coverage curve
SUREST = (10, 20, 50, 80, 100)  # percent of the headlines, the surest first

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    """Headlines of about the same confidence; shares in percent."""

    confidence: float  # their mean
    good: float  # share of good ones
    headlines: int


@dataclass(frozen=True, kw_only=True)
class ConfidenceScores:
    """The figures of the confidence on some headlines; shares in percent."""

    good_rouge_l: float  # the least ROUGE-L of a good headline
    auroc: float  # 0 to 1; NaN if all are good or none is
    ece: float  # 0 to 1
    mean: float  # confidence
    good: float  # share of good headlines
    coverage: dict[int, float]  # ROUGE-L of the surest headlines, by their share
    curve: tuple[tuple[float, float], ...]  # the same for more shares
    bins: tuple[Bin, ...]  # by rising confidence

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures, ready for JSON."""
        return {
            "good_rouge_l": self.good_rouge_l,
            "auroc": None if np.isnan(self.auroc) else round(self.auroc, 4),
            "ece": round(self.ece, 4),
            "mean": round(self.mean, 2),
            "good": round(self.good, 2),
            "coverage": {str(n): round(one, 2) for n, one in self.coverage.items()},
        }

    def table(self) -> str:
        """Returns the figures for a person."""
        shares = ", ".join(f"{n}%: {one:.1f}" for n, one in self.coverage.items())
        return (
            f"confidence: AUROC {self.auroc:.3f}, ECE {self.ece:.3f}; mean"
            f" {self.mean:.1f}%, good {self.good:.1f}% (ROUGE-L of at least"
            f" {self.good_rouge_l:g})\nROUGE-L of the surest headlines: {shares}"
        )


def confidence_scores(
    confidence: Sequence[float], rouge_l: Sequence[float], good_rouge_l: float
) -> ConfidenceScores:
    """Compares the confidence of headlines with how good they are.

    Args:
        confidence: in percent, of at least one headline.
        rouge_l: of each headline against its reference.
        good_rouge_l: the least ROUGE-L of a good headline.
    """
    chances, scores = np.array(confidence, float), np.array(rouge_l, float)
    good = scores >= good_rouge_l
    bins = reliability(chances, good)
    return ConfidenceScores(
        good_rouge_l=good_rouge_l,
        auroc=auroc(chances, good),
        ece=calibration_error(bins),
        mean=float(chances.mean()),
        good=float(100 * good.mean()),
        coverage={share: surest_mean(chances, scores, share) for share in SUREST},
        curve=tuple((share, surest_mean(chances, scores, share)) for share in CURVE),
        bins=bins,
    )


def auroc(scores: Doubles, good: Flags) -> float:
    """Returns the chance that a good headline scores above another one; ties half.

    It is the area under the ROC curve, by the rank sum: Hanley and McNeil 1982, "The
    meaning and use of the area under a receiver operating characteristic (ROC) curve".
    NaN if all are good or none is.
    """
    positive = int(good.sum())
    negative = len(good) - positive
    if not positive or not negative:
        return float("nan")
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal scores
    above = ranks[places][good].sum() - positive * (positive + 1) / 2
    return float(above / (positive * negative))


def reliability(chances: Doubles, good: Flags) -> tuple[Bin, ...]:
    """Returns headlines in bins of equal count, by rising confidence.

    Args:
        chances: in percent.
    """
    order = np.argsort(chances, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    return tuple(
        Bin(float(chances[part].mean()), float(100 * good[part].mean()), len(part))
        for part in parts
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Returns the expected calibration error, 0 to 1.

    It is the mean distance between confidence and share of good headlines, over bins of
    equal count: Nguyen and O'Connor 2015, "Posterior calibration and exploratory
    analysis for natural language processing models", sec. 4. Chance alone makes it
    about 0.8 sqrt(p (1 - p) / n) for n headlines in a bin, p of them good.
    """
    total = sum(one.headlines for one in bins)
    gaps = [one.headlines * abs(one.confidence - one.good) for one in bins]
    return sum(gaps) / total / 100


def surest_mean(chances: Doubles, scores: Doubles, share: float) -> float:
    """Returns the mean score of the surest headlines.

    Args:
        share: how many of all headlines, in percent; at least one is used.
    """
    count = max(1, round(len(chances) * share / 100))
    order = np.argsort(-chances, kind="stable")
    return float(scores[order[:count]].mean())
