"""Sampling of distinct headlines: beam search over perturbed scores.

A beam search for the greatest Gumbel-perturbed log-probabilities draws whole targets
from the model without replacement; with one headline this is ancestral sampling.
Reference: Kool, van Hoof and Welling 2019, "Stochastic Beams and Where to Find Them",
algorithm 1 and appendix B.3.

The noise is a hash of the seed, the article and the target. So the same seed draws the
same headlines, whichever articles share the batch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import IMPOSSIBLE
from headline.engines.rows import take_of_rows
from headline.search.beams import Beams, Candidates, Doubles
from headline.settings.search import DecodeConfig
from headline.text.ids import Ids

Hashes = NDArray[np.uint64]

# The likeliest tokens of a step that a sample may draw from.
MOST_TOKENS = 100

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Noise:
    """The random numbers of a batch, by hashing."""

    articles: Hashes  # (B,): hash of the seed and the article's ids

    @classmethod
    def of(cls, copy_ids: Ids, seed: int) -> "Noise":
        """Makes the noise for articles, ids of shape ``(B, S)``, padded with PAD."""
        ids = copy_ids.astype(np.uint64)  # padding, being 0, adds nothing
        hashed = _mixed((ids * _powers(ids.shape[1])).sum(axis=1) + np.uint64(seed))
        return cls(hashed)

    def gumbel(self, candidates: Candidates, beams: Beams) -> Doubles:
        """Draws one value of the standard Gumbel distribution for each candidate."""
        tokens = beams.tokens.astype(np.uint64)
        prefixes = (tokens * _powers(tokens.shape[2])).sum(axis=2)
        prefixes = _mixed(prefixes + self.articles[beams.articles][:, None])
        hashes = take_of_rows(prefixes, candidates.origins)
        hashes = _mixed(hashes + candidates.ids.astype(np.uint64) * _ODD)
        uniform = (hashes >> np.uint64(11)).astype(np.float64) + 0.5
        drawn: Doubles = -np.log(-np.log(uniform * 2.0**-53))
        return drawn


def perturb(
    candidates: Candidates, beams: Beams, config: DecodeConfig, noise: Noise
) -> Candidates:
    """Sets the keys to perturbed log-probabilities of the tokens that may be drawn.

    Args:
        candidates: with log-probabilities as keys, -inf where a token is forbidden.
    """
    shape = (*beams.scores.shape, -1)
    log_probs = candidates.keys.reshape(shape) - beams.scores[:, :, None]
    log_probs = nucleus(log_probs / config.temperature, config.top_p)
    drawn = beams.drawn[:, :, None] + log_probs
    perturbed = drawn + noise.gumbel(candidates, beams).reshape(shape)
    keys = conditioned(perturbed, beams.keys)
    flat = candidates.scores.shape
    return candidates._replace(keys=keys.reshape(flat), drawn=drawn.reshape(flat))


def nucleus(log_probs: Doubles, top_p: float) -> Doubles:
    """Keeps the likeliest tokens that together reach ``top_p``, and renormalises.

    Args:
        log_probs: need not be normalised; -inf if impossible; last axis the tokens.

    Returns:
        log-probabilities that sum to 1 over the tokens kept; -inf for the others.

    Reference: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
    """
    probs = np.exp(_normalised(log_probs))
    order = np.argsort(-probs, axis=-1, kind="stable")
    before = np.cumsum(np.take_along_axis(probs, order, -1), -1)
    before -= np.take_along_axis(probs, order, -1)
    kept = np.empty(probs.shape, bool)
    np.put_along_axis(kept, order, before < top_p, -1)
    return _normalised(np.where(kept, log_probs, IMPOSSIBLE))


def conditioned(perturbed: Doubles, parents: Doubles) -> Doubles:
    """Makes the greatest perturbed score of each parent's children the parent's own.

    Args:
        perturbed: shape ``(B, K, M)``.
        parents: shape ``(B, K)``.

    Reference: Kool et al. 2019, appendix B.3.
    """
    parents = parents[:, :, None]
    greatest = perturbed.max(axis=-1, keepdims=True)
    alive = (perturbed > IMPOSSIBLE) & (parents > IMPOSSIBLE)
    safe = np.where(alive, perturbed, 0.0)
    gap = np.where(alive, safe - np.where(greatest > IMPOSSIBLE, greatest, 0.0), -1.0)
    with np.errstate(divide="ignore"):  # log 0 at the greatest itself, on purpose
        shift = np.where(alive, parents, 0.0) - safe + np.log1p(-np.exp(gap))
    bound = np.where(alive, parents, 0.0) - np.maximum(0.0, shift)
    return np.where(alive, bound - np.log1p(np.exp(-np.abs(shift))), IMPOSSIBLE)


def _normalised(log_probs: Doubles) -> Doubles:
    greatest = log_probs.max(axis=-1, keepdims=True)
    greatest = np.where(greatest > IMPOSSIBLE, greatest, 0.0)
    shifted: Doubles = log_probs - greatest
    total = np.exp(shifted).sum(axis=-1, keepdims=True)
    return shifted - np.log(np.where(total > 0, total, 1.0))


def _powers(length: int) -> Hashes:
    """Returns odd factors for a sequence, so that its hash depends on the order."""
    return _mixed(np.arange(1, length + 1, dtype=np.uint64)) | np.uint64(1)


def _mixed(values: Hashes) -> Hashes:
    """Returns well-spread hashes; Steele et al. 2014, "SplitMix", fig. 17."""
    values = values + _ODD
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
