"""k-means: right where the right answer is known, and at ease with equal points."""

import numpy as np
import pytest

from headline.training.k_means import distances, k_means, nearest


def test_clear_clusters_are_found_with_their_means() -> None:
    generator = np.random.default_rng(1)
    true = np.array([[0.0, 0.0], [10, 0], [0, 10], [10, 10]])
    labels = np.repeat(np.arange(4), [5, 40, 80, 200])  # of unlike sizes
    points = true[labels] + generator.normal(size=(len(labels), 2))

    centres = k_means(points, 4, generator)

    means = np.array([points[labels == label].mean(axis=0) for label in range(4)])
    found = centres[nearest(means, centres)]
    np.testing.assert_allclose(found, means, atol=1e-9)
    assert len(set(zip(labels, nearest(points, centres), strict=True))) == 4


def test_distances_are_those_of_a_loop() -> None:
    points, centres = (np.random.default_rng(s).normal(size=(5, 3)) for s in (1, 2))
    plain = [[np.square(p - c).sum() for c in centres] for p in points]
    np.testing.assert_allclose(distances(points, centres), plain)
    assert (distances(points, points).diagonal() >= 0).all()


@pytest.mark.parametrize("points", [[[1.0, 2.0]] * 5, [[0.0, 0.0], [1.0, 1.0]]])
def test_more_clusters_than_different_points_are_no_problem(
    points: list[list[float]],
) -> None:
    centres = k_means(np.array(points), 4, np.random.default_rng(1))
    assert centres.shape == (4, 2)
    assert distances(np.array(points), centres).min(axis=1).max() < 1e-12


def test_the_same_seed_gives_the_same_centres() -> None:
    points = np.random.default_rng(3).normal(size=(60, 2))
    one, other = (k_means(points, 5, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
