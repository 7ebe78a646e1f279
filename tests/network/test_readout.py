"""The layers of the read-out against plain NumPy, one position at a time."""

import math

import numpy as np

from headline.network.attention import attention_bias
from headline.network.readout import OutputLayer, Pointer, SourcePrior
from headline.text.ids import PAD
from tests.models import TINY, array, embeddable, random_model
from tests.network.values import MASKS, WIDTH, mask_of, random


@MASKS
def test_pointer_matches_plain_numpy_and_ignores_padding(lengths: list[int]) -> None:
    layer = Pointer(WIDTH)
    features, states = random(2, 3, 2 * WIDTH), random(2, 5, WIDTH, seed=8)
    layer.build(features.shape)
    bias = attention_bias(mask_of(lengths), "float32")
    scores, gate = layer(features, keys=layer.project(states), bias=bias)

    queries = features @ array(layer.query.kernel)
    keys = states @ array(layer.key.kernel)
    for row, step in np.ndindex(2, 3):
        real = keys[row, : lengths[row]] @ queries[row, step] / math.sqrt(WIDTH)
        found = array(scores)[row, step]
        np.testing.assert_allclose(found[: lengths[row]], real, rtol=1e-4, atol=1e-5)
        assert (found[lengths[row] :] < -1e8).all()
    expected = features @ array(layer.gate.kernel) + array(layer.gate.bias)
    np.testing.assert_allclose(array(gate), expected[..., 0], rtol=1e-4, atol=1e-5)


def test_a_fresh_prior_is_the_bag_and_then_scaled_and_shifted() -> None:
    layer = SourcePrior()
    bag = np.array([[0, 1, 1, 0]], "float32")
    np.testing.assert_array_equal(array(layer(bag)), bag)

    layer.log_scale.assign(np.log([1, 2, 3, 4]).astype("float32"))
    layer.shift.assign(np.array([0.5, 0, 0, -1], "float32"))
    np.testing.assert_allclose(array(layer(bag)), [[0.5, 2, 3, -1]], rtol=1e-5)


def test_some_columns_of_the_output_layer_are_those_of_all() -> None:
    layer = OutputLayer(9)
    hidden = random(2, 3, WIDTH)
    layer.build(hidden.shape)
    layer.bias.assign(random(9))
    columns = np.array([7, 0, 7], np.int32)
    some = array(layer(hidden, columns=columns))
    np.testing.assert_allclose(some, array(layer(hidden))[..., columns], rtol=1e-5)


def test_the_prior_counts_each_character_once_and_no_padding() -> None:
    model = random_model(TINY["seed"])
    source = np.array([[5, 5, 7, PAD], [9, PAD, PAD, PAD]], np.int32)
    bag = array(model.readout.bag(embeddable(model.config, source)))
    rows = [np.flatnonzero(row).tolist() for row in bag]
    assert rows == [[5, 7], [9]] and set(bag.ravel().tolist()) == {0, 1}
