"""Entropy and divergence against what their formulas say, number by number."""

import numpy as np
import pytest

from headline.engines.base import Floats
from headline.network.attention import lowest
from headline.network.objective import divergence, entropy, label_log_probs
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


@WITH_POINTER
def test_a_label_is_written_by_the_vocab_and_by_every_place_that_holds_it(
    pointer: bool,
) -> None:
    scores = random_scores(pointer, rows=1)
    copy_ids = np.array([[4, 8, 4, 5, 0]], np.int32)  # 8 is past the vocab of six
    labels = np.array([[4, 8]], np.int32)
    likely = choices(scores)

    found = np.exp(array(label_log_probs(scores, labels, copy_ids, vocab_size=6)))

    written, copied = likely[0, 0, 4], 0.0
    if pointer:
        copied = likely[0, 0, 6] + likely[0, 0, 8]
        assert found[0, 1] == pytest.approx(likely[0, 1, 7], rel=1e-4)
    else:
        assert found[0, 1] == 0
    assert found[0, 0] == pytest.approx(written + copied, rel=1e-4)


def test_labels_of_a_few_columns_are_found_by_their_places() -> None:
    scores = random_scores(pointer=False, rows=1)
    labels = np.array([[30, 2]], np.int32)
    places = np.array([[5, 1]], np.int32)
    found = array(label_log_probs(scores, labels, labels, 40, places))
    expected = np.log(softmax(scores["logits"])[0, [0, 1], [5, 1]])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4)
