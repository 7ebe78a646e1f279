"""Measures of styles, against what is known of them."""

import numpy as np
import pytest

from headline.network.styles.information import (
    active_units,
    matching,
    mutual_information,
    normalised_information,
    split_kl,
)

GENERATOR = np.random.default_rng(3)


def test_styles_that_are_known_or_unknown_have_all_information_or_none() -> None:
    labels = np.arange(40) % 4
    known = np.log(np.where(np.eye(4)[labels] > 0, 1.0, 1e-12))
    assert mutual_information(known) == pytest.approx(np.log(4), abs=1e-6)
    blind = np.log(np.tile([0.1, 0.2, 0.3, 0.4], (40, 1)))
    assert mutual_information(blind) == pytest.approx(0, abs=1e-9)


def test_equal_clusterings_agree_fully_whatever_their_numbers() -> None:
    one = GENERATOR.integers(3, size=500)
    renamed = np.array([2, 0, 1])[one]
    assert normalised_information(one, renamed, 3) == pytest.approx(1)
    assert matching(one, renamed, 3) == (2, 0, 1)
    random = GENERATOR.integers(3, size=500)
    assert normalised_information(one, random, 3) < 0.05
    nothing = np.zeros(500, int)
    assert normalised_information(nothing, nothing, 3) == 1
    assert normalised_information(one, nothing, 3) == pytest.approx(0, abs=1e-9)


def test_the_matching_agrees_on_the_most_items() -> None:
    one = np.array([0, 0, 0, 1, 1, 2])
    other = np.array([1, 1, 0, 0, 0, 0])
    order = matching(one, other, 3)
    agreed = sum(order[a] == b for a, b in zip(one, other, strict=True))
    assert agreed == 4 and sorted(order) == [0, 1, 2]


def test_only_units_that_vary_are_active() -> None:
    mean = np.zeros((50, 3))
    mean[:, 1] = GENERATOR.normal(size=50)
    assert active_units(mean) == 1


def test_the_information_of_z_is_that_of_far_apart_clusters() -> None:
    """Two clusters that do not overlap: z tells which, log 2 nats, and nothing more."""
    mean = np.repeat([[-50.0], [50.0]], 100, axis=0)
    log_variance = np.zeros((200, 1))
    z = mean + GENERATOR.normal(size=(200, 1))
    found = split_kl(z, mean, log_variance, kl=5.0)
    assert found.information == pytest.approx(np.log(2), abs=1e-6)
    assert found.prior + found.information == pytest.approx(5.0)
    same = np.zeros((200, 1))
    blind = split_kl(same + 0.3, same, log_variance, kl=0.0)
    assert blind.information == pytest.approx(0, abs=1e-9)
