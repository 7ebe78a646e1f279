"""k-means: clusters that are plain to see, ties, and seeds."""

import numpy as np

from headline.network.styles.kmeans import kmeans_centres, squared_distances

GENERATOR = np.random.default_rng(2)
TRUE = np.array([[0.0, 9.0], [9.0, 0.0], [-9.0, 0.0]])
POINTS = np.concatenate([centre + GENERATOR.normal(size=(60, 2)) for centre in TRUE])


def test_clusters_far_apart_are_found() -> None:
    for seed in range(5):
        centres = kmeans_centres(POINTS, 3, seed)
        nearest = squared_distances(TRUE, centres)
        assert sorted(nearest.argmin(axis=1)) == [0, 1, 2]
        assert nearest.min(axis=1).max() < 0.5


def test_centres_are_the_means_of_their_points() -> None:
    centres = kmeans_centres(POINTS, 4, 1)
    labels = squared_distances(POINTS, centres).argmin(axis=1)
    for cluster in range(4):
        np.testing.assert_allclose(centres[cluster], POINTS[labels == cluster].mean(0))


def test_the_same_seed_gives_the_same_centres() -> None:
    one, other = (kmeans_centres(POINTS, 3, 7) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_equal_points_are_no_trouble() -> None:
    centres = kmeans_centres(np.ones((9, 2)), 3, 1)
    np.testing.assert_array_equal(centres, np.ones((3, 2)))


def test_distances_are_those_of_plain_loops() -> None:
    found = squared_distances(POINTS, TRUE)
    for row, column in np.ndindex(found.shape):
        apart = POINTS[row] - TRUE[column]
        np.testing.assert_allclose(found[row, column], (apart**2).sum(), rtol=1e-9)
