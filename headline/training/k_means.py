"""k-means in NumPy: Lloyd's algorithm from centres by k-means++.

Shape letters: N points, D dimensions, K clusters.

Reference: Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful
seeding", https://theory.stanford.edu/~sergei/papers/kMeansPP-soda.pdf
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESTARTS = 30  # the one with the lowest sum of squares counts
MOST_ROUNDS = 100

Points = NDArray[np.floating[Any]]
Clusters = NDArray[np.intp]


def k_means(points: Points, clusters: int, generator: np.random.Generator) -> Points:
    """Returns the centroids of clusters of points, shape ``(K, D)``.

    Args:
        points: shape ``(N, D)``, N at least 1; several may be equal.
        clusters: K.
    """
    points = points.astype(np.float64)
    runs = [_one_run(points, clusters, generator) for _ in range(RESTARTS)]
    return min(runs, key=lambda centres: float(distances(points, centres).min(1).sum()))


def nearest(points: Points, centres: Points) -> Clusters:
    """Returns the nearest centre of each point, shape ``(N,)``."""
    places: Clusters = distances(points, centres).argmin(axis=1)
    return places


def distances(points: Points, centres: Points) -> Points:
    """Returns squared Euclidean distances, shape ``(N, K)``."""
    squares = np.square(points).sum(axis=1)[:, None] + np.square(centres).sum(axis=1)
    # Rounding could make the distance of equal points negative.
    found: Points = np.maximum(squares - 2 * points @ centres.T, 0.0)
    return found


def _one_run(points: Points, clusters: int, generator: np.random.Generator) -> Points:
    centres = _first_centres(points, clusters, generator)
    for _ in range(MOST_ROUNDS):
        moved = centroids(points, nearest(points, centres), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _first_centres(
    points: Points, clusters: int, generator: np.random.Generator
) -> Points:
    """Chooses points by greedy k-means++: far ones more likely, the best of a few."""
    chosen = [points[generator.integers(len(points))]]
    away = distances(points, chosen[0][None])[:, 0]
    candidates = 2 + int(np.log(clusters))
    for _ in range(clusters - 1):
        total = away.sum()
        shares = away / total if total > 0 else None  # None: all points are chosen
        tried = points[generator.choice(len(points), candidates, p=shares)]
        left = np.minimum(away[:, None], distances(points, tried))
        best = left.sum(axis=0).argmin()
        chosen.append(tried[best])
        away = left[:, best]
    return np.stack(chosen)


def centroids(points: Points, clusters: Clusters, centres: Points) -> Points:
    """Returns the mean of each cluster's points; an empty one keeps its centre.

    Args:
        clusters: the cluster of each point, shape ``(N,)``.
        centres: shape ``(K, D)``.
    """
    moved = centres.copy()
    for cluster in np.unique(clusters):
        moved[cluster] = points[clusters == cluster].mean(axis=0)
    return moved
