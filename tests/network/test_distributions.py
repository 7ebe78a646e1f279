"""Entropy and divergence against what their formulas say, number by number."""

import numpy as np
import pytest

from headline.engines.base import Floats
from headline.network.distributions import divergence, entropy
from headline.network.layers import lowest
from tests.models import array

WITH_POINTER = pytest.mark.parametrize("pointer", [True, False])


def softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    result: Floats = weights / weights.sum(-1, keepdims=True)
    return result


def random_scores(pointer: bool, rows: int) -> dict[str, Floats]:
    """Scores of two steps over six tokens and five positions, the last masked."""
    generator = np.random.default_rng(1)
    scores = {"logits": generator.normal(0, 2, (rows, 2, 6))}
    if pointer:
        scores["copy_scores"] = generator.normal(0, 2, (rows, 2, 5))
        scores["copy_scores"][..., -1] = lowest("float32")
        scores["gate"] = generator.normal(0, 1, (rows, 2))
    return {name: values.astype(np.float32) for name, values in scores.items()}


def choices(scores: dict[str, Floats]) -> Floats:
    """P of writing each token and of copying each position that is not masked."""
    written = softmax(scores["logits"])
    if "gate" not in scores:
        return written
    gate = 1 / (1 + np.exp(-scores["gate"][..., None]))
    copied = softmax(scores["copy_scores"])[..., :-1]
    return np.concatenate([gate * written, (1 - gate) * copied], axis=-1)


def test_entropy_of_even_scores_is_the_logarithm_of_their_number() -> None:
    scores = np.array([[1.0, 1.0, 1.0, lowest("float32")]], np.float32)
    assert array(entropy(scores)) == pytest.approx(np.log(3), rel=1e-6)


@WITH_POINTER
def test_divergence_is_the_mean_of_both_directions(pointer: bool) -> None:
    scores = random_scores(pointer, rows=6)
    one, two = np.split(choices(scores), 2)
    there = (one * np.log(one / two)).sum(-1)
    back = (two * np.log(two / one)).sum(-1)
    found = array(divergence(scores))
    np.testing.assert_allclose(found, (there + back) / 2, rtol=1e-4)
    assert found.shape == (3, 2) and (found > 0).all()


@WITH_POINTER
def test_passes_that_agree_have_no_divergence(pointer: bool) -> None:
    scores = random_scores(pointer, rows=3)
    same = {name: np.concatenate([one, one]) for name, one in scores.items()}
    np.testing.assert_allclose(array(divergence(same)), 0, atol=1e-12)
