"""The LSTM with a gradient of its own against the one of Keras."""

from typing import Any

import keras
import numpy as np
import pytest

from headline.network.model import build_model
from headline.network.recurrence import Recurrence, reverse_sequences
from tests.models import TINY, random_sources, training_batch

BATCH, LENGTH, WIDTH, UNITS = 3, 6, 5, 4
BACKWARDS = pytest.mark.parametrize("backwards", [False, True])
DEVICES = pytest.mark.parametrize("on_cpu", [True, False])


def numbers(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def layer(backwards: bool, on_cpu: bool, monkeypatch: pytest.MonkeyPatch) -> Recurrence:
    name = "CPU" if on_cpu else "H100"
    monkeypatch.setattr("headline.network.recurrence.device_in_use", lambda: name)
    return Recurrence(UNITS, backwards)


class Network(keras.Model):
    """A layer before, whose gradient is that of the LSTM's inputs, and the LSTM."""

    def __init__(self, lstm: Any, lengths: list[int] | None = None) -> None:
        super().__init__()
        self.before, self.lstm, self.lengths = keras.layers.Dense(WIDTH), lstm, lengths

    def call(self, values: Any) -> Any:
        read = self.before(values)
        if self.lengths is None:
            return self.lstm(read)
        places = np.arange(LENGTH)[None, :]
        mask = keras.ops.convert_to_tensor(places < np.array(self.lengths)[:, None])
        return self.lstm(read, source_mask=mask)


def trained(network: Network, values: Any, wanted: Any, weight: Any = None) -> Any:
    """The outputs, and the weights after one large step down the gradient."""
    loss = keras.losses.MeanSquaredError(reduction="sum")
    network.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    network(values)  # makes the weights
    generator = np.random.default_rng(5)
    for variable in network.weights:
        shape = tuple(variable.shape)
        variable.assign(generator.normal(size=shape).astype("float32") / 2)
    outputs = keras.ops.convert_to_numpy(network(values))
    network.train_on_batch(values, wanted, sample_weight=weight)
    return outputs, network.get_weights()


@BACKWARDS
@DEVICES
def test_values_and_gradients_are_those_of_keras(
    backwards: bool, on_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, wanted = numbers(BATCH, LENGTH, WIDTH), numbers(BATCH, LENGTH, UNITS)
    outputs, weights = trained(
        Network(layer(backwards, on_cpu, monkeypatch)), values, wanted
    )

    # Keras gives what it reads from the end in the order of reading.
    order = slice(None, None, -1 if backwards else 1)
    theirs = keras.layers.LSTM(UNITS, return_sequences=True, go_backwards=backwards)
    expected, expected_weights = trained(Network(theirs), values, wanted[:, order])

    np.testing.assert_allclose(outputs, expected[:, order], rtol=1e-5, atol=1e-6)
    for found, one in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-5)


@BACKWARDS
def test_what_the_mask_leaves_out_changes_neither_values_nor_gradients(
    backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop on a CPU lets no padding in; for Keras, rows are turned round."""
    values, wanted = numbers(BATCH, LENGTH, WIDTH), numbers(BATCH, LENGTH, UNITS)
    lengths = [LENGTH, 2, 4]
    read = np.arange(LENGTH)[None, :] < np.array(lengths)[:, None]
    others = np.where(read[..., None], values, numbers(BATCH, LENGTH, WIDTH, seed=9))
    found, expected = (
        trained(
            Network(layer(backwards, on_cpu, monkeypatch), lengths),
            each,
            wanted,
            read.astype("float32"),
        )
        for each, on_cpu in ((others, True), (values, False))
    )

    np.testing.assert_allclose(found[0][read], expected[0][read], rtol=1e-5, atol=1e-6)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_reverse_turns_the_real_positions_and_leaves_the_padding() -> None:
    values = np.arange(10, dtype="float32").reshape(2, 5, 1)
    mask = np.arange(5) < np.array([[5], [2]])
    turned = keras.ops.convert_to_numpy(reverse_sequences(values, mask))
    np.testing.assert_array_equal(turned[..., 0], [[4, 3, 2, 1, 0], [6, 5, 7, 8, 9]])


def test_it_runs_in_half_precision_and_is_made_again_from_its_config() -> None:
    layer = Recurrence(UNITS, True, dtype="mixed_bfloat16")
    values = numbers(BATCH, LENGTH, WIDTH)
    outputs = layer(values)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"

    again = Recurrence.from_config(layer.get_config())
    again.build(values.shape)
    again.set_weights(layer.get_weights())
    both = (
        keras.ops.convert_to_numpy(keras.ops.cast(one, "float32"))
        for one in (outputs, again(values))
    )
    np.testing.assert_array_equal(*both)


def test_a_gpu_gets_single_precision_within_a_model_of_half(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a GPU has for LSTMs does not take bfloat16."""
    monkeypatch.setattr("headline.network.recurrence.device_in_use", lambda: "H100")
    config = TINY["pointer"]
    copy_ids = random_sources(config, [5, 3])
    batch = training_batch(config, copy_ids, [[5, 6], [7]])
    half, single = build_model(config, "mixed_bfloat16"), build_model(config)
    half.set_weights(single.get_weights())
    assert half.decoder.lstms[0].compute_dtype == "float32"
    for model in (half, single):
        model.compile("adam", run_eagerly=True)
    losses = [model.test_on_batch(batch)[0] for model in (half, single)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert np.isfinite(half.train_on_batch(batch)[0])
