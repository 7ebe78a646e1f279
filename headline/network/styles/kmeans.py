"""k-means clustering, for the centres of the styles."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]

RESTARTS = 10
MOST_ROUNDS = 100  # of one start


def kmeans_centres(points: Points, clusters: int, seed: int) -> NDArray[np.float64]:
    """Returns the centres of the best of ``RESTARTS`` clusterings, ``(K, D)``.

    Args:
        points: shape ``(N, D)``, N at least K.
        clusters: K.
        seed: the same seed and points give the same centres.

    Reference: Arthur and Vassilvitskii 2007, "k-means++", for the starts.
    """
    generator = np.random.default_rng(seed)
    points = points.astype(np.float64)
    found = [
        _lloyd(points, _start(points, clusters, generator)) for _ in range(RESTARTS)
    ]
    best = min(found, key=lambda one: one[0])
    return best[1]


def _start(
    points: Points, clusters: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draws centres among the points, far from each other."""
    chosen = [points[generator.integers(len(points))]]
    while len(chosen) < clusters:
        nearest = squared_distances(points, np.array(chosen)).min(axis=1)
        total = nearest.sum()
        shares = nearest / total if total > 0 else None  # all points are equal
        chosen.append(points[generator.choice(len(points), p=shares)])
    return np.array(chosen)


def _lloyd(
    points: Points, centres: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Moves the centres to the means of their points, until no point changes.

    Returns:
        the sum of the squared distances to the nearest centres, and the centres.
    """
    labels = np.full(len(points), -1)
    for _ in range(MOST_ROUNDS):
        distances = squared_distances(points, centres)
        before, labels = labels, distances.argmin(axis=1)
        if (labels == before).all():
            break
        counts = np.bincount(labels, minlength=len(centres))
        sums = np.zeros_like(centres)
        np.add.at(sums, labels, points)
        # A centre without points stays where it is.
        means = sums / np.maximum(counts, 1)[:, None]
        centres = np.where(counts[:, None] > 0, means, centres)
    return float(distances.min(axis=1).sum()), centres


def squared_distances(points: Points, centres: Points) -> NDArray[np.float64]:
    """Returns the squared distance of each point to each centre, ``(N, K)``."""
    products = points @ centres.T
    squares = np.square(points).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    result: NDArray[np.float64] = np.maximum(squares - 2 * products, 0.0)
    return result
