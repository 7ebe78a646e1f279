"""The confidence model: what it makes of features, and how it is stored."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headline.errors import ConfigError
from headline.network.confidence import LOWEST, SLOPE, ConfidenceModel, Doubles
from tests.scripted import random_confidence


@pytest.fixture
def model() -> ConfidenceModel:
    return random_confidence()


def rows(model: ConfidenceModel, count: int = 9) -> tuple[Doubles, Doubles]:
    """Features and numbers of some headlines, their articles near the mean."""
    rng = np.random.default_rng(7)
    features = rng.normal(size=(count, len(model.names)))
    scale = np.array(model.likeness.scale)
    near = rng.normal(size=(count, len(scale))) * scale / 3
    return features, near + np.array(model.likeness.mean)


def test_it_is_the_logistic_function_of_a_weighted_sum(model: ConfidenceModel) -> None:
    features, numbers = rows(model)
    expected = []
    for row in features:
        total = model.bias
        for value, mean, scale, weight in zip(
            row, model.mean, model.scale, model.weights, strict=True
        ):
            total += weight * (value - mean) / scale
        expected.append(100 / (1 + np.exp(-total)))
    found = model.chances(features, numbers)
    np.testing.assert_allclose(found, expected, atol=0.05)
    np.testing.assert_array_equal(found, found.round(1))


def test_each_headline_is_judged_alone(model: ConfidenceModel) -> None:
    features, numbers = rows(model)
    alone = [
        model.chances(features[at : at + 1], numbers[at : at + 1]) for at in range(9)
    ]
    np.testing.assert_array_equal(
        model.chances(features, numbers), np.concatenate(alone)
    )


def test_no_features_are_too_large(model: ConfidenceModel) -> None:
    features, numbers = rows(model)
    steep = replace(model, weights=tuple(1e3 for _ in model.weights))
    for sign, chance in ((1e6, 100.0), (-1e6, 0.0)):
        found = steep.chances(np.full_like(features, sign), numbers)
        np.testing.assert_allclose(found, chance)


def test_the_farther_an_article_the_lower_the_confidence(
    model: ConfidenceModel,
) -> None:
    features, _ = rows(model, 1)
    bound = model.likeness.bound
    direction = np.zeros(len(model.likeness.names))
    direction[0] = model.likeness.scale[0]
    mean = np.array(model.likeness.mean)
    distances = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 400.0]) * bound
    # The precision of this model is the identity.
    numbers = mean + distances[:, None] * direction
    np.testing.assert_allclose(model.likeness.distances(numbers), distances)
    np.testing.assert_array_equal(
        model.likeness.are_unlike(numbers + 1e-9), distances >= bound
    )
    lost = model.reduction(numbers)
    np.testing.assert_allclose(
        lost, [0, 0, 0, -SLOPE, -2 * SLOPE, -3 * SLOPE, LOWEST], atol=1e-9
    )
    chances = model.chances(np.repeat(features, len(numbers), axis=0), numbers)
    assert (np.diff(chances) <= 0).all() and chances[-1] < chances[0]


def test_the_distance_knows_correlations(model: ConfidenceModel) -> None:
    precision = np.eye(len(model.likeness.names))
    precision[0, 1] = precision[1, 0] = -0.9  # both usually rise together
    likeness = replace(
        model.likeness, precision=tuple(tuple(row) for row in precision.tolist())
    )
    unit = np.array(likeness.scale)
    signs = np.zeros((2, len(unit)))
    signs[0, :2], signs[1, :2] = (1, 1), (1, -1)
    together, apart = likeness.distances(np.array(likeness.mean) + signs * unit)
    assert together == pytest.approx(np.sqrt(0.2))
    assert apart == pytest.approx(np.sqrt(3.8))


def test_json_holds_all_of_it(model: ConfidenceModel) -> None:
    raw = json.loads(json.dumps(model.to_dict()))
    assert ConfidenceModel.from_dict(raw) == model


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", [0.0]),
        ("weights", [float("nan")] * 19),
        ("weights", None),
        ("scale", [0.0] * 19),
        ("bias", "much"),
        ("likeness", {}),
        ("extra", 1),
    ],
)
def test_a_damaged_one_is_refused(
    model: ConfidenceModel, name: str, value: Any
) -> None:
    with pytest.raises((ConfigError, KeyError, TypeError, ValueError)):
        ConfidenceModel.from_dict(model.to_dict() | {name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("bound", 0.0), ("precision", [[1.0]]), ("scale", [0.0] * 6)]
)
def test_a_damaged_likeness_is_refused(
    model: ConfidenceModel, name: str, value: Any
) -> None:
    raw = model.to_dict()
    with pytest.raises((ConfigError, ValueError)):
        ConfidenceModel.from_dict(raw | {"likeness": raw["likeness"] | {name: value}})
