"""Measures of styles: mutual information, active units, agreement of clusterings.

All values are in nats. Shape letters: N headlines, K styles, D sizes of the latent
vector.
"""

from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]

TINY = 1e-12  # lower bound of a probability before its logarithm is taken
ACTIVE = 0.01  # variance of the mean of an active unit


def entropy(probs: Floats) -> Floats:
    """Returns the entropy of distributions over the last axis."""
    result: Floats = -(probs * np.log(np.maximum(probs, TINY))).sum(axis=-1)
    return result


def mutual_information(log_probs: Floats) -> float:
    """Returns I(y; row) between the style and the row, given log p(y|row), ``(N, K)``.

    With the posterior it is I(y;t), what the style knows of the headline; with the
    prior it is I(y;x), what it knows of the article, and that should be little.
    """
    probs = np.exp(log_probs.astype(np.float64))
    return float(entropy(probs.mean(axis=0)) - entropy(probs).mean())


class SplitKl(NamedTuple):
    """A KL divergence to the prior, in its two parts: their sum is the KL."""

    prior: float  # KL(q(z) | p(z)): how far all z together are from the prior
    information: float  # I(z; t): what z knows of the headline


def split_kl(z: Floats, mean: Floats, log_variance: Floats, kl: float) -> SplitKl:
    """Splits the mean KL divergence of q(z|t) to the prior.

    E_t KL(q(z|t) | p(z)) = KL(q(z) | p(z)) + I(z; t), where q(z) is the mean of q(z|t)
    over the N headlines. That bounds I(z; t) by log N.

    Args:
        z: one draw for each headline, shape ``(N, D)``.
        mean, log_variance: of q(z|t), shape ``(N, D)``.
        kl: the mean KL divergence.

    Reference: J. Su, 变分自编码器 = 最小化先验分布 + 最大化互信息,
    https://kexue.fm/archives/6088
    """
    variance = np.exp(log_variance)
    apart = z[:, None, :] - mean[None, :, :]  # (N, N, D)
    density = -0.5 * (np.square(apart) / variance + log_variance).sum(axis=-1)
    highest = density.max(axis=1)
    mixture = highest + np.log(np.exp(density - highest[:, None]).mean(axis=1))
    information = float((np.diagonal(density) - mixture).mean())
    return SplitKl(kl - information, information)


def active_units(mean: Floats) -> int:
    """Returns how many of the D sizes of z vary between headlines.

    Reference: Burda et al. 2016, "Importance Weighted Autoencoders", sec. 5.2
    """
    return int((mean.var(axis=0) > ACTIVE).sum())


def normalised_information(one: Labels, other: Labels, styles: int) -> float:
    """Returns the normalised mutual information of two clusterings, 0 to 1.

    Args:
        one, other: the cluster of each item, shape ``(N,)``, from 0 below ``styles``.
    """
    joint = _counts(one, other, styles) / len(one)
    single = entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0))
    shared = single - entropy(joint.ravel())
    return float(2 * shared / single) if single > 0 else 1.0


def matching(one: Labels, other: Labels, styles: int) -> tuple[int, ...]:
    """Returns for each cluster of ``one`` its counterpart in ``other``.

    They are matched one to one, so that as many items as possible agree.
    """
    counts = _counts(one, other, styles)
    places = np.arange(styles)
    return max(
        permutations(range(styles)),
        key=lambda order: int(counts[places, order].sum()),
    )


def _counts(one: Labels, other: Labels, styles: int) -> NDArray[np.int64]:
    """Returns how many items are in each pair of clusters, ``(K, K)``."""
    pairs = one.astype(np.int64) * styles + other
    return np.bincount(pairs, minlength=styles * styles).reshape(styles, styles)
