"""The model: its probabilities, its loss, and its weights by name."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from headline.network.model import (
    HeadlineModel,
    assign_weights,
    build_model,
    weight_arrays,
)
from headline.network.objective import make_objective
from headline.network.train_step import DIVISOR
from headline.network.weights import weight_specs
from headline.text.ids import PAD, Ids
from tests.models import (
    TINY,
    array,
    random_model,
    random_sources,
    training_batch,
    without_dropout,
)

PRESETS = pytest.mark.parametrize("preset", list(TINY))


def batch_of(model: HeadlineModel, targets: list[list[int]]) -> dict[str, Ids]:
    copy_ids = random_sources(model.config, [6, 3])[: len(targets)]
    return training_batch(model.config, copy_ids, targets)


@PRESETS
def test_names_and_shapes_are_those_of_the_specs(preset: str) -> None:
    model, specs = build_model(TINY[preset]), weight_specs(TINY[preset])
    found = {name: array.shape for name, array in weight_arrays(model).items()}
    assert found == {name: spec.shape for name, spec in specs.items()}
    numbers = sum(array.size for array in weight_arrays(model).values())
    assert model.count_params() == numbers


@PRESETS
def test_assigned_weights_are_the_weights(preset: str) -> None:
    model, other = random_model(TINY[preset]), build_model(TINY[preset])
    assign_weights(other, weight_arrays(model))
    batch = batch_of(model, [[7, 9], [11]])
    np.testing.assert_array_equal(
        array(other(batch)["log_probs"]), array(model(batch)["log_probs"])
    )


def test_a_weight_that_only_a_training_needs_may_stay_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, name = TINY["pointer"], "pointer/gate/bias"
    model, arrays = build_model(config), dict(weight_arrays(random_model(config)))
    del arrays[name]
    with pytest.raises(KeyError, match=name):
        assign_weights(model, arrays)

    specs = weight_specs(config)
    specs[name] = replace(specs[name], generates=False)
    monkeypatch.setattr("headline.network.model.weight_specs", lambda _: specs)
    assign_weights(model, arrays)

    found = weight_arrays(model)
    assert found[name] == 0  # as it was made
    np.testing.assert_array_equal(found["hidden/kernel"], arrays["hidden/kernel"])


@PRESETS
def test_label_probabilities_sum_to_one_over_all_that_can_be_written(
    preset: str,
) -> None:
    model = random_model(TINY[preset])
    batch = batch_of(model, [[7]])
    copied = set(batch["copy_ids"][0].tolist()) if model.config.pointer else set()
    everything = sorted(set(range(model.config.vocab_size)) | copied)
    rows = {
        name: np.repeat(ids, len(everything), axis=0) for name, ids in batch.items()
    }
    for row, token in zip(rows["labels"], everything, strict=True):
        row[:] = token

    log_probs = array(model(rows)["log_probs"])

    assert np.exp(log_probs[:, 0]).sum() == pytest.approx(1, abs=1e-4)


def test_a_copied_label_outside_the_vocab_is_reachable_and_another_is_not() -> None:
    model = random_model(TINY["pointer"])
    copy_ids = np.array([[5, 44, 6]], np.int32)
    batch = training_batch(model.config, copy_ids, [[44, 47, 5]])

    weights = array(model.label_weights(batch["labels"], batch["copy_ids"]))
    log_probs = array(model(batch)["log_probs"])

    np.testing.assert_array_equal(weights, [[1, 0, 1, 1]])
    assert log_probs[0, 0] > -20 and log_probs[0, 1] < -1e6


def test_without_a_pointer_only_the_vocab_is_reachable() -> None:
    model = random_model(TINY["seed"])
    batch = training_batch(model.config, np.array([[44]], np.int32), [[44, 5]])
    weights = array(model.label_weights(batch["labels"], batch["copy_ids"]))
    np.testing.assert_array_equal(weights, [[0, 1, 1]])


@PRESETS
def test_loss_is_the_mean_over_the_labels_that_count(preset: str) -> None:
    model = random_model(TINY[preset])
    batch = batch_of(model, [[7, 9, 12], [11]])
    log_probs = array(model(batch)["log_probs"])
    counted = batch["labels"] != PAD
    loss = float(model.compute_loss(batch, y_pred=model(batch)))
    assert loss == pytest.approx(-log_probs[counted].mean(), rel=1e-4)


def losses_of_an_update(model: HeadlineModel, batch: dict[str, Ids]) -> list[float]:
    """The loss that is minimised, and what is told of it."""
    loss = model.compute_loss(batch, y_pred=model(batch, training=True))
    return [float(loss), float(model.token_loss.result())]


def test_the_dropout_of_a_training_is_as_strong_as_it_is_told() -> None:
    model = random_model(
        replace(TINY["pointer"], dropout=0.3, token_dropout=0.3, bigram_dropout=0.3)
    )
    batch = batch_of(model, [[7, 9, 12], [11]])
    expected = array(model(batch)["log_probs"])
    dropped = array(model(batch, training=True)["log_probs"])
    model.strength.assign(0.0)
    whole = array(model(batch, training=True)["log_probs"])
    assert np.abs(dropped - expected).max() > 0.1
    np.testing.assert_allclose(whole, expected, rtol=1e-5)


@PRESETS
def test_two_passes_that_drop_nothing_are_as_one(preset: str) -> None:
    model = random_model(without_dropout(TINY[preset]))
    batch = batch_of(model, [[7, 9, 12], [11]])
    expected = losses_of_an_update(model, batch)
    model.objective = make_objective(r_drop=4.0)
    model.token_loss.reset_state()
    assert losses_of_an_update(model, batch) == pytest.approx(expected, rel=1e-5)


@PRESETS
def test_what_dropout_puts_apart_is_weighed_and_not_told(preset: str) -> None:
    model = random_model(replace(TINY[preset], dropout=0.3))
    model.objective = make_objective(r_drop=4.0)
    batch = batch_of(model, [[7, 9, 12], [11]])
    outputs = {name: array(v) for name, v in model(batch, training=True).items()}
    counted = batch["labels"] != PAD
    means = {name: values[counted].mean() for name, values in outputs.items()}

    loss = float(model.compute_loss(batch, y_pred=outputs))

    assert means["divergence"] > 0
    expected = -means["log_probs"] + 4.0 * means["divergence"]
    assert loss == pytest.approx(expected, rel=1e-4)
    told = float(model.token_loss.result())
    assert told == pytest.approx(-means["log_probs"], rel=1e-4)


def test_two_passes_of_a_batch_of_several_weigh_as_its_labels() -> None:
    model = random_model(TINY["pointer"])
    model.objective = make_objective(r_drop=4.0)
    batch = batch_of(model, [[7, 9, 12], [11]])
    outputs = model(batch, training=True)
    whole = float(model.compute_loss(batch, y_pred=outputs))
    labels = int((batch["labels"] != PAD).sum())
    batch[DIVISOR] = np.array([[2 * labels]], np.int32)
    half = float(model.compute_loss(batch, y_pred=outputs))
    assert half == pytest.approx(whole / 2, rel=1e-5)


def test_a_batch_of_unreachable_labels_has_loss_zero_and_finite_gradients() -> None:
    model = random_model(TINY["pointer"])
    model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    batch = training_batch(model.config, np.array([[5, 6]], np.int32), [[50, 51]])
    batch["labels"][batch["labels"] == 3] = 52  # not even the end is reachable
    before = weight_arrays(model)
    logs = model.train_on_batch(batch, return_dict=True)
    assert logs["loss"] == 0
    for name, weight in weight_arrays(model).items():
        np.testing.assert_array_equal(weight, before[name])


@PRESETS
def test_padding_changes_no_output(preset: str) -> None:
    model = random_model(TINY[preset])
    batch = batch_of(model, [[7, 9, 12], [11]])
    padding = {1: ((0, 0),), 2: ((0, 0), (0, 3))}  # no style has any
    wider = {name: np.pad(ids, padding[ids.ndim]) for name, ids in batch.items()}
    expected, found = model(batch), model(wider)
    counted = batch["labels"] != PAD
    assert ("gate" in expected) == model.config.pointer
    for name, values in expected.items():
        padded = array(found[name])[:, : values.shape[1]]
        np.testing.assert_allclose(padded[counted], array(values)[counted], atol=1e-5)


def test_gate_and_copy_entropy_are_those_of_the_scores() -> None:
    model = random_model(TINY["pointer"])
    batch = batch_of(model, [[7, 9, 12], [11]])
    encoded = model.encode(batch["source_ids"])
    scores = model.decode(
        encoded, batch["decoder_input"], batch["labels"], batch["copy_ids"]
    )
    outputs = {name: array(values) for name, values in model(batch).items()}

    for row, step in np.argwhere(batch["labels"] != PAD):
        real = batch["copy_ids"][row] != PAD
        weights = np.exp(array(scores["copy_scores"])[row, step][real])
        copy = weights / weights.sum()
        expected = -(copy * np.log(copy)).sum()
        assert outputs["copy_entropy"][row, step] == pytest.approx(expected, rel=1e-4)
        gate = 1 / (1 + np.exp(-array(scores["gate"])[row, step]))
        assert outputs["gate"][row, step] == pytest.approx(gate, rel=1e-4)


def test_validation_tells_gate_and_copy_entropy_as_means_over_the_labels() -> None:
    model = random_model(TINY["pointer"])
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    batches = [batch_of(model, [[7, 9, 12], [11]]), batch_of(model, [[20]])]

    logs = model.evaluate(
        ((one,) for one in batches), steps=2, return_dict=True, verbose=0
    )

    for name in ("gate", "copy_entropy"):
        values = [array(model(one)[name])[one["labels"] != PAD] for one in batches]
        expected = np.concatenate(values).mean()
        assert logs[name] == pytest.approx(expected, rel=1e-4)


def test_training_counts_the_source_tokens_without_padding() -> None:
    model = random_model(TINY["seed"])
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    batches = [batch_of(model, [[7, 9], [11]]), batch_of(model, [[7]])]  # 6 and 3, 6
    fed = ((one,) for one in batches)
    fitted = model.fit(fed, steps_per_epoch=2, verbose=0, shuffle=False)
    assert fitted.history["source_tokens"] == [15]


def test_epoch_loss_weighs_batches_by_their_labels() -> None:
    model = random_model(TINY["pointer"])
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    long = batch_of(model, [[7, 9, 12, 20, 8]])
    short = batch_of(model, [[11]])
    losses = [float(model.compute_loss(b, y_pred=model(b))) for b in (long, short)]
    batches = ((batch,) for batch in (long, short))
    logs = model.evaluate(batches, steps=2, return_dict=True, verbose=0)
    expected = (losses[0] * 6 + losses[1] * 2) / 8
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


def test_fit_lowers_the_loss_and_mixed_precision_keeps_float32_log_probs() -> None:
    model = build_model(TINY["pointer"], "mixed_bfloat16")
    model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
    batch = batch_of(model, [[7, 9], [11]])
    assert array(model(batch)["log_probs"]).dtype == np.float32
    first = float(model.train_on_batch(batch, return_dict=True)["loss"])
    for _ in range(15):
        last = float(model.train_on_batch(batch, return_dict=True)["loss"])
    assert last < first / 2


def test_embeddings_stay_in_float32_under_mixed_precision() -> None:
    model = build_model(TINY["pointer"], "mixed_bfloat16")
    ids = np.array([[7, 9, 9, PAD]], np.int32)

    bigrams = model.encoder.bigrams
    assert bigrams is not None
    looked_up = model.embedding.table(ids), bigrams.pairs(ids)

    assert {keras.backend.standardize_dtype(each.dtype) for each in looked_up} == {
        "float32"
    }
    keys = model.encode(ids)["attention_keys"]
    assert keras.backend.standardize_dtype(keys.dtype) == "bfloat16"


def test_weights_come_in_the_order_in_which_checkpoints_number_them() -> None:
    config = replace(TINY["mixed"], encoder_layers=2)
    names = [name.split("/")[0] for name in weight_arrays(build_model(config))]
    assert list(dict.fromkeys(names)) == [
        "embedding",
        "bigrams",
        *("encoder_norm_0", "encoder_norm_1", "encoder_0", "encoder_1"),
        *("decoder_norm_0", "decoder_norm_1", "decoder_norm_2", "decoder_norm_last"),
        *("decoder_0", "decoder_1", "decoder_2"),
        *("attention", "hidden", "output", "pointer", "prior"),
    ]
