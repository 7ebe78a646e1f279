"""The confidence of a model: how likely a headline is good, and how usual an article.

A logistic regression on numbers that a search gives for free; ``headline.generation.
confidence`` computes them and ``headline.training.confidence`` fits the weights. It is
stored in config.json. Shape letters: N headlines or articles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from headline.errors import ConfigError

Doubles = NDArray[np.float64]
Numbers = tuple[float, ...]

# How far the log-odds fall for an article that is unlike the training corpus: SLOPE for
# each time that its distance exceeds the bound by the bound, LOWEST at most. The valid
# split has no such articles and cannot teach it; see evaluation/README.md.
SLOPE, LOWEST = 0.5, -2.0
STEEPEST = 30.0  # log-odds beyond which a probability is 0 or 1 anyway
DIGITS = 1  # of a confidence in percent


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How an article's numbers lie among those of the training corpus.

    The distance is Mahalanobis': the length of the numbers once they are standardised
    and their correlations removed.
    """

    names: tuple[str, ...]  # of the D numbers
    mean: Numbers
    scale: Numbers
    precision: tuple[Numbers, ...]  # (D, D): inverse correlations, regularised
    bound: float  # a distance that 5% of the valid articles exceed

    def distances(self, values: Doubles) -> Doubles:
        """Returns the distance of each article, given its numbers, (N, D)."""
        scaled = (values - np.array(self.mean)) / np.array(self.scale)
        # A sum of products per row, so that other articles of the batch change nothing.
        parts = scaled[:, :, None] * np.array(self.precision) * scaled[:, None, :]
        total = parts.reshape(len(parts), -1).sum(axis=1)
        found: Doubles = np.sqrt(np.maximum(total, 0.0))
        return found

    def are_unlike(self, values: Doubles) -> NDArray[np.bool_]:
        """Tells which articles are unlike the training corpus, (N,)."""
        return self.distances(values) > self.bound


@dataclass(frozen=True, kw_only=True)
class ConfidenceModel:
    """A logistic regression on standardised features."""

    names: tuple[str, ...]  # of the F features
    mean: Numbers
    scale: Numbers
    weights: Numbers
    bias: float
    likeness: Likeness
    good_rouge_l: float  # a headline is good if its ROUGE-L is at least this
    # Figures of the fit, cross-fitted on the valid split, ready for JSON.
    fit: Mapping[str, Any] = field(default_factory=dict)

    def chances(self, features: Doubles, articles: Doubles) -> Doubles:
        """Returns the chance in percent that each headline is good, (N,).

        Args:
            features: shape ``(N, F)``.
            articles: the numbers for ``likeness``, shape ``(N, D)``.
        """
        scaled = (features - np.array(self.mean)) / np.array(self.scale)
        # Not a matrix product, whose rounding depends on the size of the batch.
        log_odds = (scaled * np.array(self.weights)).sum(axis=1) + self.bias
        log_odds = log_odds + self.reduction(articles)
        found: Doubles = 100 * logistic(log_odds)
        return found.round(DIGITS)

    def reduction(self, articles: Doubles) -> Doubles:
        """Returns what the log-odds lose by unusual articles, (N,), at most 0."""
        bound = self.likeness.bound
        excess = np.maximum(self.likeness.distances(articles) / bound - 1, 0)
        return np.maximum(-SLOPE * excess, LOWEST)

    def to_dict(self) -> dict[str, Any]:
        """Returns it ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Makes it from what ``to_dict`` returned.

        Raises:
            ConfigError, KeyError, TypeError, ValueError: it is something else.
        """
        known = {one.name for one in fields(cls)}
        found = cls(
            names=tuple(map(str, raw["names"])),
            mean=_numbers(raw["mean"]),
            scale=_numbers(raw["scale"]),
            weights=_numbers(raw["weights"]),
            bias=float(raw["bias"]),
            likeness=_likeness(raw["likeness"]),
            good_rouge_l=float(raw["good_rouge_l"]),
            fit=dict(raw["fit"]),
        )
        columns = found.mean, found.scale, found.weights
        _check_sizes(found.names, columns)
        if raw.keys() - known or not all(one > 0 for one in found.scale):
            raise ConfigError("its confidence has unknown keys or a scale of 0")
        return found


def logistic(log_odds: Doubles) -> Doubles:
    """Returns 1 / (1 + e^-x)."""
    found: Doubles = 1 / (1 + np.exp(-np.clip(log_odds, -STEEPEST, STEEPEST)))
    return found


def _likeness(raw: Mapping[str, Any]) -> Likeness:
    found = Likeness(
        names=tuple(map(str, raw["names"])),
        mean=_numbers(raw["mean"]),
        scale=_numbers(raw["scale"]),
        precision=tuple(map(_numbers, raw["precision"])),
        bound=float(raw["bound"]),
    )
    columns = found.mean, found.scale, found.precision, *found.precision
    _check_sizes(found.names, columns)
    if not found.bound > 0 or not all(one > 0 for one in found.scale):
        raise ConfigError("the likeness of its confidence has a scale of 0")
    return found


def _numbers(raw: Sequence[Any]) -> Numbers:
    """Returns finite numbers.

    Raises:
        ValueError: one is not finite.
    """
    found = tuple(map(float, raw))
    if not np.isfinite(found).all():
        raise ValueError("its confidence has numbers that are not finite")
    return found


def _check_sizes(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
    if any(len(column) != len(names) for column in columns):
        raise ConfigError("its confidence has more or fewer numbers than names")
